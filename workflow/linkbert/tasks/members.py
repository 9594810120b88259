"""Publishers' files as they come: plain, gzipped, folders, zip and tar archives, zips inside zips.

A wanted file is named by the end of its path (``train.tsv``, ``1/test.tsv``), because every publisher, mirror and
unpacking tool puts other folders in front of it.
"""

import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from linkbert.errors import UserError

_BROKEN = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError)
_TAR_ENDS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Turn what a damaged or missing file raises into one sentence that names it."""
    try:
        yield
    except FileNotFoundError:
        raise UserError(f"{path}: no such file.") from None
    except _BROKEN as error:
        raise UserError(f"{path}: the file is damaged or cut short ({error}). Download it again.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}).") from None


def is_archive(path: Path) -> bool:
    """Whether a path holds members: a folder, a zip or a tar."""
    return path.is_dir() or path.name.lower().endswith((".zip", *_TAR_ENDS))


def _junk(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return not parts or "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1] == ".DS_Store"


def _zip_members(file: Path | IO[bytes], prefix: str = "") -> Iterator[tuple[str, Callable[[], bytes]]]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.is_dir() or _junk(info.filename):
                continue
            if info.filename.lower().endswith(".zip"):  # the ChemProt corpus is a zip of zips
                yield from _zip_members(io.BytesIO(archive.read(info)), f"{prefix}{info.filename}/")
            else:
                yield prefix + info.filename, partial(archive.read, info)


def _members(path: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """(name, reader) of each file in a folder or archive; a reader must be called before the next member is asked."""
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            name = file.relative_to(path).as_posix()
            if file.is_file() and not _junk(name):
                yield name, file.read_bytes
    elif path.name.lower().endswith(".zip"):
        yield from _zip_members(path)
    else:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile() and not _junk(member.name):
                    yield member.name, archive.extractfile(member).read  # type: ignore[union-attr]


def read_members(path: Path, wanted: Callable[[str], bool]) -> dict[str, bytes]:
    """The content of every member whose name `wanted` accepts, sorted by name, read in one pass."""
    with _naming(path):
        found = {name: read() for name, read in _members(path) if wanted(name)}
    return dict(sorted(found.items()))


def member_names(path: Path) -> list[str]:
    """The names of all members of a folder or archive, sorted."""
    with _naming(path):
        return sorted(name for name, _ in _members(path))


def _ends_with(member: str, name: str) -> bool:
    member = member.removesuffix(".gz")
    return member == name or member.endswith("/" + name)


def find_member(path: Path, *names: str) -> str | None:
    """The member whose path ends with the first of `names` that exists; None where none does.

    The one nearest the top wins: CoLA.zip holds ``CoLA/train.tsv`` and, deeper, other copies of it. Two at the same
    depth are a UserError, because either could be meant.
    """
    held = member_names(path)
    for name in names:
        found = sorted((member for member in held if _ends_with(member, name)), key=lambda member: member.count("/"))
        if len(found) > 1 and found[0].count("/") == found[1].count("/"):
            raise UserError(f"{path}: two members could be '{name}': {found[0]} and {found[1]}. Unpack the right one.")
        if found:
            return found[0]
    return None


def read_member(path: Path, *names: str) -> bytes | None:
    """The content of the member that `find_member` finds, unzipped where its name ends with .gz."""
    member = find_member(path, *names)
    if member is None:
        return None
    content = read_members(path, lambda name: name == member)[member]
    with _naming(path / member):
        return gzip.decompress(content) if member.endswith(".gz") else content


def open_member(path: Path, *names: str) -> io.StringIO:
    """The text of a member found by the end of its name; a UserError lists what the archive holds instead.

    Lines end at ``\\n`` alone: the sets hold other characters that Python counts as line ends.
    """
    content = read_member(path, *names)
    if content is None:
        raise _absent(path, names)
    return io.StringIO(decode(content, path / names[0]), newline="\n")


def lines_of_member(path: Path, *names: str) -> Iterator[str]:
    """The lines of a member, as `open_member` finds it, without their line ends.

    A member that lies in a folder or directly in a zip is streamed: the largest are many times the memory of a job.
    """
    member = find_member(path, *names)
    if member is None:
        raise _absent(path, names)
    if path.is_dir():
        return lines_of(path / member)
    if path.name.lower().endswith(".zip") and ".zip/" not in member.lower():
        return _lines_in_zip(path, member)
    return (line.rstrip("\r\n") for line in open_member(path, *names))


def _lines_in_zip(path: Path, member: str) -> Iterator[str]:
    with _naming(path / member), zipfile.ZipFile(path) as archive, archive.open(member) as packed:
        yield from _lines(gzip.GzipFile(fileobj=packed) if member.endswith(".gz") else packed)


def _absent(path: Path, names: Sequence[str]) -> UserError:
    held = member_names(path)
    shown = ", ".join(held[:12]) + (f" and {len(held) - 12} more" if len(held) > 12 else "")
    return UserError(f"{path}: no member named {' or '.join(names)}. It holds: {shown or 'nothing'}.")


def decode(content: bytes, path: Path) -> str:
    """UTF-8 text without its byte order mark; a UserError names the file where it is not UTF-8."""
    with _naming(path):
        return content.decode("utf-8-sig")


def lines_of(path: Path) -> Iterator[str]:
    """Stream the lines of a plain or gzipped UTF-8 file, without their line ends (``\\n`` or ``\\r\\n``)."""
    with _naming(path):
        raw = gzip.open(path, "rb") if path.name.endswith(".gz") else open(path, "rb")  # noqa: SIM115
        yield from _lines(raw)


def _lines(raw: IO[bytes] | gzip.GzipFile) -> Iterator[str]:
    with raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="\n") as stream:  # type: ignore[arg-type]
        for line in stream:
            yield line.rstrip("\r\n")


def read_bytes(path: Path) -> bytes:
    """The content of a plain or gzipped file."""
    with _naming(path):
        content = path.read_bytes()
        return gzip.decompress(content) if path.name.endswith(".gz") else content
