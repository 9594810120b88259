"""Checkpoints: whole or absent, a bounded number of them, written beside the training, by one process at a time."""

import fcntl
import logging
import os
import shutil
import sys
import threading
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from linkbert import STAGE
from linkbert.errors import UserError
from linkbert.files import atomic_file

PATTERN = "step-*.pt"
FORMAT = 4  # of the state
VERSION = f"{STAGE['pretrain']}.{FORMAT}"  # of what pretraining computes and of how it is written down
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


def is_whole(file: Path) -> bool:
    """Whether a file is what `torch.save` wrote, by the checksums in it.

    Raises:
        OSError: where the disk or the network does not give it.
    """
    with open(file, "rb") as content:
        while content.read(1 << 20):  # all of it: below, trouble of the disk may look like damage
            pass
        try:
            with zipfile.ZipFile(content) as archive:
                return archive.testzip() is None
        except Exception:  # a damaged file may cause any
            return False


def read(file: Path) -> dict[str, Any] | None:
    """The state in a file; None where the file is damaged.

    Raises:
        UserError: where it cannot be read for another reason, such as a disk or a network in trouble.
    """
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        cause = error
    try:
        damaged = not is_whole(file)
    except OSError as error:
        cause, damaged = error, False
    if not damaged:
        raise UserError(
            f"{file}: this checkpoint cannot be read now ({cause}), and nothing says that it is damaged. Run it again "
            "when disk, network and memory are well, or delete the folder to train anew."
        )
    log.warning("%s is damaged (%s); trying the one before it.", file, cause)
    return None


class Checkpoints:
    """The checkpoints of one run in one folder.

    Args:
        identity: hash of the settings and data that the run's result depends on; a checkpoint of another one is
            refused, as is one of another `VERSION`.
        keep: how many of the newest stay.
    """

    def __init__(self, folder: str | Path, identity: str, keep: int = 2):
        self.folder, self.identity, self.keep = Path(folder), identity, keep
        self._writer: threading.Thread | None = None
        self._failure: BaseException | None = None
        self._lock: int | None = None
        self._newest: int | None = None  # the step written or being written
        self._damaged: list[Path] = []

    def lock(self) -> None:
        """Claim the folder until `close`; the system frees the claim of a process that dies.

        Raises:
            UserError: where another process has it, or nothing can be written there.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise UserError(f"{self.folder}: checkpoints cannot be written there ({error}).") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 100).decode() or "unknown"
            os.close(descriptor)
            raise UserError(
                f"{self.folder}: another training (process {holder}) writes here; wait for it, stop it, or choose "
                "another folder."
            ) from None
        except OSError as error:
            log.warning(
                "%s: its file system knows no locks (%s); make sure that no other training writes there.",
                self.folder,
                error,
            )
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()} on {os.uname().nodename}".encode())
        self._lock = descriptor
        for torn in self.folder.glob(f".*.{PATTERN}"):
            torn.unlink()

    def files(self) -> list[Path]:
        """The checkpoints, oldest first."""
        return sorted(self.folder.glob(PATTERN))

    def load(self) -> dict[str, Any] | None:
        """The newest checkpoint that is not damaged; None where there is none.

        Raises:
            UserError: for a checkpoint of another version, configuration or corpus, where all are damaged, and where
                one cannot be read for now: another process may read it, and both have to go on from the same.
        """
        files = self.files()
        for file in reversed(files):
            state = read(file)
            if state is None:
                self._damaged.append(file)
                continue
            self._check(file, state)
            return state
        if files:
            raise UserError(f"{self.folder}: none of its checkpoints can be read; delete the folder to train anew.")
        return None

    def _check(self, file: Path, state: Any) -> None:
        version = state.get("version", "an older one") if isinstance(state, dict) else "unknown"
        if version != VERSION:
            raise UserError(
                f"{file}: written by another version of the pretraining ({version}, this is {VERSION}), which cannot "
                "be continued. Finish it with the software that wrote it, or delete the folder to train anew."
            )
        if state["identity"] != self.identity:
            raise UserError(
                f"{file}: belongs to another configuration or corpus ({state['identity']}, this run is "
                f"{self.identity}). Delete the folder to train anew, or restore the settings."
            )

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Write a checkpoint in the background; waits for the one before. The step written last is not written again.

        Raises:
            UserError: where the one before could not be written.
        """
        if step == self._newest:
            return
        self.wait()
        copy = snapshot(state) | {"step": step, "identity": self.identity, "version": VERSION}
        self._newest = step
        self._writer = threading.Thread(target=self._write, args=(step, copy))
        self._writer.start()

    def _write(self, step: int, state: dict[str, Any]) -> None:
        try:
            path = self.folder / f"step-{step:09d}.pt"
            with atomic_file(path) as temporary:
                torch.save(state, temporary)
            self._prune(path)
        except BaseException as error:
            self._failure = error

    def _prune(self, written: Path) -> None:
        """Remove what is damaged, and older files than the newest up to the one just written."""
        # Only now: until here another process may have been looking for the newest that is not damaged.
        for damaged in self._damaged:
            if damaged != written:
                damaged.unlink(missing_ok=True)
                log.warning("%s was damaged and is removed; step %d is saved.", damaged, int(written.stem[5:]))
        self._damaged.clear()
        for old in [file for file in self.files() if file <= written][: -self.keep]:
            old.unlink()

    def wait(self) -> None:
        """Return when the last checkpoint is on disk.

        Raises:
            UserError: where it could not be written.
        """
        if self._writer:
            self._writer.join()
            self._writer = None
        if self._failure:
            failure, self._failure, self._newest = self._failure, None, None
            left = shutil.disk_usage(self.folder).free // 1_000_000
            raise UserError(
                f"{self.folder}: the checkpoint could not be written ({failure}); is the disk full? "
                f"It has {left} MB left."
            )

    def close(self) -> None:
        """Finish writing and give the folder free. An error on its way to the user is not hidden by one of writing."""
        under_way = sys.exception()
        try:
            self.wait()
        except UserError as error:
            if under_way is None:
                raise
            log.error("%s", error)
        finally:
            if self._lock is not None:
                os.close(self._lock)
                self._lock = None
