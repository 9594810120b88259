"""The next steps' batches, made by threads while the current step computes."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Prefetch(Iterator[T]):
    """Yields ``make(first)``, ``make(first + 1)``, … in order, each made ahead of its use.

    Args:
        make: what makes the batch of a number; called by several threads at once where there are several workers.
        ahead: how many are being made or wait; 0 makes each where it is asked for.
        workers: threads that make them. NumPy lets go of the interpreter for nearly all of the work, so they add up.
    """

    def __init__(self, make: Callable[[int], T], first: int, ahead: int = 2, workers: int = 1):
        self._make, self._next, self._ahead = make, first, ahead
        self._made: deque[Future[T]] = deque()
        if ahead:
            self._pool = ThreadPoolExecutor(workers, "prefetch")
            self._fill()

    def _fill(self) -> None:
        while len(self._made) < self._ahead:
            self._made.append(self._pool.submit(self._make, self._next))
            self._next += 1

    def __next__(self) -> T:
        if not self._ahead:
            self._next += 1
            return self._make(self._next - 1)
        made = self._made.popleft()
        self._fill()
        return made.result()

    def close(self) -> None:
        """Stop the threads."""
        if self._ahead:
            self._pool.shutdown(cancel_futures=True)
