"""The next steps' batches, made by threads while the current step computes."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TypeVar

from linkbert.pools import bounded

T = TypeVar("T")


class Prefetch(Iterator[T]):
    """Yields ``make(first)``, ``make(first + 1)``, … in order, each made ahead of its use.

    Args:
        make: what makes the batch of a number; called by several threads at once where there are several workers.
        ahead: how many are being made or wait; 0 makes each where it is asked for.
        workers: threads that make them. NumPy lets go of the interpreter for nearly all of the work, so they add up.
    """

    def __init__(self, make: Callable[[int], T], first: int, ahead: int = 2, workers: int = 1):
        self._pool = ThreadPoolExecutor(workers, "prefetch") if ahead else None
        numbers = count(first)
        self._made = bounded(self._pool, make, numbers, ahead) if self._pool else map(make, numbers)

    def __next__(self) -> T:
        return next(self._made)

    def close(self) -> None:
        """Stop the threads."""
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
