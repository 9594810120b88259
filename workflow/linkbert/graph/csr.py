"""A document graph in compressed sparse rows, and the folder that holds it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from linkbert.errors import UserError
from linkbert.files import read_meta

_ARRAYS = ("indptr", "indices", "link", "in_degree")


@dataclass(frozen=True)
class Graph:
    """Directed edges between documents. D documents, E edges; row i holds the links of document i in text order.

    `indptr` int64 [D+1]; `indices` int32 [E] target documents; `link` int64 [E] the number of the corpus link that an
    edge comes from, -1 for document-level edges; `in_degree` int64 [D] distinct source documents.
    """

    indptr: np.ndarray
    indices: np.ndarray
    link: np.ndarray
    in_degree: np.ndarray
    folder: Path | None = None
    meta: dict[str, Any] | None = None

    @classmethod
    def from_edges(cls, documents: int, source: np.ndarray, target: np.ndarray, link: np.ndarray) -> "Graph":
        """The graph of E edges that are already in the order of their source documents."""
        indptr = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=documents))])
        pairs = _distinct(source.astype(np.int64) * documents + target)
        in_degree = np.bincount(pairs % documents, minlength=documents) if documents else np.zeros(0)
        types = (np.int64, np.int32, np.int64, np.int64)
        arrays = (a.astype(t) for a, t in zip((indptr, target, link, in_degree), types, strict=True))
        return cls(*arrays)

    @classmethod
    def load(cls, folder: str | Path) -> "Graph":
        """Open a graph folder with memory mapping; a UserError where it is not one or its arrays do not fit."""
        folder = Path(folder)
        meta = read_meta(folder, "graph")
        try:
            arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
        except (OSError, ValueError) as error:
            raise UserError(f"{folder}: an array is missing or broken ({error}). Build the graph again.") from None
        graph = cls(**arrays, folder=folder, meta=meta)
        edges = {len(graph.indices), len(graph.link), int(graph.indptr[-1])}
        if len(edges) > 1 or len(graph.in_degree) != len(graph):
            raise UserError(f"{folder}: its arrays do not fit each other. Build the graph again.")
        return graph

    def save(self, folder: str | Path) -> None:
        """Write the arrays into an existing folder."""
        for name in _ARRAYS:
            np.save(Path(folder) / f"{name}.npy", getattr(self, name))

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @cached_property
    def source(self) -> np.ndarray:
        """int64 [E]: the source document of each edge."""
        return np.repeat(np.arange(len(self)), np.diff(self.indptr))

    @cached_property
    def pairs(self) -> np.ndarray:
        """int64 [P], ascending: the distinct edges as source * D + target."""
        return _distinct(self.source * len(self) + np.asarray(self.indices))

    def has_edge(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        """bool [n]: whether each source document has an edge to its target document."""
        wanted = np.asarray(source, np.int64) * len(self) + target
        if not len(self.pairs):
            return np.zeros(len(wanted), bool)
        place = np.minimum(np.searchsorted(self.pairs, wanted), len(self.pairs) - 1)
        return self.pairs[place] == wanted


def _distinct(keys: np.ndarray) -> np.ndarray:
    """The distinct keys, ascending. On millions of integers many times as fast as np.unique, which hashes first."""
    keys = np.sort(keys)
    return keys[np.diff(keys, prepend=-1) > 0]
