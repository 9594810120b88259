"""``documents.parquet`` and ``redirects.parquet``, written as a stream with bounded row groups."""

from collections import Counter
from collections.abc import Sequence
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
        self._rows: list[tuple[str, str, str]] = []
        # Links by column, with the number of links after each document: no object of a link outlives its document.
        self._links: tuple[list, list, list] = ([], [], [])
        self._offsets = [0]
        self._pairs: list[tuple[str, str]] = []
        self._characters = 0
        for name in ("documents", "redirects", "links", "links_with_offsets", "characters"):
            tally.counts[name] += 0

    def document(self, doc_id: str, title: str, text: str, links: Sequence[LinkRow] = ()) -> None:
        self._rows.append((doc_id, title, text))
        for column, values in zip(self._links, zip(*links, strict=True), strict=False):
            column.extend(values)
        self._offsets.append(len(self._links[0]))
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
            columns = [pa.array(column, pa.string()) for column in zip(*self._rows, strict=True)]
            links = [pa.array(column, field.type) for column, field in zip(self._links, LINK, strict=True)]
            offsets = pa.array(self._offsets, pa.int32())
            columns.append(pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(links, fields=list(LINK))))
            self._documents.write_table(pa.Table.from_arrays(columns, schema=DOCUMENTS))
            self._rows, self._links, self._offsets, self._characters = [], ([], [], []), [0], 0

    def _flush_redirects(self) -> None:
        if self._pairs:
            columns = [pa.array(column, pa.string()) for column in zip(*self._pairs, strict=True)]
            self._redirects.write_table(pa.Table.from_arrays(columns, schema=REDIRECTS))
            self._pairs = []
