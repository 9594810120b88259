"""Multistream bzip2, as Wikimedia publishes it: independent streams of about 100 pages, to be read in parallel.

A shard reads the streams that start inside its share of the file's bytes, so every page is read by exactly one.
"""

import io
import mmap
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from linkbert.documents.sources import Source, compression, files_of
from linkbert.errors import UserError

# A stream begins "BZh", its block size, and the magic number of its first block, or of its end where it is empty.
_STREAM = re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)")
_MAGIC_LENGTH = 10
_HEADER_LIMIT = 1 << 20
_BEGINS_WITH_PAGE = re.compile(rb"\s*(?:<page>|</mediawiki>)")
_FOOTER = b"\n</mediawiki>\n"


class _Cut(Source):
    """A range of whole streams; refuses one whose last stream does not end where a page ends."""

    def _all(self, prefix: bytes, suffix: bytes) -> Iterator[bytes]:
        tail = prefix[-64:]
        for piece in super()._all(prefix, b""):
            tail = (tail + piece)[-64:]
            yield piece
        if suffix:
            if not tail.rstrip().endswith((b"</page>", b"</siteinfo>")):
                raise _cut_inside_pages(self.path)
            yield suffix


def open_parts(paths: Sequence[Path], shard: int, shards: int) -> list[Source]:
    """What one shard reads of MediaWiki exports.

    Up to as many shards as files: a contiguous group of whole files each. More: `shards` must be a multiple of the
    number of files, and every file, which must be multistream bzip2, is cut into shards/files parts.
    """
    if shards <= len(paths):
        return [Source(path) for path in files_of(paths, shard, shards)]
    if shards % len(paths):
        raise UserError(
            f"{shards} shards for {len(paths)} input files: more shards than files must be a multiple of them, "
            f"so that each file is cut evenly. Set shards to {shards // len(paths) * len(paths)}."
        )
    parts = shards // len(paths)
    return [open_part(paths[shard // parts], shard % parts, parts)]


def open_part(path: Path, part: int, parts: int) -> Source:
    """Part `part` of `parts` of one multistream file, as a complete XML document of its own."""
    if parts == 1:
        return Source(path)
    if compression(path) != "bz2":
        raise UserError(f"{path}: only multistream bzip2 can be cut into {parts} shards. Set shards to 1 for it.")
    size = path.stat().st_size
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        second = _first_stream(data, _MAGIC_LENGTH)
        if second == size:
            raise UserError(
                f"{path}: one single bzip2 stream, which can be read only from its start, so {parts} shards of it are "
                "impossible. Use the publisher's multistream file, or set shards to 1 for this file."
            )
        start, end = (_first_stream(data, share * size // parts) for share in (part, part + 1))
    if start == 0 < end:
        return _Cut(path, 0, end, suffix=b"" if end == size else _FOOTER)
    _check_start(path, start, end)
    return _Cut(path, start, end, prefix=_header(path), suffix=_FOOTER if start == end or end < size else b"")


def _first_stream(data: mmap.mmap, position: int) -> int:
    """The first stream that starts at or after a byte; the size of the file where there is none."""
    found = _STREAM.search(data, position)
    return found.start() if found else len(data)


def _header(path: Path) -> bytes:
    """Everything before the first page: the root element and the names of the wiki."""
    source, head, first = Source(path), b"", -1
    while first < 0 and len(head) < _HEADER_LIMIT and (block := source.take(1 << 14)):
        head += block
        first = head.find(b"<page>")
    head = head[:first] if first >= 0 else head.partition(b"</mediawiki>")[0]
    if b"<mediawiki" not in head:
        raise UserError(f"{path}: not a MediaWiki export: no <mediawiki> element before the first page.")
    return head


def _check_start(path: Path, start: int, end: int) -> None:
    if start < end and not _BEGINS_WITH_PAGE.match(io.BufferedReader(Source(path, start, end)).read(4096)):
        raise _cut_inside_pages(path)


def _cut_inside_pages(path: Path) -> UserError:
    return UserError(
        f"{path}: its bzip2 streams are cut inside pages (a parallel compressor made it, not Wikimedia's multistream). "
        "It can be read only as a whole: set shards to 1 for this file."
    )
