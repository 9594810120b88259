"""Checkpoints: whole or absent, a bounded number of them, written beside the training, by one process at a time."""

import fcntl
import logging
import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from linkbert.errors import UserError
from linkbert.files import atomic_file

PATTERN = "step-*.pt"
FORMAT = 3  # of the state; one of another format is refused as one of another configuration
log = logging.getLogger(__name__)


def snapshot(value: Any) -> Any:
    """A copy on the host of tensors nested in mappings and sequences; training may go on while it is written."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    if isinstance(value, Mapping):
        return {key: snapshot(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [snapshot(item) for item in value]
    return value


class Checkpoints:
    """The checkpoints of one run in one folder.

    Args:
        identity: hash of everything that the run's result depends on; a checkpoint of another one is refused.
        keep: how many of the newest stay.
    """

    def __init__(self, folder: str | Path, identity: str, keep: int = 2):
        self.folder, self.identity, self.keep = Path(folder), identity, keep
        self._writer: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._lock: int | None = None

    def lock(self) -> None:
        """Claim the folder until `close`; the system frees the claim of a process that dies.

        Raises:
            UserError: where another process has it.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(descriptor, 100).decode() or "unknown"
            os.close(descriptor)
            raise UserError(
                f"{self.folder}: another training (process {holder}) writes here; wait for it, stop it, or choose "
                "another folder."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()} on {os.uname().nodename}".encode())
        self._lock = descriptor
        for torn in self.folder.glob(f".*.{PATTERN}"):
            torn.unlink()

    def files(self) -> list[Path]:
        """The checkpoints, oldest first."""
        return sorted(self.folder.glob(PATTERN))

    def load(self) -> dict[str, Any] | None:
        """The newest readable checkpoint; None where there is none.

        Raises:
            UserError: for a checkpoint of another configuration or corpus, or where none of several can be read.
        """
        files = self.files()
        for file in reversed(files):
            try:
                state = torch.load(file, map_location="cpu", weights_only=True)
            except Exception as error:
                log.warning("%s cannot be read (%s); trying the one before it.", file, error)
                continue
            if state["identity"] != self.identity:
                raise UserError(
                    f"{file}: belongs to another configuration or corpus ({state['identity']}, this run is "
                    f"{self.identity}). Delete the folder to train anew, or restore the settings."
                )
            return state
        if files:
            raise UserError(f"{self.folder}: none of its checkpoints can be read; delete the folder to train anew.")
        return None

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Write a checkpoint in the background; waits for the one before."""
        self.wait()
        copy = snapshot(state) | {"step": step, "identity": self.identity}
        self._writer = threading.Thread(target=self._write, args=(step, copy))
        self._writer.start()

    def _write(self, step: int, state: dict[str, Any]) -> None:
        try:
            with atomic_file(self.folder / f"step-{step:09d}.pt") as temporary:
                torch.save(state, temporary)
            for old in self.files()[: -self.keep]:
                old.unlink()
        except BaseException as error:
            self._failure = error

    def wait(self) -> None:
        """Return when the last checkpoint is on disk.

        Raises:
            UserError: where it could not be written.
        """
        if self._writer:
            self._writer.join()
            self._writer = None
        if self._failure:
            failure, self._failure = self._failure, None
            left = shutil.disk_usage(self.folder).free // 1_000_000
            raise UserError(
                f"{self.folder}: the checkpoint could not be written ({failure}); is the disk full? "
                f"It has {left} MB left."
            )

    def close(self) -> None:
        """Finish writing and give the folder free."""
        self.wait()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
