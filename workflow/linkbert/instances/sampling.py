"""Sampling instances from a corpus and its graph (paper sections 4.2 and 4.3), all documents at once.

Anchors walk through every document from its start. Segment A is whole sentences up to a random part of the target
length. A contiguous B is what follows, and the walk goes on behind it; for a random or linked B the text behind A is
put back and the walk goes on behind A. Every draw is a function of (seed, purpose, epoch, first token of A).
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from linkbert import rng
from linkbert.errors import UserError
from linkbert.graph import Graph
from linkbert.instances import mixture
from linkbert.instances.format import CONTIGUOUS, INSTANCE, LINKED, RANDOM, SPECIALS, Sampling
from linkbert.instances.heldout import held_out
from linkbert.instances.partners import LinkTable, Strangers
from linkbert.text.tokens import Tokens

_PILOT_TOKENS = 50_000_000  # enough that the estimated mixture is within 0.2 % of the corpus's
_PILOT_TURNS = 4


@dataclass(frozen=True)
class Anchors:
    """n anchors in the order of the corpus: segment A is tokens start … end-1, B should have about `goal` tokens.

    `relation` -1: no relation was possible. `b_end` is set for contiguous ones. `possible` bool [n, 3].
    """

    start: np.ndarray
    end: np.ndarray
    goal: np.ndarray
    document: np.ndarray
    relation: np.ndarray
    b_end: np.ndarray
    possible: np.ndarray

    def take(self, which: np.ndarray) -> "Anchors":
        """Some of the anchors."""
        return Anchors(**{name: values[which] for name, values in vars(self).items()})


class Sampler:
    """Samples epochs of instances among some documents of a corpus.

    Args:
        documents: bool [D], the documents that instances may use; all by default.
        length: tokens of an instance at most, with [CLS] and two [SEP].
    """

    def __init__(
        self,
        tokens: Tokens,
        graph: Graph | None,
        sampling: Sampling,
        length: int,
        seed: int,
        documents: np.ndarray | None = None,
    ):
        if length < SPECIALS + 2:
            raise UserError(f"--length {length}: at least {SPECIALS + 2} is needed for [CLS] A [SEP] B [SEP].")
        if sampling.linked > 0 and graph is None:
            raise UserError(f"sampling: linked is {sampling.linked:.4g}, which needs a graph, and none is given.")
        if graph is not None and len(graph) != len(tokens):
            raise UserError(f"the graph has {len(graph)} documents and the tokens {len(tokens)}: not the same corpus.")
        self.tokens, self.graph, self.sampling, self.seed = tokens, graph, sampling, seed
        self.room = length - SPECIALS
        self.bounds, self.sentences = tokens.bounds, tokens.sentences
        self.usable = np.diff(self.bounds) > 0
        if documents is not None:
            self.usable &= documents
        self.strangers = Strangers(self.usable, graph)
        self.links = None
        if graph is not None and sampling.linked > 0:
            self.links = LinkTable.build(tokens, graph, self.usable, sampling.link_scope, sampling.in_degree)
        self.weights, self.expected = self._fit()

    def sample(self, epoch: int | str) -> tuple[np.ndarray, dict[str, int]]:
        """The instances of an epoch, `INSTANCE` [n] in corpus order, and counts of anchors."""
        anchors = self._walk(np.flatnonzero(self.usable), epoch, self.weights)
        tally = {
            "anchors": len(anchors.start),
            "linkable_anchors": int(anchors.possible[:, LINKED].sum()),
            "continuable_anchors": int(anchors.possible[:, CONTIGUOUS].sum()),
            "anchors_without_relation": int((anchors.relation < 0).sum()),
        }
        anchors = anchors.take(anchors.relation >= 0)
        instances = np.zeros(len(anchors.start), INSTANCE)
        instances["a_start"], instances["a_length"] = anchors.start, anchors.end - anchors.start
        instances["relation"] = anchors.relation
        instances["b_start"], instances["b_length"] = self._partners(anchors, epoch)
        return instances, tally

    def redraw(self, instances: np.ndarray, epoch: int | str, in_degree: str) -> np.ndarray:
        """The documents that the linked instances would be linked to under another in-degree correction."""
        linked = instances[instances["relation"] == LINKED]
        table = LinkTable.build(self.tokens, self.graph, self.usable, self.sampling.link_scope, in_degree)
        start = linked["a_start"]
        chance = self._uniform("target", epoch, start)
        return table.draw(start, start + linked["a_length"], self.tokens.document_of(start), chance)

    def _uniform(self, purpose: str, epoch: int | str, counter: np.ndarray) -> np.ndarray:
        return rng.uniform(rng.key_of(self.seed, "instances", purpose, epoch), counter)

    def _fit(self) -> tuple[np.ndarray, np.ndarray]:
        """Weights of the relations, and the mixture they are expected to give, from a walk through a part.

        What kinds of anchors there are depends on the relations drawn, so walking and fitting take turns.
        """
        documents = np.flatnonzero(self.usable)
        size = np.cumsum(np.diff(self.bounds)[documents])
        if len(size) and size[-1] > _PILOT_TOKENS:
            part = documents[self._uniform("pilot", "", documents) < _PILOT_TOKENS / size[-1]]
            documents = part if len(part) else documents
        weights = np.where(self.sampling.mixture > 0, self.sampling.mixture, 0.0)
        kinds = np.zeros(8)
        for _ in range(_PILOT_TURNS):
            possible = self._walk(documents, "pilot", weights).possible
            kinds = np.bincount(possible @ np.array([1, 2, 4]), minlength=8)
            weights = mixture.fit(kinds, self.sampling.mixture)
        return weights, mixture.realised(kinds, weights)

    def _boundary(self, token: np.ndarray, side: str) -> np.ndarray:
        """The first sentence start (or end of all) at or after each token ("left"), or the last at or before it."""
        number = np.searchsorted(self.sentences, token, side=side)
        return self.sentences[np.minimum(number, len(self.sentences) - 1) if side == "left" else number - 1]

    def _walk(self, documents: np.ndarray, epoch: int | str, weights: np.ndarray) -> Anchors:
        """All anchors of the documents, one of each document at a time."""
        parts = []
        at, document = self.bounds[documents], documents
        while len(at):
            anchors = self._anchors(at, document, epoch, weights)
            parts.append(anchors)
            follow = anchors.b_end
            # A sentence that the end of B cuts is met again, as the beginning of the next A.
            before = self._boundary(follow, "right")
            follow = np.where(before >= anchors.end, before, follow)
            at = np.where(anchors.relation == CONTIGUOUS, follow, anchors.end)
            more = at < self.bounds[document + 1]
            at, document = at[more], document[more]
        if not parts:
            raise UserError("no document to sample instances from: all are empty or excluded. Check --heldout.")
        whole = Anchors(*(np.concatenate(column) for column in zip(*(vars(p).values() for p in parts), strict=True)))
        return whole.take(np.argsort(whole.start, kind="stable"))

    def _anchors(self, at: np.ndarray, document: np.ndarray, epoch: int | str, weights: np.ndarray) -> Anchors:
        room, limit = self.room, self.bounds[document + 1]
        short = self._uniform("short", epoch, at) < self.sampling.short
        target = np.where(short, 2 + (self._uniform("target length", epoch, at) * (room - 1)).astype(np.int64), room)
        # Like BERT, split what is left of the document where it is shorter than the target.
        part = np.maximum(np.minimum(target, limit - at) - 1, 1)
        goal = at + 1 + (self._uniform("split", epoch, at) * part).astype(np.int64)
        end, before = self._boundary(goal, "left"), self._boundary(goal, "right")
        too_long = end - at > room - 1
        # The sentence before is taken where this one leaves no room for B, or nothing of the document.
        end = np.where((too_long | (end == limit)) & (before > at), before, np.where(too_long, goal, end))
        rest = np.maximum(target - (end - at), 1)
        possible = np.stack(
            [
                end < limit,
                self.strangers.exist[document],
                self.links.any(at, end, document) if self.links else np.zeros(len(at), bool),
            ],
            axis=1,
        )
        relation = mixture.draw(possible, weights, self._uniform("relation", epoch, at))
        b_end = self._end(end, rest, room - (end - at), limit)
        return Anchors(at, end, rest, document, relation, b_end, possible)

    def _end(self, start: np.ndarray, goal: np.ndarray, room: np.ndarray, limit: np.ndarray) -> np.ndarray:
        """Where a segment B ends: whole sentences until `goal` tokens, cut at `room` tokens and at its document."""
        return np.minimum(np.minimum(self._boundary(start + goal, "left"), start + room), limit)

    def _partners(self, anchors: Anchors, epoch: int | str) -> tuple[np.ndarray, np.ndarray]:
        """Start and length of every segment B."""
        start, end = anchors.end.copy(), anchors.b_end.copy()
        other = anchors.document.copy()
        which = np.flatnonzero(anchors.relation == RANDOM)
        key = (self.seed, "instances", "stranger", epoch)
        other[which] = self.strangers.draw(anchors.document[which], key, anchors.start[which])
        which = np.flatnonzero(anchors.relation == LINKED)
        if self.links is not None:
            chance = self._uniform("target", epoch, anchors.start[which])
            other[which] = self.links.draw(anchors.start[which], anchors.end[which], anchors.document[which], chance)
        which = np.flatnonzero(anchors.relation != CONTIGUOUS)
        chosen = other[which]
        sentence = np.asarray(self.tokens.documents[chosen])
        if self.sampling.b_start == "random":
            count = self.tokens.documents[chosen + 1] - sentence
            sentence = sentence + (self._uniform("sentence", epoch, anchors.start[which]) * count).astype(np.int64)
        start[which] = self.sentences[sentence]
        room = self.room - (anchors.end - anchors.start)[which]
        end[which] = self._end(start[which], anchors.goal[which], room, self.bounds[chosen + 1])
        return start, end - start


def sample(
    tokens: Tokens,
    graph: Graph | None,
    sampling: Sampling,
    length: int,
    seed: int,
    epoch: int | str,
    heldout: float = 0.0,
) -> np.ndarray:
    """The instances of one training epoch, with the fraction `heldout` of the documents left out."""
    documents = ~held_out(len(tokens), seed, heldout)
    return Sampler(tokens, graph, sampling, length, seed, documents).sample(epoch)[0]


def summarize(instances: np.ndarray, length: int) -> dict[str, float]:
    """What the instances look like: shares of the relations, lengths in tokens, fill."""
    count = max(len(instances), 1)
    relations = Counter(instances["relation"].tolist())
    total = instances["a_length"] + instances["b_length"] + SPECIALS
    return {
        "instances": len(instances),
        "realised": [round(relations[k] / count, 6) for k in (CONTIGUOUS, RANDOM, LINKED)],
        "mean_tokens": round(float(total.mean()), 3),
        "mean_a": round(float(instances["a_length"].mean()), 3),
        "mean_b": round(float(instances["b_length"].mean()), 3),
        "mean_b_by_relation": [
            round(float(instances["b_length"][instances["relation"] == k].mean()), 3) if relations[k] else 0.0
            for k in (CONTIGUOUS, RANDOM, LINKED)
        ],
        "fill": round(float(total.mean() / length), 6),
        "full": round(float((total == length).mean()), 6),
    }
