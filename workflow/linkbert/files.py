"""Files that are either whole or absent, and the ``meta.json`` that says where each came from."""

import errno
import hashlib
import json
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from linkbert import STAGE, __version__
from linkbert.errors import UserError

log = logging.getLogger(__name__)

_FORGOTTEN = 30 * 24 * 3600
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def atomic_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends well, remove it when not.

    What killed writers of the same `path` left behind is removed first.

    Raises:
        UserError: where the disk, or somebody's share of it, is full.
    """
    path = Path(path)
    with _writing(path) as temporary:
        try:
            yield temporary
            _sync(temporary)
            os.replace(temporary, path)
            _sync(path.parent)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it replaces `path` when the block ends well and vanishes when not.

    What killed writers of the same `path` left behind is removed first.

    Raises:
        UserError: where the disk, or somebody's share of it, is full.
    """
    path = Path(path)
    with _writing(path) as temporary:
        temporary.mkdir()
        try:
            yield temporary
            for entry in (temporary, *temporary.rglob("*")):
                if entry.is_file() or entry.is_dir():
                    _sync(entry)
            if path.exists():
                # Snakemake creates an empty folder for a declared folder, and an older result may stand here.
                old = _temporary(path)
                os.replace(path, old)
                os.replace(temporary, path)
                shutil.rmtree(old)
            else:
                os.replace(temporary, path)
            _sync(path.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _writing(path: Path) -> Iterator[Path]:
    """A temporary name for `path`, in a folder that exists."""
    with told_when_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path)
        yield _temporary(path)


@contextmanager
def told_when_full(path: Path) -> Iterator[None]:
    """Make a UserError of the errors of a disk, or of somebody's share of it, to which nothing more can be written."""
    try:
        yield
    except OSError as error:
        # numpy says "7 requested and 3 written" and no more.
        if error.errno not in _FULL and not re.search(r"\d requested and \d+ written", str(error)):
            raise
        folder = next(parent for parent in path.absolute().parents if parent.exists())
        left = shutil.disk_usage(folder).free // 1_000_000
        raise UserError(
            f"{path}: cannot be written ({error}). Is the disk full, or your share of it? {left:,} MB of it are free. "
            "Make room and start again."
        ) from None


def _temporary(path: Path) -> Path:
    """A hidden name beside `path` that says who writes it. Suffixes stay at the end: they choose the compression."""
    return path.with_name(f".{_machine()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.{path.name}")


@cache
def _machine() -> str:
    """8 digits for this start of this machine, or of this container: where a process number means one process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        names = (boot, os.uname().nodename, os.readlink("/proc/self/ns/pid"))
    except OSError:
        names = (uuid.uuid4().hex,)  # then only age tells what is left over
    return fingerprint(names, 8)


def _clear(path: Path) -> None:
    """Remove temporary files and folders of `path` whose writer is gone for certain, on however many machines it ran.

    On this machine the process must have ended; of other machines nothing is known, so there they must not have changed
    for `_FORGOTTEN` seconds, longer than any job lives.
    """
    ours = re.compile(rf"\.([0-9a-f]{{8}})-(\d+)-[0-9a-f]{{8}}\.{re.escape(path.name)}")
    with os.scandir(path.parent) as entries:
        left = [(match, Path(entry.path)) for entry in entries if (match := ours.fullmatch(entry.name))]
    for match, found in left:
        gone = not _runs(int(match[2])) if match[1] == _machine() else _changed(found) < time.time() - _FORGOTTEN
        if gone:
            log.info("%s: left by a process that was killed; removed", found)
            if found.is_dir() and not found.is_symlink():
                shutil.rmtree(found, ignore_errors=True)
            else:
                with suppress(OSError):
                    found.unlink()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        pass  # somebody else's
    return True


def _changed(path: Path) -> float:
    """When a file, or anything in a folder, was last changed, in seconds; now, where it is vanishing."""
    try:
        return max(entry.lstat().st_mtime for entry in (path, *path.rglob("*")))
    except OSError:
        return time.time()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: str | os.PathLike) -> str:
    """Hexadecimal SHA-256 of a file's bytes, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(value: Any, length: int = 12) -> str:
    """A short hash of any JSON value, independent of the order of keys.

    >>> fingerprint({"b": 1, "a": 2}) == fingerprint({"a": 2, "b": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def read_json(path: str | os.PathLike) -> Any:
    """The JSON value in a file; a UserError names the file where it is missing or broken."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file.") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid JSON ({error}).") from None


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write text atomically."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write a JSON value atomically, indented, with a final newline."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_meta(
    folder: str | os.PathLike,
    stage: str,
    *,
    inputs: Mapping[str, Any] | None = None,
    parameters: Mapping[str, Any] | None = None,
    counts: Mapping[str, int] | None = None,
    dropped: Mapping[str, int] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Write ``folder/meta.json``: stage and version, inputs (name -> fingerprint), parameters, counts, drops by reason.

    Holds no time and no path of the machine, so that the same work gives the same bytes.
    """
    meta = {
        "stage": stage,
        "stage_version": STAGE[stage],
        "linkbert": __version__,
        "inputs": dict(inputs or {}),
        "parameters": dict(parameters or {}),
        "counts": dict(counts or {}),
        "dropped": dict(dropped or {}),
        **more,
    }
    write_json(Path(folder) / "meta.json", meta)
    return meta


def read_meta(folder: str | os.PathLike, stage: str | None = None) -> dict[str, Any]:
    """The ``meta.json`` of a folder; a UserError where the folder is absent, unfinished or of another stage."""
    path = Path(folder) / "meta.json"
    if not path.exists():
        raise UserError(f"{folder}: not a finished folder of this workflow (it has no meta.json).")
    meta = read_json(path)
    if stage and meta.get("stage") != stage:
        raise UserError(f"{folder}: made by the stage '{meta.get('stage')}', but '{stage}' is needed here.")
    return meta


def meta_fingerprint(folder: str | os.PathLike) -> str:
    """The hash of a folder's ``meta.json``: what later stages write down as the identity of that input."""
    return fingerprint(read_meta(folder))
