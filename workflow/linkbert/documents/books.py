"""Plain books: a document is a book, or a bounded part of one. Books have no links (paper §5.1)."""

import io
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from linkbert.documents.sources import Source, files_of, lines, record
from linkbert.documents.writer import Tally, Writer
from linkbert.errors import UserError
from linkbert.progress import Progress

LAYOUTS = {
    "book": "a file is a book, its paragraphs are separated by blank lines",
    "sentences": "a line is a sentence, blank lines separate books (BookCorpus)",
}
_LONGEST = 1 << 26  # characters of a document: bounds memory whatever the input


@dataclass(frozen=True)
class Options:
    """`layout`: one of `LAYOUTS`. `document_characters`: books are cut between paragraphs into documents of about this
    length; 0 keeps them whole. `min_characters`: shorter documents are dropped. `strip_gutenberg`: leave out what
    stands before and after Project Gutenberg's START and END lines.
    """

    layout: str = "book"
    document_characters: int = 0
    min_characters: int = 1
    strip_gutenberg: bool = True


_SUFFIXES = (".gz", ".bz2", ".tgz", ".tar", ".txt")
_GUTENBERG = re.compile(r"\*\*\* ?(START|END) OF (?:THE|THIS) PROJECT GUTENBERG", re.IGNORECASE)


def extract(
    paths: Sequence[Path], shard: int, shards: int, options: Options, writer: Writer, tally: Tally
) -> dict[str, str]:
    """Write the books of one shard, a contiguous group of files (a folder stands for its text files, in name order).

    A tar archive is read as the text files it holds. The ``doc_id`` is the file's path below the input, without
    suffixes; parts and further books add ``/2``, ``/3``.
    """
    if options.layout not in LAYOUTS:
        known = "; ".join(f"'{name}' ({meaning})" for name, meaning in LAYOUTS.items())
        raise UserError(f"books: unknown layout '{options.layout}'. Known: {known}.")
    names = _names(paths)
    progress = Progress("documents", unit="books")
    tally.counts["pages_found"] = tally.counts["links_found"] = 0
    hashes: dict[str, str] = {}
    for path in files_of(list(names), shard, shards):
        source = Source(path)
        try:
            for name, units in _texts(source, names[path]):
                _write(name, _parts(units, options), options, writer, tally)
        except tarfile.TarError as error:
            raise source.broken(f"not a whole tar archive ({error})") from None
        record(hashes, source)
        progress.update()
    progress.close()
    return hashes


def _write(name: str, parts: Iterable[str], options: Options, writer: Writer, tally: Tally) -> None:
    number = 0
    for text in parts:
        tally.counts["pages_found"] += 1
        if len(text) < max(options.min_characters, 1):
            tally.drop("pages", "short" if text else "empty")
            continue
        number += 1
        writer.document(name if number == 1 else f"{name}/{number}", name, text)


def _names(paths: Sequence[Path]) -> dict[Path, str]:
    """Every text file with its ``doc_id``, in corpus order."""
    names: dict[Path, str] = {}
    for path in paths:
        files = (
            sorted(file for file in path.rglob("*") if file.is_file() and _is_text(file)) if path.is_dir() else [path]
        )
        if not files:
            raise UserError(f"{path}: the folder holds no .txt, .txt.gz or .txt.bz2 file.")
        for file in files:
            name = (file.relative_to(path) if path.is_dir() else Path(file.name)).as_posix()
            for suffix in _SUFFIXES:
                name = name.removesuffix(suffix)
            names[file] = name
    twice = [name for name in names.values() if list(names.values()).count(name) > 1][:1]
    if twice:
        raise UserError(
            f"books: two input files would both be the document '{twice[0]}'. Rename one, or give their folder."
        )
    return names


def _is_text(path: Path) -> bool:
    return path.name.endswith((".txt", ".txt.gz", ".txt.bz2"))


def _is_tar(path: Path) -> bool:
    return path.name.endswith((".tar", ".tar.gz", ".tgz", ".tar.bz2"))


def _texts(source: Source, name: str) -> Iterator[tuple[str, Iterator[str]]]:
    """The name and the lines of every text in a file: one, or the members of a tar archive in its order."""
    if not _is_tar(source.path):
        yield name, _lines(lines(source), source.path)
        return
    stream = io.BufferedReader(source)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() and member.name.endswith(".txt") else None
            if content:
                part = member.name.removeprefix("./").removesuffix(".txt")
                yield f"{name}/{part}", _lines(content, source.path / member.name)
    while stream.read(1 << 16):  # what follows the last member belongs to the file's hash, too
        pass


def _lines(raw: Iterable[bytes], path: Path) -> Iterator[str]:
    """UTF-8 lines, stripped; an empty text for a blank one."""
    for number, line in enumerate(raw, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError:
            raise UserError(
                f"{path}, line {number}: not UTF-8. Convert the file first, e.g. iconv -f latin1 -t utf-8."
            ) from None


def _parts(units: Iterable[str], options: Options) -> Iterator[str]:
    """The documents of one text."""
    if options.layout == "book":
        units = _paragraphs(_body(units) if options.strip_gutenberg else units)
    return _documents(units, options.document_characters)


def _body(units: Iterable[str]) -> Iterator[str]:
    """Without Gutenberg's header and licence; everything where there is no START line near the beginning."""
    head: list[str] = []
    units = iter(units)
    for line in units:
        mark = _GUTENBERG.search(line)
        if mark and mark[1].upper() == "START":
            head = []
            break
        head.append(line)
        if len(head) > 2000:
            break
    yield from head
    for line in units:
        mark = _GUTENBERG.search(line)
        if mark and mark[1].upper() == "END":
            return
        yield line


def _paragraphs(units: Iterable[str]) -> Iterator[str]:
    """Hard-wrapped lines joined to paragraphs."""
    paragraph: list[str] = []
    for line in units:
        if line:
            paragraph.append(line)
        elif paragraph:
            yield " ".join(paragraph)
            paragraph = []
    if paragraph:
        yield " ".join(paragraph)


def _documents(units: Iterable[str], characters: int) -> Iterator[str]:
    """Units joined by blank lines to documents. An empty unit ends one; so does reaching the wanted length."""
    limit = min(characters or _LONGEST, _LONGEST)
    document: list[str] = []
    length = 0
    for unit in units:
        if document and (not unit or length + len(unit) > limit):
            yield "\n\n".join(document)
            document, length = [], 0
        if unit:
            document.append(unit)
            length += len(unit) + 2
    if document:
        yield "\n\n".join(document)
