"""The next steps' batches, made by a thread while the current step computes."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")


class Prefetch(Iterator[T]):
    """Yields ``make(first)``, ``make(first + 1)``, …, each made ahead of its use.

    Args:
        make: what makes the batch of a number; called in one thread, in order.
        ahead: how many may wait; 0 makes each where it is asked for.
    """

    def __init__(self, make: Callable[[int], T], first: int, ahead: int = 2):
        self._make, self._next, self._ahead = make, first, ahead
        if ahead:
            self._queue: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(ahead)
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._work, args=(first,), daemon=True)
            self._thread.start()

    def _work(self, number: int) -> None:
        while not self._stop.is_set():
            try:
                item = (self._make(number), None)
            except BaseException as error:
                item = (None, error)
            while not self._stop.is_set():
                try:
                    self._queue.put(item, timeout=0.2)
                    break
                except queue.Full:
                    continue
            if item[1] is not None:
                return
            number += 1

    def __next__(self) -> T:
        if not self._ahead:
            self._next += 1
            return self._make(self._next - 1)
        value, error = self._queue.get()
        if error is not None:
            raise error
        return value

    def close(self) -> None:
        """Stop the thread."""
        if self._ahead:
            self._stop.set()
            self._thread.join()
