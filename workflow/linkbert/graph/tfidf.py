"""The graph of lexical similarity: the k nearest documents by TF-IDF cosine (paper section 4.1, k = 5)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

from linkbert.graph.csr import Graph
from linkbert.graph.nearest import Search, nearest
from linkbert.pools import bounded, processes
from linkbert.progress import Progress
from linkbert.text.corpus import batches

# As many hash buckets as Chen et al. (2017); with a million words six in a hundred share a bucket.
_BUCKETS = 2**24


def tfidf_graph(
    folders: Sequence[str | Path], neighbors: int, threads: int = 1, search: Search | None = None
) -> tuple[Graph, dict[str, Any]]:
    """Each document linked to its `neighbors` most similar ones, itself excluded, and how exact that is."""
    search = search or Search()
    texts = ((text or "" for text in batch["text"].to_pylist()) for batch in batches(folders, ["text"], 1024))
    found = nearest(weights(texts, threads), neighbors, threads, search)
    source = np.repeat(np.arange(len(found.indptr) - 1), np.diff(found.indptr))
    graph = Graph.from_edges(len(found.indptr) - 1, source, found.indices, np.full(len(source), -1))
    mean = float(found.cosine.mean()) if len(found.cosine) else 0.0
    how = "all pairs" if found.exact else asdict(search)
    return graph, {"search": how, "recall": found.recall, "mean_cosine": round(mean, 6)}


def weights(texts: Iterable[Iterable[str]], threads: int = 1) -> sparse.csr_matrix:
    """TF-IDF weights float32 [D, words], rows of length 1: sklearn's definition, with 1 + log of the term frequency.

    Words are lower-case runs of two or more word characters. Without the logarithm a page is mostly "the".
    """
    progress = Progress("TF-IDF: count words", unit="documents")
    lengths, columns, counts = [np.zeros(1, np.int64)], [np.zeros(0, np.int32)], [np.zeros(0, np.float32)]
    used = np.zeros(_BUCKETS, bool)
    for part in _parallel(map(list, texts), threads):
        lengths.append(np.diff(part.indptr).astype(np.int64))
        columns.append(part.indices.astype(np.int32, copy=False))
        counts.append(part.data)
        used[part.indices] = True
        progress.update(part.shape[0])
    progress.close()
    number = np.cumsum(used, dtype=np.int32) - 1  # of each bucket that holds a word, in order
    indptr = np.cumsum(np.concatenate(lengths))
    indices = _joined(columns)
    for start in range(0, len(indices), _BUCKETS):
        part = slice(start, start + _BUCKETS)
        indices[part] = number[indices[part]]
    matrix = sparse.csr_matrix((_joined(counts), indices, indptr), shape=(len(indptr) - 1, max(int(used.sum()), 1)))
    if not matrix.nnz:
        return matrix
    return TfidfTransformer(sublinear_tf=True).fit(matrix).transform(matrix, copy=False)


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    """One array of all parts, which are let go one by one: twice the memory is never needed."""
    whole = np.empty(sum(map(len, parts)), parts[0].dtype)
    end = len(whole)
    while parts:
        part = parts.pop()
        whole[end - len(part) : end] = part
        end -= len(part)
    return whole


def _count_words(texts: list[str]) -> sparse.csr_matrix:
    vectorizer = HashingVectorizer(n_features=_BUCKETS, alternate_sign=False, norm=None, dtype=np.float32)
    return vectorizer.transform(texts)


def _parallel(parts: Iterator[list[str]], threads: int) -> Iterator[sparse.csr_matrix]:
    if threads == 1:
        yield from map(_count_words, parts)
        return
    with processes(threads) as pool:
        yield from bounded(pool, _count_words, parts, 2 * threads)
