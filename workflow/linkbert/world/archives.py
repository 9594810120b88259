"""Compressed files and archives whose bytes depend on their content alone: no times, no owners, no machine."""

import bz2
import gzip
import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_DOS_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_gzip(path: Path, text: str) -> None:
    with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
        packed.write(text.encode())


def write_bz2_streams(path: Path, streams: Iterable[str]) -> None:
    """A multistream bz2: each text is a stream of its own, as in Wikipedia's dumps."""
    path.write_bytes(b"".join(bz2.compress(stream.encode()) for stream in streams))


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    """A zip archive as bytes, members in the given order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, _DOS_EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            info.create_system = 3
            archive.writestr(info, content)
    return buffer.getvalue()


def write_zip(path: Path, members: Mapping[str, str | bytes]) -> None:
    path.write_bytes(zipped(members))


def tarred(members: Mapping[str, str]) -> bytes:
    """A tar archive as bytes, members in the given order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, text in members.items():
            content = text.encode()
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = len(content), 0, 0o644
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def write_tar(path: Path, members: Mapping[str, str]) -> None:
    """A tar, compressed as the name says (.gz, .bz2)."""
    content = tarred(members)
    if path.suffix == ".gz":
        with open(path, "wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
            packed.write(content)
    elif path.suffix == ".bz2":
        path.write_bytes(bz2.compress(content))
    else:
        path.write_bytes(content)


def table(rows: Iterable[Iterable[object]]) -> str:
    """Rows as tab-separated lines, without any quoting, as the publishers write them."""
    return "".join("\t".join(str(cell) for cell in row) + "\n" for row in rows)


def json_lines(rows: Iterable[Any]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
