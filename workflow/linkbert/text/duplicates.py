"""Near-duplicate documents, found from a sketch of 128 bytes each (one-permutation MinHash).

The runs of five words of a document fall into 32 classes by their hash, and the lowest hash of each class is kept. Two
documents agree in a class about as often as their runs are the same (Jaccard). Documents that agree in all four classes
of one of eight bands are compared: of pairs with similarity 0.8, 98 in 100 are.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from linkbert.text.shingles import Shingles

RUN = 5  # words
_CLASSES, _BAND = 32, 4
_EMPTY = np.uint32(0xFFFFFFFF)
_LEAST = 16  # runs of a document that can be compared
_AT_A_TIME = 1_000_000  # pairs compared at a time


@dataclass(frozen=True)
class Duplicates:
    """Which of D documents are alike.

    `compared` bool [D]: long enough to be compared. `cluster` int64 [D]: documents of one number are near-duplicates
    of one another, directly or by way of others; `alike` bool [D]: those not alone in their cluster.
    """

    compared: np.ndarray
    cluster: np.ndarray
    alike: np.ndarray


class Sketches:
    """Collects the sketches of documents, text after text."""

    def __init__(self) -> None:
        self.shingles = Shingles(RUN)
        self.parts: list[np.ndarray] = []

    def add(self, texts: list[str]) -> None:
        """Sketch some documents, in corpus order."""
        runs, text = self.shingles(texts)
        lowest = np.full(len(texts) * _CLASSES, _EMPTY)
        place = text * _CLASSES + (runs % np.uint64(_CLASSES)).astype(np.int64)
        np.minimum.at(lowest, place, (runs >> np.uint64(33)).astype(np.uint32))
        sketch = lowest.reshape(-1, _CLASSES)
        few = np.bincount(text, minlength=len(texts)) < _LEAST
        for _ in range(_CLASSES):  # an empty class takes over what its neighbor has, changed by one
            empty = sketch == _EMPTY
            if not (empty & ~few[:, None]).any():
                break
            sketch = np.where(empty, np.roll(sketch, -1, axis=1) + np.uint32(1), sketch)
            sketch[few] = _EMPTY
        sketch[few] = _EMPTY
        self.parts.append(sketch)

    def find(self, similarity: float = 0.8) -> Duplicates:
        """Group the documents whose similarity is estimated as at least `similarity`."""
        sketch = np.concatenate([np.zeros((0, _CLASSES), np.uint32), *self.parts])
        self.parts = [sketch]
        compared = sketch[:, 0] != _EMPTY
        numbers = np.flatnonzero(compared)
        pairs = [np.zeros((2, 0), np.int64)]
        for band in range(0, _CLASSES, _BAND):
            first, second = _same_band(sketch, numbers, band)
            for start in range(0, len(first), _AT_A_TIME):
                a, b = first[start : start + _AT_A_TIME], second[start : start + _AT_A_TIME]
                near = (sketch[a] == sketch[b]).mean(axis=1) >= similarity
                pairs.append(np.stack([a[near], b[near]]))
        a, b = np.concatenate(pairs, axis=1)
        joined = sparse.coo_matrix((np.ones(len(a), bool), (a, b)), shape=(len(sketch),) * 2)
        _, cluster = connected_components(joined, directed=False)
        alike = np.bincount(cluster, minlength=1)[cluster] > 1 if len(cluster) else np.zeros(0, bool)
        return Duplicates(compared, cluster.astype(np.int64), alike)


def _same_band(sketch: np.ndarray, numbers: np.ndarray, band: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of documents that agree in a band: each with the one before it, and with the first of its group."""
    columns = sketch[numbers, band : band + _BAND]
    order = np.lexsort(columns.T)
    same = np.zeros(len(order), bool)
    same[1:] = (columns[order[1:]] == columns[order[:-1]]).all(axis=1)
    lead = np.maximum.accumulate(np.where(same, 0, np.arange(len(order))))
    follows = np.flatnonzero(same)
    ordered = numbers[order]
    before, first = ordered[follows - 1], ordered[lead[follows]]
    other = before != first
    return np.concatenate([before, first[other]]), np.concatenate([ordered[follows], ordered[follows[other]]])
