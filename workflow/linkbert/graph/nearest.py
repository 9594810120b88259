"""The k nearest rows of a sparse matrix by dot product: all pairs, or an inverted index whose work grows like the rows.

The index: a row asks with its heaviest words only, and a word answers with the rows in which it is heaviest. A row
thus costs no more products where there are more rows. Its best candidates are then scored exactly, with all words, and
the recall against the search of all pairs is measured on a sample.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from linkbert import rng
from linkbert.errors import UserError, unknown
from linkbert.pools import bounded
from linkbert.progress import Progress

_BLOCK = 1e7  # products in one block of rows, which bounds its memory to some 150 MB a thread
_ENTRIES = 2**22  # of the matrix that are looked at together
_SAMPLE = 200  # rows that the recall is measured on: with 5 neighbors, to half a per cent
_PART = 5  # a row of many words asks with one in so many
_TOGETHER = 8  # sampled rows compared with all others at a time
_ROUNDING = 1e-5  # a neighbor as similar as the last true one, up to float32, is a true one

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]  # length of each row, column numbers, values


@dataclass(frozen=True)
class Search:
    """How neighbors are searched.

    `exact`: products of two weights up to which all pairs are made. Beyond, each row asks with its `words` largest
    entries, or a fifth of them where that is more; each word answers with `postings` rows, and `candidates` rows are
    scored exactly.
    """

    exact: float = 2e10
    words: int = 50
    postings: int = 500
    candidates: int = 50

    @classmethod
    def from_json(cls, settings: Mapping[str, Any]) -> "Search":
        """Check settings; a UserError names the one that is unknown or no sensible number."""
        for name, value in settings.items():
            if name not in cls.__dataclass_fields__:
                raise unknown("search", "setting", name, cls.__dataclass_fields__)
            least = 0 if name == "exact" else 1
            if isinstance(value, bool) or not isinstance(value, int | float) or value < least:
                raise UserError(f"search: {name} is {value!r}, but must be a number of at least {least}.")
        return cls(**{name: value if name == "exact" else int(value) for name, value in settings.items()})


@dataclass(frozen=True)
class Neighbors:
    """For D rows: `indptr` int64 [D+1], `indices` int32 [E] nearest first, `cosine` float32 [E]; how exact.

    `recall`: the share of the true neighbors that was found, on a sample; 1.0 by construction where `exact`.
    """

    indptr: np.ndarray
    indices: np.ndarray
    cosine: np.ndarray
    exact: bool
    recall: float


def nearest(matrix: sparse.csr_matrix, neighbors: int, threads: int = 1, search: Search = Search()) -> Neighbors:
    """The rows of highest dot product with each row, itself excluded; ties go to the lower number, zeros nowhere.

    What is found for a row depends neither on the blocks of rows nor on the threads that search them.
    """
    matrix.sort_indices()
    index = sparse.csr_matrix(matrix.T)
    frequency = np.diff(index.indptr).astype(np.int64)
    exact = float((frequency.astype(np.float64) ** 2).sum()) <= search.exact
    if not exact:
        index = heaviest(index, search.postings)
        frequency = np.diff(index.indptr).astype(np.int64)
    cost = running_cost(matrix, frequency)

    def find(block: tuple[int, int]) -> Rows:
        rows = matrix[slice(*block)]
        if exact:
            return _top(rows @ index, block[0], neighbors)
        asked = heaviest(rows, np.maximum(search.words, np.diff(rows.indptr) // _PART))
        candidates = _top(asked @ index, block[0], max(search.candidates, neighbors))
        return _rescore(matrix, block[0], candidates, neighbors)

    progress = Progress("nearest documents", total=matrix.shape[0], unit="documents")
    parts: list[Rows] = []
    with ThreadPoolExecutor(threads) as pool:
        # The sparse products run without Python's lock. Only a few blocks wait, whatever their number.
        for part in bounded(pool, find, _blocks(cost), 2 * threads):
            parts.append(part)
            progress.update(len(part[0]))
    progress.close()
    nothing = (np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32))
    lengths, indices, cosine = (np.concatenate(column) for column in zip(nothing, *parts, strict=True))
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    recall = 1.0 if exact else _recall(matrix, indptr, cosine, neighbors)
    return Neighbors(indptr, indices, cosine, exact, recall)


def heaviest(matrix: sparse.csr_matrix, count: int | np.ndarray) -> sparse.csr_matrix:
    """The `count` largest entries of each row of a matrix with sorted indices; ties go to the lower column."""
    kept = np.ones(matrix.nnz, bool)
    indptr, values = matrix.indptr, matrix.data
    counts = np.broadcast_to(count, matrix.shape[0])
    for row in np.flatnonzero(np.diff(indptr) > counts).tolist():
        span = slice(indptr[row], indptr[row + 1])
        kept[span] = _largest(values[span], int(counts[row]))
    pointers = np.concatenate([[0], np.cumsum(np.minimum(np.diff(indptr), counts))])
    return sparse.csr_matrix((values[kept], matrix.indices[kept], pointers), shape=matrix.shape)


def running_cost(matrix: sparse.csr_matrix, frequency: np.ndarray) -> np.ndarray:
    """int64 [D+1]: the products of all rows before each one, where column c costs ``frequency[c]``."""
    cost, total = np.zeros(len(matrix.indptr), np.int64), 0
    for start in range(0, matrix.nnz, _ENTRIES):
        running = total + np.cumsum(frequency[matrix.indices[start : start + _ENTRIES]])
        rows = slice(*np.searchsorted(matrix.indptr, [start, start + len(running)], side="right"))
        cost[rows], total = running[matrix.indptr[rows] - start - 1], running[-1]
    return cost


def _blocks(cost: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ranges of rows of about `_BLOCK` products each, given the running sum of the rows' products [D+1]."""
    first = 0
    while first < len(cost) - 1:
        last = max(int(np.searchsorted(cost, cost[first] + _BLOCK, side="right")) - 1, first + 1)
        yield first, last
        first = last


def _largest(values: np.ndarray, count: int) -> np.ndarray:
    """bool [n]: which are the `count` largest of more than `count` values; of equal ones the first."""
    bar = np.partition(values, len(values) - count)[len(values) - count]
    kept = values > bar
    kept[np.flatnonzero(values == bar)[: count - np.count_nonzero(kept)]] = True
    return kept


def _top(product: sparse.csr_matrix, first: int, count: int) -> Rows:
    """The `count` highest positive entries of each row except the one of its own number (`first` + row), best first."""
    lengths = np.zeros(product.shape[0], np.int64)
    indices, scores = [], []
    for row in range(product.shape[0]):
        span = slice(product.indptr[row], product.indptr[row + 1])
        number, score = product.indices[span], product.data[span]
        score[number == first + row] = 0
        bar = np.float32(0)
        if len(score) > count:
            bar = np.partition(score, len(score) - count)[len(score) - count]
        chosen = np.flatnonzero((score >= bar) & (score > 0))  # all that equal the last one, and only then by number
        chosen = chosen[np.lexsort((number[chosen], -score[chosen]))[:count]]
        lengths[row] = len(chosen)
        indices.append(number[chosen])
        scores.append(score[chosen])
    return lengths, np.concatenate(indices).astype(np.int32), np.concatenate(scores)


def _rescore(matrix: sparse.csr_matrix, first: int, candidates: Rows, count: int) -> Rows:
    lengths, flat, _ = candidates
    own = np.repeat(np.arange(first, first + len(lengths)), lengths)
    score = np.asarray(matrix[own].multiply(matrix[flat]).sum(axis=1), np.float32).ravel()
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    return _top(sparse.csr_matrix((score, flat, indptr), shape=(len(lengths), matrix.shape[0])), first, count)


def _recall(matrix: sparse.csr_matrix, indptr: np.ndarray, cosine: np.ndarray, neighbors: int) -> float:
    """The share of the neighbors found that are as similar as the true ones, on a sample of the rows."""
    chance = rng.uniform(rng.key_of("tfidf recall"), np.arange(matrix.shape[0]))
    sample = np.sort(np.argsort(chance)[:_SAMPLE])
    most = min(neighbors, matrix.shape[0])
    hits = wanted = 0
    for start in range(0, len(sample), _TOGETHER):
        some = sample[start : start + _TOGETHER]
        similarity = matrix @ np.ascontiguousarray(matrix[some].toarray().T)
        similarity[some, np.arange(len(some))] = 0
        best = -np.sort(-np.partition(similarity, -most, axis=0)[-most:], axis=0)
        for row, true in zip(some, best.T, strict=True):
            true = true[true > 0]
            wanted += len(true)
            if len(true):
                found = cosine[indptr[row] : indptr[row + 1]]
                hits += min(np.count_nonzero(found >= true[-1] - _ROUNDING), len(true))
    return round(hits / wanted, 4) if wanted else 1.0
