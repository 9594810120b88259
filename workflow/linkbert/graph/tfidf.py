"""The graph of lexical similarity: the k nearest documents by TF-IDF cosine (paper section 4.1, k = 5)."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

from linkbert import rng
from linkbert.graph.csr import Graph
from linkbert.progress import Progress
from linkbert.text.corpus import batches

# As many hash buckets as Chen et al. (2017); with a million words six in a hundred share a bucket.
_BUCKETS = 2**24
# Products of weights worth making. Beyond, queries keep only their heaviest words, and the recall is measured.
WORK = 5e11
_BLOCK = 3e7  # products in one block of rows, which bounds its memory to some 400 MB a thread
_CANDIDATES = 10  # per neighbor wanted, scored exactly when queries are pruned
_SAMPLE = 200  # documents that the recall is measured on


@dataclass(frozen=True)
class Neighbors:
    """For D documents: `indptr` int64 [D+1], `indices` int64 [E] nearest first, `cosine` float32 [E]; how exact."""

    indptr: np.ndarray
    indices: np.ndarray
    cosine: np.ndarray
    query_words: int  # words of a query that were used; 0 = all
    recall: float  # share of the true neighbors found, measured on a sample; 1.0 when all words were used


def tfidf_graph(folders: Sequence[str | Path], neighbors: int, threads: int = 1) -> tuple[Graph, dict[str, float]]:
    """Each document linked to its `neighbors` most similar ones, itself excluded, and how exact that is."""
    texts = ((text or "" for text in batch["text"].to_pylist()) for batch in batches(folders, ["text"], 1024))
    found = nearest(weights(texts, threads), neighbors, threads)
    source = np.repeat(np.arange(len(found.indptr) - 1), np.diff(found.indptr))
    graph = Graph.from_edges(len(found.indptr) - 1, source, found.indices, np.full(len(source), -1))
    mean = float(found.cosine.mean()) if len(found.cosine) else 0.0
    return graph, {"query_words": found.query_words, "recall": found.recall, "mean_cosine": round(mean, 6)}


def weights(texts: Iterable[Iterable[str]], threads: int = 1) -> sparse.csr_matrix:
    """TF-IDF weights float32 [D, words], rows of length 1: sklearn's definition, with 1 + log of the term frequency.

    Words are lower-case runs of two or more word characters. Without the logarithm a page is mostly "the".
    """
    progress = Progress("TF-IDF: count words", unit="documents")
    counts = []
    for part in _parallel(map(list, texts), threads):
        counts.append(part)
        progress.update(part.shape[0])
    progress.close()
    if not counts:
        return sparse.csr_matrix((0, 1), dtype=np.float32)
    matrix = sparse.vstack(counts, format="csr")
    used, matrix.indices = np.unique(matrix.indices, return_inverse=True)
    matrix = sparse.csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], max(len(used), 1)))
    return TfidfTransformer(sublinear_tf=True).fit_transform(matrix)


def nearest(matrix: sparse.csr_matrix, neighbors: int, threads: int = 1, work: float = WORK) -> Neighbors:
    """The rows of highest dot product with each row, itself excluded; ties go to the lower number, zeros nowhere.

    Exact while that takes at most `work` products. Otherwise each query keeps as many of its heaviest words as that
    allows, the best ten times `neighbors` candidates are scored exactly, and the recall is measured on a sample.
    """
    columns = sparse.csr_matrix(matrix.T)
    frequency = np.diff(columns.indptr).astype(np.int64)
    cost = frequency[matrix.indices]
    query, words = matrix, 0
    if cost.sum() > work:
        query, words = _prune(matrix, cost, work)
    blocks = list(_blocks(query, frequency))
    progress = Progress("TF-IDF: nearest", total=matrix.shape[0], unit="documents")

    def search(block: tuple[int, int]) -> tuple[list[np.ndarray], list[np.ndarray]]:
        rows = np.arange(*block)
        if query is matrix:
            return _top(query[rows] @ columns, rows, neighbors)
        candidates, _ = _top(query[rows] @ columns, rows, neighbors * _CANDIDATES)
        return _rescore(matrix, rows, candidates, neighbors)

    indices, cosine = [], []
    with ThreadPoolExecutor(threads) as pool:
        # The sparse products run without Python's lock. Only a few blocks wait, whatever their number.
        for (first, last), (found, score) in zip(blocks, _bounded(pool, search, blocks, 2 * threads), strict=True):
            indices += found
            cosine += score
            progress.update(last - first)
    progress.close()
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in indices], dtype=np.int64)])
    flat = np.concatenate([np.zeros(0, np.int64), *indices])
    recall = 1.0 if query is matrix else _recall(matrix, columns, indices, neighbors)
    return Neighbors(indptr, flat, np.concatenate([np.zeros(0, np.float32), *cosine]), words, recall)


def _count_words(texts: list[str]) -> sparse.csr_matrix:
    vectorizer = HashingVectorizer(n_features=_BUCKETS, alternate_sign=False, norm=None, dtype=np.float32)
    return vectorizer.transform(texts)


def _parallel(parts: Iterator[list[str]], threads: int) -> Iterator[sparse.csr_matrix]:
    if threads == 1:
        yield from map(_count_words, parts)
        return
    with ProcessPoolExecutor(threads, mp_context=get_context("spawn")) as pool:
        yield from _bounded(pool, _count_words, parts, 2 * threads)


def _bounded(pool, function, items: Iterable, ahead: int) -> Iterator:
    """Like pool.map, in order, but with at most `ahead` items under way."""
    waiting: deque = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _blocks(query: sparse.csr_matrix, frequency: np.ndarray) -> Iterator[tuple[int, int]]:
    cost = np.concatenate([[0], np.cumsum(frequency[query.indices])])[query.indptr]
    first = 0
    while first < query.shape[0]:
        last = max(int(np.searchsorted(cost, cost[first] + _BLOCK, side="right")) - 1, first + 1)
        yield first, last
        first = last


def _top(product: sparse.csr_matrix, rows: np.ndarray, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The `count` highest positive entries of each row except the row's own number, highest first."""
    indices, scores = [], []
    for i, own in enumerate(rows):
        span = slice(product.indptr[i], product.indptr[i + 1])
        number, score = product.indices[span], product.data[span]
        candidates = np.flatnonzero((number != own) & (score > 0))
        if len(candidates) > count:
            bar = np.partition(score[candidates], len(candidates) - count)[len(candidates) - count]
            candidates = candidates[score[candidates] >= bar]
        best = candidates[np.lexsort((number[candidates], -score[candidates]))[:count]]
        indices.append(number[best].astype(np.int64))
        scores.append(score[best])
    return indices, scores


def _prune(matrix: sparse.csr_matrix, cost: np.ndarray, work: float) -> tuple[sparse.csr_matrix, int]:
    row = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    order = np.lexsort((matrix.indices, -matrix.data, row))
    rank = np.empty(len(row), np.int64)
    rank[order] = np.arange(len(row)) - matrix.indptr[row]  # `order` keeps rows together and in place
    total = np.cumsum(np.bincount(rank, weights=cost))
    words = max(int(np.searchsorted(total, work, side="right")), 1)
    keep = rank < words
    indptr = np.concatenate([[0], np.cumsum(keep)])[matrix.indptr]
    return sparse.csr_matrix((matrix.data[keep], matrix.indices[keep], indptr), shape=matrix.shape), words


def _rescore(
    matrix: sparse.csr_matrix, rows: np.ndarray, candidates: list[np.ndarray], count: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    sizes = [len(found) for found in candidates]
    flat = np.concatenate([np.zeros(0, np.int64), *candidates])
    score = np.asarray(matrix[np.repeat(rows, sizes)].multiply(matrix[flat]).sum(axis=1), np.float32).ravel()
    indptr = np.concatenate([[0], np.cumsum(sizes)])
    return _top(sparse.csr_matrix((score, flat, indptr), shape=(len(rows), matrix.shape[0])), rows, count)


def _recall(matrix: sparse.csr_matrix, columns: sparse.csr_matrix, found: list[np.ndarray], neighbors: int) -> float:
    chance = rng.uniform(rng.key_of("tfidf recall"), np.arange(matrix.shape[0]))
    hits = wanted = 0
    for row in np.sort(np.argsort(chance)[:_SAMPLE]):
        (true,), _ = _top(matrix[[row]] @ columns, np.array([row]), neighbors)
        wanted += len(true)
        hits += len(np.intersect1d(true, found[row]))
    return round(hits / wanted, 4) if wanted else 1.0
