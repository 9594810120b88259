"""A scheduler's wish that a run stops, heard at the end of a step."""

import signal
from typing import Any


class Interrupted(Exception):
    """A scheduler asked the run to stop; its state is saved."""


class StopRequest:
    """Whether a scheduler asked this process to stop, by SIGTERM or SIGUSR1."""

    def __init__(self) -> None:
        self.asked = False

    def listen(self) -> None:
        """From now on such a signal no longer ends the process, but is remembered."""
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: Any) -> None:
        self.asked = True
