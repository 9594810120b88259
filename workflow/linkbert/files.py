"""Files that are either whole or absent, and the ``meta.json`` that says where each came from."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from linkbert import STAGE, __version__
from linkbert.errors import UserError


@contextmanager
def atomic_file(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends well, remove it when not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # The suffixes stay at the end, because readers and writers choose compression by them.
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}.{path.name}")
    try:
        yield temporary
        _sync(temporary)
        os.replace(temporary, path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it replaces `path` when the block ends well and vanishes when not."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex[:8]}.{path.name}")
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _sync(file)
        if path.exists():
            # Snakemake creates an empty folder for a declared folder, and an older result may stand here.
            old = path.with_name(f".{uuid.uuid4().hex[:8]}.{path.name}.old")
            os.replace(path, old)
            os.replace(temporary, path)
            shutil.rmtree(old)
        else:
            os.replace(temporary, path)
        _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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
