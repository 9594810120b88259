"""The user's own documents: one JSON object a line, ``{doc_id, title?, text, links?: [{target, start?, end?}]}``."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from linkbert.documents.sources import Source, files_of, lines, record
from linkbert.documents.writer import LinkRow, Tally, Writer
from linkbert.errors import UserError
from linkbert.progress import Progress

_FIELDS = {"doc_id", "title", "text", "links"}
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_LARGEST = 2**31 - 1
_NAMES = 100  # of ignored fields that are counted by name


@dataclass(frozen=True)
class Options:
    """`strict`: a bad line or link is an error instead of a count."""

    strict: bool = False


class _Bad(Exception):
    """Why a line cannot be a document: a reason to count, and a sentence."""

    def __init__(self, reason: str, sentence: str):
        super().__init__(sentence)
        self.reason = reason


def extract(
    paths: Sequence[Path], shard: int, shards: int, options: Options, writer: Writer, tally: Tally
) -> dict[str, str]:
    """Write the documents of one shard, a contiguous group of files; return the files' hashes.

    A line that is no document is kept aside in ``rejected.jsonl`` with its file, number and reason; a link that is no
    link is dropped; both are counted. Within a shard the first document of a ``doc_id`` stays; all ids are held in
    memory for that. Links are ordered by place, those without one last. Fields of other names are ignored, counted.

    Raises:
        UserError: where no line of a file is a document.
    """
    progress = Progress("documents", unit="lines")
    tally.counts["pages_found"] = tally.counts["links_found"] = 0
    hashes: dict[str, str] = {}
    seen: set[str] = set()
    with open(writer.folder / "rejected.jsonl", "w", encoding="utf-8") as rejected:
        for path in files_of(paths, shard, shards):
            source = Source(path)
            became: Counter[str] = Counter()
            for number, line in enumerate(lines(source), start=1):
                if line.strip():
                    became[_line(line, f"{path}, line {number}", seen, options, writer, tally, rejected)] += 1
                    progress.update()
            if became and not became.keys() & {"document", "duplicate_doc_id"}:
                told = ", ".join(f"{reason}: {count:,}" for reason, count in became.most_common())
                raise UserError(
                    f"{path}: none of its lines is a document ({told}). Each must be a JSON object in UTF-8, such as "
                    '{"doc_id": "a", "text": "see b", "links": [{"target": "b", "start": 4, "end": 5}]}.'
                )
            record(hashes, source)
    progress.close()
    return hashes


def _line(line: bytes, where: str, seen: set[str], options: Options, writer: Writer, tally: Tally, out: TextIO) -> str:
    """Write one line's document, or keep it aside; return "document", or why it is none."""
    tally.counts["pages_found"] += 1
    links: list[Any] = []
    try:
        value = _parse(line)
        links = value["links"] if isinstance(value.get("links"), list) else []
        tally.counts["links_found"] += len(links)
        doc_id, title, text = _document(value)
        if doc_id in seen:
            raise _Bad("duplicate_doc_id", f"doc_id '{doc_id}' was there before")
    except _Bad as bad:
        if options.strict:
            raise UserError(f"{where}: {bad}. Mend the line, or set strict to false to leave it out.") from None
        tally.drop("pages", bad.reason)
        tally.drop("links", "in_dropped_page", len(links))
        name, _, number = Path(where).name.rpartition(", line ")
        row = {
            "file": name,
            "line": int(number),
            "reason": bad.reason,
            "content": line.decode("utf-8", "replace").strip(),
        }
        out.write(json.dumps(row, ensure_ascii=True) + "\n")
        return bad.reason
    seen.add(doc_id)
    for name in value.keys() - _FIELDS:
        known = f"fields.{name}" in tally.dropped or len(tally.dropped) < _NAMES
        tally.drop("fields", _SURROGATE.sub("?", name) if known else "others")
    kept: list[LinkRow] = []
    for link in links:
        reason, row = _link(link, len(text))
        if row:
            kept.append(row)
        elif options.strict:
            raise UserError(
                f"{where}: link {link!r} is bad ({reason}). Mend it, or set strict to false to leave it out."
            )
        else:
            tally.drop("links", reason)
    kept.sort(key=lambda row: (row[1] is None, row[1] or 0))
    writer.document(doc_id, title, text, kept)
    return "document"


def _parse(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line.decode("utf-8-sig"))  # of bytes, the library would guess the encoding
    except UnicodeDecodeError:
        raise _Bad("not_utf8", "not UTF-8") from None
    except (ValueError, RecursionError) as error:
        raise _Bad("not_json", f"not JSON ({error})") from None
    if not isinstance(value, dict):
        raise _Bad("not_an_object", f"a JSON object is needed, found {type(value).__name__}")
    return value


def _document(value: dict[str, Any]) -> tuple[str, str, str]:
    doc_id, text = value.get("doc_id"), value.get("text")
    if isinstance(doc_id, int) and not isinstance(doc_id, bool):
        doc_id = str(doc_id)
    if not isinstance(doc_id, str) or not doc_id:
        raise _Bad("no_doc_id", "'doc_id' must be a text that is not empty")
    if not isinstance(text, str):
        raise _Bad("no_text", "'text' must be a text")
    title = doc_id if value.get("title") is None else value["title"]
    if not isinstance(title, str):
        raise _Bad("bad_title", "'title' must be a text")
    if not isinstance(value.get("links"), list | None):
        raise _Bad("bad_links", "'links' must be a list")
    if _SURROGATE.search(doc_id + title) or _SURROGATE.search(text):
        raise _Bad("not_unicode", "half of a surrogate pair is no character")
    return doc_id, title, text


def _link(link: Any, length: int) -> tuple[str, LinkRow | None]:
    if not isinstance(link, dict):
        return "not_an_object", None
    target = link.get("target")
    if isinstance(target, int) and not isinstance(target, bool):
        target = str(target)
    if not isinstance(target, str) or not target or _SURROGATE.search(target):
        return "no_target", None
    start, end = link.get("start"), link.get("end")
    if start is None and end is None:
        return "", (target, None, None)
    if not all(isinstance(place, int) and not isinstance(place, bool) for place in (start, end)):
        return "bad_offsets", None
    if not 0 <= start < end <= min(length, _LARGEST):
        return "outside_text", None
    return "", (target, start, end)
