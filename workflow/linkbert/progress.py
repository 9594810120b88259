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
    first and ever more rarely, so that the log of a week can be read."""

    def __init__(
        self,
        title: str,
        total: int | None = None,
        unit: str = "items",
        every: float = 15.0,
        stream: TextIO | None = None,
        silent: bool = False,
    ):
        self.title, self.total, self.unit = title, total, unit
        self.stream, self.silent = stream or sys.stderr, silent
        self.terminal = self.stream.isatty()
        self.every = 1.0 if self.terminal else every
        self.done, self.start = 0, time.monotonic()
        self.first = 0  # units that were already done when this process began, e.g. after a resume
        self.last = self.start

    def resume_at(self, done: int) -> None:
        """Say that `done` units were finished by an earlier process; the rate counts only new ones."""
        self.done = self.first = done

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
        line = f"{self.title}: {count(self.done)}"
        if self.total:
            line += f" of {count(self.total)} {self.unit} ({100 * self.done / self.total:.0f} %)"
        else:
            line += f" {self.unit}"
        line += f", {count(rate)} {self.unit}/s, {duration(seconds)}"
        if self.total and rate > 0 and self.done < self.total:
            line += f", {duration((self.total - self.done) / rate)} to go"
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
