"""The other document of an instance: drawn along links, or from the documents that are no neighbors."""

from dataclasses import dataclass

import numpy as np

from linkbert import rng
from linkbert.graph import Graph
from linkbert.text.tokens import Tokens

_TURNS = 32


@dataclass(frozen=True)
class LinkTable:
    """The usable links of a corpus with the running sums of their weights.

    `place` int64 [n], ascending, tokens of anchored links; `placed` the targets; `placed_sum` float64 [n+1].
    `row` int64 [D+1], links of whole documents; `whole` the targets [m]; `whole_sum` float64 [m+1].
    """

    place: np.ndarray
    placed: np.ndarray
    placed_sum: np.ndarray
    row: np.ndarray
    whole: np.ndarray
    whole_sum: np.ndarray

    @classmethod
    def build(cls, tokens: Tokens, graph: Graph, usable: np.ndarray, scope: str, in_degree: str) -> "LinkTable":
        """The links between usable documents (bool [D]), weighted 1 / in-degree of the target or all alike.

        In scope "document" every link belongs to its whole document. A link whose anchor has no token does in any case.
        """
        kept = np.flatnonzero(usable[graph.source] & usable[graph.indices])
        source, target = graph.source[kept], np.asarray(graph.indices)[kept].astype(np.int64)
        weight = 1.0 / np.asarray(graph.in_degree)[target] if in_degree == "inverse" else np.ones(len(target))
        link = np.asarray(graph.link)[kept]
        place = np.full(len(kept), -1, np.int64)
        if scope == "segment":
            place[link >= 0] = tokens.link_positions[link[link >= 0]]
        anchored = np.flatnonzero(place >= 0)
        anchored = anchored[np.argsort(place[anchored], kind="stable")]
        other = np.flatnonzero(place < 0)
        row = np.concatenate([[0], np.cumsum(np.bincount(source[other], minlength=len(graph)))])
        sums = [np.concatenate([[0.0], np.cumsum(weight[some])]) for some in (anchored, other)]
        return cls(place[anchored], target[anchored], sums[0], row, target[other], sums[1])

    def spans(self, start: np.ndarray, end: np.ndarray, document: np.ndarray) -> tuple[np.ndarray, ...]:
        """First and last-plus-one of the anchored links in the tokens start … end-1, and of the document's links."""
        first, last = np.searchsorted(self.place, start), np.searchsorted(self.place, end)
        return first, last, self.row[document], self.row[document + 1]

    def any(self, start: np.ndarray, end: np.ndarray, document: np.ndarray) -> np.ndarray:
        """bool [n]: whether each segment has a usable link."""
        first, last, first_whole, last_whole = self.spans(start, end, document)
        return (last > first) | (last_whole > first_whole)

    def draw(self, start: np.ndarray, end: np.ndarray, document: np.ndarray, chance: np.ndarray) -> np.ndarray:
        """int64 [n]: a linked document for each segment, which must have one, from uniform draws [n]."""
        first, last, first_whole, last_whole = self.spans(start, end, document)
        inside = self.placed_sum[last] - self.placed_sum[first]
        height = chance * (inside + self.whole_sum[last_whole] - self.whole_sum[first_whole])
        from_inside = (last > first) & ((height < inside) | (last_whole == first_whole))
        target = np.empty(len(start), np.int64)
        for chosen, sums, targets, lower, upper, level in (
            (from_inside, self.placed_sum, self.placed, first, last, height),
            (~from_inside, self.whole_sum, self.whole, first_whole, last_whole, height - inside),
        ):
            low, high = lower[chosen], upper[chosen]
            number = np.searchsorted(sums, sums[low] + level[chosen], side="right") - 1
            target[chosen] = targets[np.clip(number, low, high - 1)]
        return target


class Strangers:
    """Draws documents that are neither the given one nor linked with it, in either direction."""

    def __init__(self, usable: np.ndarray, graph: Graph | None):
        self.usable, self.graph = usable, graph
        self.documents = np.flatnonzero(usable)
        self.exist = usable & (len(self.documents) > 1)
        if graph is not None:
            source, target = graph.pairs // len(graph), graph.pairs % len(graph)
            degree = np.bincount(source, minlength=len(graph)) + np.bincount(target, minlength=len(graph))
            # Hardly any document can be linked with all others: only these are looked at one by one.
            for document in np.flatnonzero(self.exist & (degree >= len(self.documents) - 1)):
                self.exist[document] = len(self._all(document)) > 0

    def _all(self, document: int) -> np.ndarray:
        excluded = [np.array([document])]
        if self.graph is not None:
            pairs, size = self.graph.pairs, len(self.graph)
            first, last = np.searchsorted(pairs, [document * size, (document + 1) * size])
            excluded += [pairs[first:last] % size, pairs[pairs % size == document] // size]
        return np.setdiff1d(self.documents, np.concatenate(excluded))

    def draw(self, document: np.ndarray, key: tuple[object, ...], counter: np.ndarray) -> np.ndarray:
        """int64 [n]: a stranger of each document, uniform among them; only for documents where `exist` holds."""
        found = np.empty(len(document), np.int64)
        open_ = np.arange(len(document))
        for turn in range(_TURNS):
            chance = rng.uniform(rng.key_of(*key, turn), counter[open_])
            other = self.documents[(chance * len(self.documents)).astype(np.int64)]
            own = document[open_]
            bad = other == own
            if self.graph is not None:
                bad |= self.graph.has_edge(own, other) | self.graph.has_edge(other, own)
            found[open_] = other
            open_ = open_[bad]
            if not len(open_):
                return found
        for document_left in np.unique(document[open_]):
            mine = open_[document[open_] == document_left]
            strangers = self._all(document_left)
            chance = rng.uniform(rng.key_of(*key, "rest"), counter[mine])
            found[mine] = strangers[(chance * len(strangers)).astype(np.int64)]
        return found
