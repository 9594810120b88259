"""Proof that instances are what they claim, recomputed from the corpus and the graph without the sampler's code."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from linkbert.errors import UserError
from linkbert.files import meta_fingerprint, read_meta
from linkbert.graph import Graph
from linkbert.instances.format import CONTIGUOUS, LINKED, RANDOM, RELATIONS, SPECIALS, load_instances
from linkbert.instances.heldout import held_out
from linkbert.text.tokens import Tokens, load_tokens

_SIGMAS = 5  # a check of a share fails beyond so many standard errors: one true file in two million


@dataclass(frozen=True)
class Check:
    """One property of one file: whether it holds, and the counts that say so."""

    file: str
    name: str
    passed: bool
    detail: str

    def __str__(self) -> str:
        return f"{'PASS' if self.passed else 'FAIL'}  {self.file}  {self.name}: {self.detail}"


def audit(
    tokens: str | Path, instances: str | Path, graph: str | Path | None = None, tokenizer: str | Path | None = None
) -> list[Check]:
    """Check every instance file of a folder; `tokenizer` adds the check of masking.

    Raises:
        UserError: where a folder is not what it should be, or the graph that the instances were drawn from is missing.
    """
    corpus, meta = load_tokens(tokens), read_meta(instances, "instances")
    if graph is None and "graph" in meta["inputs"]:
        raise UserError(f"{instances}: was sampled with a graph. Name its folder with --graph.")
    if "graph" not in meta["inputs"]:
        graph = None  # without one, random pairs may happen to be linked
    links = Graph.load(graph) if graph else None
    files = sorted(Path(instances).glob("*.npy"))
    if not files:
        raise UserError(f"{instances}: holds no instance files.")
    inputs = {"tokens": meta_fingerprint(tokens)} | ({"graph": meta_fingerprint(graph)} if graph else {})
    foreign = [name for name, found in inputs.items() if meta["inputs"].get(name, found) != found]
    checks = [
        Check(
            "meta.json",
            "inputs",
            not foreign,
            f"not the ones sampled from: {foreign}" if foreign else ", ".join(inputs),
        )
    ]
    written = set(meta["files"])
    same = written == {file.name for file in files}
    checks.append(Check("meta.json", "files", same, f"{len(files)} present, {len(written)} written"))
    for file in files:
        rows, parameters = load_instances(file), meta["parameters"]
        shape = list(_shape(corpus, rows, file.name, parameters["length"]))
        checks += shape
        if not all(check.passed for check in shape):
            continue  # the rest would look outside the corpus
        checks += _content(corpus, links, rows, file.name, meta)
        if tokenizer is not None:
            checks += _masking(corpus, rows, file.name, tokenizer, parameters["seed"])
    return checks


def _content(corpus: Tokens, graph: Graph | None, rows: np.ndarray, file: str, meta: dict[str, Any]) -> Iterator[Check]:
    parameters = meta["parameters"]
    a, b = (corpus.document_of(rows[f"{segment}_start"]) for segment in "ab")
    anchors, count = np.unique(rows["a_start"], return_counts=True)
    yield Check(file, "anchors distinct", len(anchors) == len(rows), f"{int((count - 1).sum()):,} repeated")
    yield from _relations(corpus, graph, rows, a, b, file, parameters["link_scope"])
    yield from _mixture(rows, file, meta)
    excluded = held_out(len(corpus), parameters["seed"], parameters["heldout"])
    wanted = bool(parameters.get("heldout_only", False))
    leaks = int(((excluded[a] != wanted) | (excluded[b] != wanted)).sum())
    side = "only held-out documents" if wanted else "no held-out document"
    yield Check(file, side, not leaks, f"{leaks:,} leaks, {int(excluded.sum()):,} documents held out")


def _shape(corpus: Tokens, rows: np.ndarray, file: str, length: int) -> Iterator[Check]:
    def check(name: str, bad: np.ndarray) -> Check:
        return Check(file, name, not bad.any(), f"{int(bad.sum()):,} of {len(rows):,} wrong")

    yield Check(file, "not empty", len(rows) > 0, f"{len(rows):,} instances")
    yield check("relation known", (rows["relation"] < 0) | (rows["relation"] >= len(RELATIONS)))
    yield check("segments not empty", (rows["a_length"] < 1) | (rows["b_length"] < 1))
    total = rows["a_length"].astype(np.int64) + rows["b_length"] + SPECIALS
    yield check(f"at most {length} tokens", total > length)
    for segment in "ab":
        start = rows[f"{segment}_start"]
        end = start + rows[f"{segment}_length"]
        outside = (start < 0) | (end > len(corpus.tokens)) | (end <= start)
        yield check(f"segment {segment.upper()} inside the corpus", outside)
        first, last = (corpus.document_of(np.where(outside, 0, token)) for token in (start, end - 1))
        yield check(f"segment {segment.upper()} inside one document", outside | (first != last))


def _relations(
    corpus: Tokens, graph: Graph | None, rows: np.ndarray, a: np.ndarray, b: np.ndarray, file: str, scope: str
) -> Iterator[Check]:
    def check(name: str, bad: np.ndarray) -> Check:
        return Check(file, name, not bad.any(), f"{int(bad.sum()):,} of {len(bad):,} wrong")

    follows = (rows["a_start"] + rows["a_length"] == rows["b_start"]) & (a == b)
    yield check("contiguous pairs follow", ~follows[rows["relation"] == CONTIGUOUS])
    is_random, is_linked = rows["relation"] == RANDOM, rows["relation"] == LINKED
    yield check("random pairs are two documents", (a == b)[is_random])
    if graph is None:
        yield check("no linked pairs without a graph", np.ones(int(is_linked.sum()), bool))
        return
    edges = _Edges(corpus, graph)
    joined = edges.among(a[is_random], b[is_random]) | edges.among(b[is_random], a[is_random])
    yield check("random pairs are not edges", joined)
    yield check("linked pairs are edges", ~edges.among(a[is_linked], b[is_linked]))
    if scope == "segment":
        linked = rows[is_linked]
        start = linked["a_start"]
        inside = edges.between(a[is_linked], b[is_linked], start, start + linked["a_length"])
        yield check("links lie in segment A", ~inside)


class _Edges:
    """All edges of a graph as (pair of documents, token of the anchor + 1), sorted; 0 for links without a token."""

    def __init__(self, corpus: Tokens, graph: Graph):
        self.documents, self.tokens = len(graph), len(corpus.tokens)
        source = np.repeat(np.arange(len(graph)), np.diff(graph.indptr))
        link = np.asarray(graph.link)
        place = np.zeros(len(link), np.int64)
        place[link >= 0] = corpus.link_positions[link[link >= 0]] + 1
        self.pair, which = np.unique(source * self.documents + graph.indices, return_inverse=True)
        self.order = np.sort(which * (self.tokens + 1) + place)

    def _number(self, source: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        wanted = source * self.documents + target
        number = np.searchsorted(self.pair, wanted)
        return number, np.append(self.pair, -1)[number] == wanted

    def among(self, source: np.ndarray, target: np.ndarray) -> np.ndarray:
        return self._number(source, target)[1]

    def between(self, source: np.ndarray, target: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Whether an edge has its anchor in the tokens start … end-1, or none at all."""
        number, known = self._number(source, target)
        base = number * (self.tokens + 1)
        count = np.searchsorted(self.order, base + end + 1) - np.searchsorted(self.order, base + start + 1)
        whole = np.searchsorted(self.order, base + 1) - np.searchsorted(self.order, base)
        return known & (count + whole > 0)


def _mixture(rows: np.ndarray, file: str, meta: dict[str, Any]) -> Iterator[Check]:
    share = np.bincount(rows["relation"], minlength=3)[:3] / len(rows)
    recorded = np.array(meta["files"].get(file, {}).get("realised", [np.nan] * 3))
    shown = " ".join(f"{name} {value:.4f}" for name, value in zip(RELATIONS, share, strict=True))
    yield Check(file, "mixture as recorded", bool(np.abs(share - recorded).max() < 1e-5), shown)
    expected = np.array(meta["expected"])
    error = _SIGMAS * np.sqrt(expected * (1 - expected) / len(rows)) + 0.005
    near = bool((np.abs(share - expected) <= error).all())
    words = [" ".join(f"{value:.4f}" for value in meta[name]) for name in ("expected", "declared")]
    yield Check(file, "mixture as expected", near, f"expected {words[0]}, declared {words[1]}")


def _masking(
    corpus: Tokens, rows: np.ndarray, file: str, tokenizer: str | Path, seed: int, sample: int = 4096
) -> Iterator[Check]:
    """Mask a sample of the instances as pretraining does, and look at what became of their tokens."""
    from linkbert.pretraining.masking import Masking, choose, replace
    from linkbert.rng import key_of, mix
    from linkbert.text.vocabulary import read_vocabulary

    vocabulary, masking = read_vocabulary(tokenizer), Masking()
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(sample, len(rows))).astype(np.int64))]
    cls, sep = [vocabulary.cls], [vocabulary.sep]
    pieces = []
    for row in rows:
        a, b = (corpus.tokens[row[f"{s}_start"] : row[f"{s}_start"] + row[f"{s}_length"]] for s in "ab")
        pieces.append(np.concatenate([cls, a, sep, b, sep]).astype(np.int64))
    lengths = np.array([len(piece) for piece in pieces])
    tokens, sequence = np.concatenate(pieces), np.repeat(np.arange(len(pieces)), lengths)
    position = np.arange(len(tokens)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    counters = mix(key_of(seed, "audit"), sequence) + position.astype(np.uint64)
    hidden = choose(tokens, sequence, counters, vocabulary, masking)
    seen = replace(tokens, hidden, counters, vocabulary, masking)
    special = int(vocabulary.special[tokens[hidden]].sum())
    yield Check(file, "no special token masked", not special, f"{special:,} of {len(hidden):,} hidden tokens")
    changed = np.flatnonzero(seen != tokens)
    stray = len(np.setdiff1d(changed, hidden))
    yield Check(file, "only hidden tokens change", not stray, f"{stray:,} others changed")
    candidates = np.bincount(sequence, weights=~vocabulary.special[tokens])
    chosen = np.bincount(sequence[hidden], minlength=len(rows))
    # Rounding moves a sequence by half a token, and one token is hidden however short it is.
    off = int((np.abs(chosen - np.maximum(masking.probability * candidates, 1)) > 0.5 + 1e-9).sum())
    detail = f"{chosen.sum() / max(candidates.sum(), 1):.4f} of the tokens, {off:,} sequences off"
    yield Check(file, f"{masking.probability:.0%} hidden", not off, detail)
    became = seen[hidden]
    kept = became == tokens[hidden]
    masked = became == vocabulary.mask
    shares = np.array([masked.mean(), (~masked & ~kept).mean(), kept.mean()])
    # A random word is the true one now and then, which counts as kept.
    wanted = np.array([masking.masked, masking.random, 1 - masking.masked - masking.random])
    error = _SIGMAS * np.sqrt(wanted * (1 - wanted) / len(hidden)) + masking.random / max(len(vocabulary.words), 1)
    shown = " / ".join(f"{share:.4f}" for share in shares)
    yield Check(file, "80/10/10", bool((np.abs(shares - wanted) <= error).all()), f"{shown} of {len(hidden):,}")


def audit_report(checks: list[Check]) -> str:
    """The checks, one a line, and a last line that counts them."""
    failed = sum(not check.passed for check in checks)
    verdict = f"{failed} of {len(checks)} properties FAILED" if failed else f"all {len(checks)} properties hold"
    return "\n".join([*map(str, checks), verdict]) + "\n"
