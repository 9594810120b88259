"""Input files as streams of bytes: plain, gzip or bzip2 (told by their first bytes), hashed as they are read."""

import bz2
import hashlib
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from linkbert.errors import UserError

_BLOCK = 1 << 16
_PIECE = 1 << 20  # decompressed bytes held at once, whatever the ratio of compression

_LONGEST_LINE = 1 << 26

_KNOWN = {b"BZh": "bz2", b"\x1f\x8b": "gzip"}
_UNSUPPORTED = {b"7z\xbc\xaf": "7-Zip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip"}


class Source(io.RawIOBase):
    """The decompressed bytes of a file, or of the byte range ``[start, end)`` of it, between a prefix and a suffix.

    `position` is the number of compressed bytes read so far, counted from the start of the file, and `digest` hashes
    exactly those that were read. A truncated or corrupt file raises a UserError with that position.
    """

    def __init__(self, path: Path, start: int = 0, end: int | None = None, *, prefix: bytes = b"", suffix: bytes = b""):
        self.path, self.start, self.position = path, start, start
        self.digest = hashlib.sha256()
        self.compression = compression(path)
        self._end = path.stat().st_size if end is None else end
        self._pieces = self._all(prefix, suffix)
        self._piece, self._used = b"", 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while self._used == len(self._piece):
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._piece, self._used = piece, 0
        count = min(len(buffer), len(self._piece) - self._used)
        buffer[:count] = self._piece[self._used : self._used + count]
        self._used += count
        return count

    def unread(self, data: bytes) -> None:
        """Put bytes back in front of what is still to be read."""
        self._piece, self._used = data + self._piece[self._used :], 0

    def take(self, count: int) -> bytes:
        """The next `count` bytes, fewer only at the end."""
        data = bytearray()
        while len(data) < count and (block := self.read(count - len(data))):
            data += block
        return bytes(data)

    def _all(self, prefix: bytes, suffix: bytes) -> Iterator[bytes]:
        if prefix:
            yield prefix
        blocks = self._blocks()
        yield from {"bz2": _bunzip, "gzip": _gunzip}[self.compression](blocks, self) if self.compression else blocks
        if suffix:
            yield suffix

    def _blocks(self) -> Iterator[bytes]:
        with open(self.path, "rb") as file:
            file.seek(self.start)
            while self.position < self._end:
                block = file.read(min(_BLOCK, self._end - self.position))
                if not block:
                    return
                self.position += len(block)
                self.digest.update(block)
                yield block

    def broken(self, what: str) -> UserError:
        """The error for a file that cannot be read to its end."""
        return UserError(
            f"{self.path}: {what} near byte {self.position:,} of the file. Download it again and compare its checksum."
        )


def _bunzip(blocks: Iterator[bytes], source: Source) -> Iterator[bytes]:
    decompressor = None
    for block in blocks:
        while block:
            if decompressor is None:
                block = block.lstrip(b"\0")  # archives may be padded with zeros after the last member
                if not block:
                    break
                decompressor = bz2.BZ2Decompressor()
            try:
                yield decompressor.decompress(block, _PIECE)
                while not decompressor.needs_input and not decompressor.eof:
                    yield decompressor.decompress(b"", _PIECE)
            except OSError:
                raise source.broken("corrupt bzip2 data") from None
            block = b""
            if decompressor.eof:
                block, decompressor = decompressor.unused_data, None
    if decompressor is not None:
        raise source.broken("the bzip2 data end too early: the file is truncated")


def _gunzip(blocks: Iterator[bytes], source: Source) -> Iterator[bytes]:
    decompressor = None
    for block in blocks:
        while block:
            if decompressor is None:
                block = block.lstrip(b"\0")
                if not block:
                    break
                decompressor = zlib.decompressobj(wbits=31)
            try:
                yield decompressor.decompress(block, _PIECE)
            except zlib.error:
                raise source.broken("corrupt gzip data") from None
            block = decompressor.unconsumed_tail
            if decompressor.eof:
                block, decompressor = decompressor.unused_data, None
    if decompressor is not None:
        raise source.broken("the gzip data end too early: the file is truncated")


def compression(path: Path) -> str | None:
    """``"bz2"``, ``"gzip"`` or None, by the first bytes of a file; a UserError for kinds that are not read here."""
    try:
        with open(path, "rb") as file:
            head = file.read(8)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    if not head:
        raise UserError(f"{path}: the file is empty.")
    for magic, name in _UNSUPPORTED.items():
        if head.startswith(magic):
            raise UserError(f"{path}: {name} files are not read here. Known: plain, gzip, bzip2. Decompress it first.")
    return next((name for magic, name in _KNOWN.items() if head.startswith(magic)), None)


def lines(source: Source) -> Iterator[bytes]:
    """The lines of a source, each with its end of line. One beyond all measure is refused: it would fill the memory."""
    read = io.BufferedReader(source, _PIECE).readline
    number = 0
    while line := read(_LONGEST_LINE):
        number += 1
        if len(line) == _LONGEST_LINE:
            raise UserError(
                f"{source.path}: line {number:,} is longer than {_LONGEST_LINE >> 20} MB. "
                "The file is damaged or of another format: one document, or one paragraph, is expected a line."
            )
        yield line


def files_of(paths: Sequence[Path], shard: int, shards: int, cut: Callable[[Path], str] | None = None) -> list[Path]:
    """The contiguous, balanced group of files that shard `shard` of `shards` reads.

    More shards than files need files that can be cut, which only multistream bzip2 can: `cut` (or the default
    sentence) says why not.
    """
    if shards > len(paths):
        why = cut(paths[0]) if cut else "a file of this format is read whole, by one shard"
        raise UserError(f"{shards} shards for {len(paths)} input file(s): {why}. Set shards to {len(paths)} or fewer.")
    return list(paths[shard * len(paths) // shards : (shard + 1) * len(paths) // shards])


def record(hashes: dict[str, str], source: Source) -> None:
    """Note the hash of what was read of a source under its file's name, numbered where two files share it."""
    name, number = source.path.name, 2
    while name in hashes:
        name, number = f"{source.path.name}#{number}", number + 1
    hashes[name] = source.digest.hexdigest()
