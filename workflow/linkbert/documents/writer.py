"""``documents.parquet`` and ``redirects.parquet``, written as a stream with bounded row groups."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

LINK = pa.struct([("target", pa.string()), ("start", pa.int32()), ("end", pa.int32())])
DOCUMENTS = pa.schema(
    [("doc_id", pa.string()), ("title", pa.string()), ("text", pa.string()), ("links", pa.list_(LINK))]
)
REDIRECTS = pa.schema([("source", pa.string()), ("target", pa.string())])

_CHARACTERS = 1 << 23  # of text in a row group, so that a reader's memory is bounded too
_DOCUMENTS = 1 << 13
_PAIRS = 1 << 16

# One link of a document: the id it points to and its anchor, or None, None for a document-level link.
LinkRow = tuple[str, int | None, int | None]


@dataclass
class Tally:
    """Everything that was seen: counts by name, and what was dropped, by kind (pages, links, ...) and reason."""

    counts: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)

    def drop(self, kind: str, reason: str, number: int = 1) -> None:
        if number:
            self.dropped[f"{kind}.{reason}"] += number

    def total(self, kind: str) -> int:
        """How many of a kind were dropped, for all reasons."""
        return sum(number for name, number in self.dropped.items() if name.startswith(f"{kind}."))


class Writer:
    """Writes documents and redirects into a folder; a context manager. Keeps `tally.counts` of what it wrote."""

    def __init__(self, folder: Path, tally: Tally):
        self.folder, self.tally = folder, tally
        self._documents = pq.ParquetWriter(folder / "documents.parquet", DOCUMENTS, compression="zstd")
        self._redirects = pq.ParquetWriter(folder / "redirects.parquet", REDIRECTS, compression="zstd")
        self._rows: list[tuple[str, str, str, Sequence[LinkRow]]] = []
        self._pairs: list[tuple[str, str]] = []
        self._characters = 0
        for name in ("documents", "redirects", "links", "links_with_offsets", "characters"):
            tally.counts[name] += 0

    def document(self, doc_id: str, title: str, text: str, links: Sequence[LinkRow] = ()) -> None:
        self._rows.append((doc_id, title, text, links))
        self._characters += len(text)
        counts = self.tally.counts
        counts["documents"] += 1
        counts["links"] += len(links)
        counts["links_with_offsets"] += sum(start is not None for _, start, _ in links)
        counts["characters"] += len(text)
        if self._characters >= _CHARACTERS or len(self._rows) >= _DOCUMENTS:
            self._flush_documents()

    def redirect(self, source: str, target: str) -> None:
        self.tally.counts["redirects"] += 1
        self._pairs.append((source, target))
        if len(self._pairs) >= _PAIRS:
            self._flush_redirects()

    def __enter__(self) -> "Writer":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is None:
            self._flush_documents()
            self._flush_redirects()
        self._documents.close()
        self._redirects.close()

    def _flush_documents(self) -> None:
        if self._rows:
            doc_ids, titles, texts, links = zip(*self._rows, strict=True)
            columns = [pa.array(column, pa.string()) for column in (doc_ids, titles, texts)]
            self._documents.write_table(pa.Table.from_arrays([*columns, _link_column(links)], schema=DOCUMENTS))
            self._rows, self._characters = [], 0

    def _flush_redirects(self) -> None:
        if self._pairs:
            columns = [pa.array(column, pa.string()) for column in zip(*self._pairs, strict=True)]
            self._redirects.write_table(pa.Table.from_arrays(columns, schema=REDIRECTS))
            self._pairs = []


def _link_column(documents: Iterable[Sequence[LinkRow]]) -> pa.ListArray:
    offsets = [0]
    flat: list[LinkRow] = []
    for links in documents:
        flat.extend(links)
        offsets.append(len(flat))
    columns = zip(*flat, strict=True) if flat else ((), (), ())
    arrays = [pa.array(column, kind.type) for column, kind in zip(columns, LINK, strict=True)]
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.StructArray.from_arrays(arrays, fields=list(LINK))
    )
