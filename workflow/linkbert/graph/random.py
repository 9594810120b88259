"""The control of paper section 5.5: the same documents with as many links at the same places, to random targets."""

import numpy as np

from linkbert import rng
from linkbert.graph.csr import Graph

_ROUNDS = 64


def random_graph(like: Graph, seed: int) -> tuple[Graph, dict[str, int]]:
    """A graph with the out-degrees and link numbers of `like`; also the edges that found no target, by reason.

    Each distinct target of a document becomes another one, uniform among the documents that `like` does not link from
    there and that are not the document itself, no two alike. Only where too few such documents exist are edges lost.
    """
    documents = len(like)
    pairs = like.pairs
    source = pairs // documents if documents else pairs
    target = np.full(len(pairs), -1, np.int64)
    redraw = np.arange(len(pairs))
    for turn in range(_ROUNDS):
        draws = rng.uniform(rng.key_of(seed, "random graph", turn), redraw)
        target[redraw] = (draws * documents).astype(np.int64)
        drawn, chosen = source[redraw], target[redraw]
        target[redraw[(drawn == chosen) | like.has_edge(drawn, chosen)]] = -1
        target[_repeated(source, target, documents)] = -1
        redraw = np.flatnonzero(target < 0)
        if not len(redraw):
            break
    _fill(like, source, target, seed)
    replaced = target[np.searchsorted(pairs, like.source * documents + np.asarray(like.indices))]
    kept = replaced >= 0
    graph = Graph.from_edges(documents, like.source[kept], replaced[kept], np.asarray(like.link)[kept])
    return graph, {"no_document_left": int((~kept).sum())}


def _repeated(source: np.ndarray, target: np.ndarray, documents: int) -> np.ndarray:
    """The numbers of pairs whose target an earlier pair of the same source has."""
    drawn = np.flatnonzero(target >= 0)
    _, first = np.unique(source[drawn] * documents + target[drawn], return_index=True)
    return np.delete(drawn, first)


def _fill(like: Graph, source: np.ndarray, target: np.ndarray, seed: int) -> None:
    """Choose for documents that link to nearly all others, where drawing finds nothing, from what is left."""
    for document in np.unique(source[target < 0]):
        row = slice(*np.searchsorted(source, [document, document + 1]))
        taken = np.concatenate([[document], like.indices[like.indptr[document] : like.indptr[document + 1]]])
        left = np.setdiff1d(np.arange(len(like)), np.concatenate([taken, target[row]]))
        left = rng.generator(seed, "random graph", "fill", document).permutation(left)
        holes = row.start + np.flatnonzero(target[row] < 0)
        target[holes[: len(left)]] = left[: len(holes)]
