"""Progress for people: a bar on a terminal, a line now and then in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

T = TypeVar("T")
LINES = 100  # the next line in a log comes after a hundredth of the time so far


def duration(seconds: float) -> str:
    """Seconds as a person writes them.

    >>> duration(42), duration(3723), duration(200000)
    ('42 s', '1 h 02 min', '2 d 07 h')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


def count(number: float) -> str:
    """A number as a person writes it.

    >>> count(950), count(12_345), count(4_385_920)
    ('950', '12.3k', '4.39M')
    """
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= limit:
            return f"{number / limit:.3g}{unit}"
    return f"{number:.3g}"


class Progress:
    """Counts done units and reports rate and time to go: every second on a terminal, in a log every `every` seconds at
    first and ever more rarely, so that the log of a week can be read.

    Args:
        total: units when all is done; None where that is not known.
        budget: seconds that all of the work takes, where time ends it and no number of units.
    """

    def __init__(
        self,
        title: str,
        total: int | None = None,
        unit: str = "items",
        every: float = 15.0,
        stream: TextIO | None = None,
        silent: bool = False,
        budget: float | None = None,
    ):
        self.title, self.total, self.unit, self.budget = title, total, unit, budget
        self.stream, self.silent = stream or sys.stderr, silent
        self.terminal = self.stream.isatty()
        self.every = 1.0 if self.terminal else every
        self.done, self.start = 0, time.monotonic()
        # Units that were already done, and seconds spent, when this process began, e.g. after a resume.
        self.first, self.spent = 0, 0.0
        self.last = self.start

    def resume_at(self, done: int, seconds: float = 0.0) -> None:
        """Say that `done` units were finished by an earlier process in so much time; the rate counts only new ones."""
        self.done = self.first = done
        self.spent = seconds

    def update(self, units: int = 1, note: str = "") -> None:
        """Count finished units; print when it is time to."""
        self.done += units
        now = time.monotonic()
        wait = self.every if self.terminal or not self.every else max(self.every, (now - self.start) / LINES)
        if now - self.last >= wait:
            self.last = now
            self._print(note, end="\r" if self.terminal else "\n")

    def close(self, note: str = "") -> None:
        """Print the last line."""
        self._print(note, end="\n")

    def _print(self, note: str, end: str) -> None:
        if self.silent:
            return
        seconds = max(time.monotonic() - self.start, 1e-9)
        rate = (self.done - self.first) / seconds
        share = left = None
        if self.total:
            share = self.done / self.total
            left = max(self.total - self.done, 0) / rate if rate > 0 else None
        elif self.budget:
            left = max(self.budget - self.spent - seconds, 0)
            share = 1 - left / self.budget
        of = f" of {count(self.total)}" if self.total else ""
        line = f"{self.title}: {count(self.done)}{of} {self.unit}"
        line += "" if share is None else f" ({100 * share:.0f} %)"
        line += f", {count(rate)} {self.unit}/s, {duration(seconds)}"
        line += f", {duration(left)} to go" if left else ""
        if note:
            line += f" | {note}"
        self.stream.write(line + ("\033[K" if self.terminal else "") + end)
        self.stream.flush()

    def over(self, items: Iterable[T]) -> Iterator[T]:
        """Yield items, counting each after it is consumed."""
        for item in items:
            yield item
            self.update()
        self.close()
