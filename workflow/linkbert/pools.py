"""Work in threads or processes: results in order, with few of them waiting."""

import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from linkbert.errors import UserError


@contextmanager
def processes(number: int, start: Callable[..., None] | None = None, *arguments: Any) -> Iterator[ProcessPoolExecutor]:
    """`number` worker processes, each of which calls ``start(*arguments)`` first; none outlives this process.

    Raises:
        UserError: where one of them is killed, or dies.
    """
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(number, context, _begin, (start, arguments)) as pool:
            yield pool
    except BrokenProcessPool:
        raise UserError(
            f"one of {number} worker processes ended before its work was done. It was killed, most often because "
            "memory ran out: give more memory, or fewer threads."
        ) from None


def _begin(start: Callable[..., None] | None, arguments: tuple[Any, ...]) -> None:
    # A worker waits for work for ever, also when the process that would send it was killed.
    threading.Thread(target=_end_with_parent, daemon=True).start()
    if start:
        start(*arguments)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def bounded(pool: Executor, function: Callable[[Any], Any], items: Iterable[Any], ahead: int) -> Iterator[Any]:
    """Like ``pool.map``, in order, but with at most `ahead` items under way."""
    waiting: deque = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
