"""The tokens of a corpus as flat arrays (docs/design.md, "tokens"): how they are opened and how they are written."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from linkbert.errors import UserError
from linkbert.files import read_meta

ARRAYS = ("tokens", "sentences", "documents", "link_positions")


@dataclass(frozen=True)
class Tokens:
    """All documents of a corpus as wordpieces, memory-mapped. T tokens, S sentences, D documents, L links.

    `tokens` uint16 or uint32 [T]; `sentences` int64 [S+1] first token of each sentence; `documents` int64 [D+1] first
    sentence of each document; `link_positions` int64 [L] first token of each link's anchor, -1 at document level.
    """

    tokens: np.ndarray
    sentences: np.ndarray
    documents: np.ndarray
    link_positions: np.ndarray
    folder: Path | None = None
    meta: dict[str, Any] | None = None

    @cached_property
    def bounds(self) -> np.ndarray:
        """int64 [D+1]: the first token of each document; the last entry is T."""
        return np.asarray(self.sentences)[np.asarray(self.documents)]

    def __len__(self) -> int:
        return len(self.documents) - 1

    def document_of(self, token: np.ndarray) -> np.ndarray:
        """The document number of each token number; empty documents own no token."""
        return np.searchsorted(self.bounds, token, side="right") - 1

    def titles(self, numbers: Sequence[int]) -> list[str]:
        """The titles of documents; the doc_id where one has none."""
        import pyarrow.parquet as pq

        if self.folder is None:
            return [f"document {number}" for number in numbers]
        rows = pq.read_table(self.folder / "titles.parquet").take(list(numbers)).to_pylist()
        return [row["title"] or row["doc_id"] for row in rows]


def load_tokens(folder: str | Path) -> Tokens:
    """Open a tokens folder with memory mapping; a UserError where it is not one or its arrays contradict each other."""
    folder = Path(folder)
    meta = read_meta(folder, "tokens")
    try:
        arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS}
    except (OSError, ValueError) as error:
        raise UserError(f"{folder}: an array is missing or broken ({error}). Tokenize the documents again.") from None
    result = Tokens(**arrays, folder=folder, meta=meta)
    if result.sentences[-1] != len(result.tokens) or result.documents[-1] != len(result.sentences) - 1:
        raise UserError(f"{folder}: its arrays do not fit each other. Tokenize the documents again.")
    return result


class ArrayWriter:
    """Appends to a one-dimensional ``.npy`` file of unknown final length, holding nothing in memory."""

    def __init__(self, path: Path, dtype: Any):
        self.dtype = np.dtype(dtype)
        self.length = 0
        self.file = open(path, "wb")  # noqa: SIM115 - closed by close()
        self.header = self._header(0)
        self.file.write(self.header)

    def append(self, values: np.ndarray) -> None:
        """Add values at the end."""
        np.ascontiguousarray(values, dtype=self.dtype).tofile(self.file)
        self.length += len(values)

    def close(self) -> None:
        """Write the true length into the header and close the file."""
        header = self._header(self.length)
        # numpy leaves room in the header for the first axis to grow, so its size does not change.
        assert len(header) == len(self.header)
        self.file.seek(0)
        self.file.write(header)
        self.file.close()

    def _header(self, length: int) -> bytes:
        buffer = io.BytesIO()
        description = np.lib.format.dtype_to_descr(self.dtype)
        np.lib.format.write_array_header_1_0(buffer, {"descr": description, "fortran_order": False, "shape": (length,)})
        return buffer.getvalue()
