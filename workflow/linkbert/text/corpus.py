"""Document folders (docs/design.md, "documents") as streams of batches, in corpus order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from linkbert.errors import UserError
from linkbert.files import meta_fingerprint, read_meta

COLUMNS = ("doc_id", "title", "text", "links")
_LINK_FIELDS = ("target", "start", "end")


@dataclass(frozen=True)
class Links:
    """The links of a batch of n documents, flattened in order to m links.

    `count` int64 [n] links of each document; `target` string array [m]; `start`, `end` int64 [m] character offsets
    of the anchor in the document's text, -1 for document-level links.
    """

    count: np.ndarray
    target: pa.Array
    start: np.ndarray
    end: np.ndarray


def open_documents(folder: str | Path) -> pq.ParquetFile:
    """The open ``documents.parquet`` of a finished document folder; a UserError where it is absent or misshapen."""
    read_meta(folder, "documents")
    path = Path(folder) / "documents.parquet"
    if not path.exists():
        raise UserError(f"{folder}: holds no documents.parquet. Build the folder again.")
    try:
        file = pq.ParquetFile(path)
    except pa.ArrowInvalid as error:
        raise UserError(f"{path}: not a readable Parquet file ({error}).") from None
    missing = [name for name in COLUMNS if name not in file.schema_arrow.names]
    if missing:
        raise UserError(f"{path}: lacks the columns {', '.join(missing)}. Needed: {', '.join(COLUMNS)}.")
    return file


def count_documents(folders: Sequence[str | Path]) -> int:
    """The number of documents in all folders."""
    return sum(open_documents(folder).metadata.num_rows for folder in folders)


def batches(folders: Sequence[str | Path], columns: Sequence[str], size: int = 256) -> Iterator[pa.RecordBatch]:
    """Batches of at most `size` documents with the named columns, folder after folder, row after row."""
    for folder in folders:
        with open_documents(folder) as file:
            yield from file.iter_batches(batch_size=size, columns=list(columns))


def texts(folders: Sequence[str | Path]) -> Iterator[str]:
    """The text of every document; "" where it is null."""
    for batch in batches(folders, ["text"]):
        yield from (text or "" for text in batch["text"].to_pylist())


def titles_of(folders: Sequence[str | Path], numbers: Sequence[int]) -> dict[int, str]:
    """The titles of some documents by number, in the order asked for; the doc_id where one has none."""
    wanted, found, first = np.sort(np.asarray(numbers, np.int64)), {}, 0
    for batch in batches(folders, ["doc_id", "title"], 8192):
        rows = wanted[slice(*np.searchsorted(wanted, [first, first + len(batch)]))] - first
        for row in rows.tolist():
            found[first + row] = batch["title"][row].as_py() or batch["doc_id"][row].as_py()
        first += len(batch)
    return {int(number): found[int(number)] for number in numbers}


def links_of(batch: pa.RecordBatch) -> Links:
    """The links of a batch as flat arrays."""
    column = batch["links"]
    count = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    flat = column.flatten()
    target, start, end = (pc.struct_field(flat, name) for name in _LINK_FIELDS)
    positions = [pc.fill_null(a, -1).to_numpy(zero_copy_only=False).astype(np.int64) for a in (start, end)]
    return Links(count, target, *positions)


def redirects(folders: Sequence[str | Path]) -> Iterator[tuple[str, str]]:
    """All (source, target) pairs of the folders' ``redirects.parquet``; a folder without that file has none."""
    for folder in folders:
        path = Path(folder) / "redirects.parquet"
        if path.exists():
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(columns=["source", "target"]):
                    yield from zip(batch["source"].to_pylist(), batch["target"].to_pylist(), strict=True)


def fingerprints(folders: Sequence[str | Path]) -> list[str]:
    """The identity of each folder, in corpus order: what ``meta.json`` of a later stage writes down."""
    return [meta_fingerprint(folder) for folder in folders]
