"""The graph of the links that documents hold themselves: hyperlinks and citations (paper section 4.1)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from linkbert.graph.csr import Graph
from linkbert.graph.names import DIGEST, Names, capital, digest, digests
from linkbert.progress import Progress
from linkbert.text.corpus import batches, count_documents, links_of, redirects

UNRESOLVED, LOOP = -1, -2
_NOTHING = digests([""])[0]
_AT_A_TIME = 100_000  # redirects followed by a step at a time


class Resolver:
    """From the targets of links to document numbers.

    A document of exactly that id is taken first, then a redirect of that name, then both with a capital first letter,
    as MediaWiki does. Redirects are followed to their end. The first of several documents with the same id counts, and
    the first of several redirects of the same name. Memory: some 60 bytes a document, 100 a redirect.
    """

    def __init__(self, doc_ids: Iterable[str], redirect_pairs: Iterable[tuple[str, str]] = ()):
        found = digests(doc_ids)
        self.documents = Names(found)
        self.counts: Counter[str] = Counter(repeated_doc_ids=len(found) - len(self.documents))
        sources, targets, capitals = _redirect_digests(redirect_pairs)
        self.redirects = Names(sources)
        self.counts["redirects"] = len(self.redirects)
        # Where each redirect leads: a document, or D + another redirect, followed until nothing changes.
        self.base = len(found)
        parts = (slice(i, i + _AT_A_TIME) for i in range(0, len(targets), _AT_A_TIME))
        steps = [self._step(targets[part], capitals[part]) for part in parts]
        self.end = _follow(np.concatenate([np.zeros(0, np.int64), *steps]), self.base)
        used = self.redirects.number
        others = used[self.documents.find(sources[used]) < 0]
        self.counts["unresolved_redirects"] = int((self.end[others] == UNRESOLVED).sum())
        self.counts["redirects_in_loops"] = int((self.end[others] == LOOP).sum())

    def __call__(self, targets: Sequence[str | None]) -> np.ndarray:
        """int64 [n]: the document number of each target, `UNRESOLVED` or `LOOP`."""
        names = [target or "" for target in targets]
        step = self._step(digests(names), digests(map(capital, names)))
        redirected = step >= self.base
        step[redirected] = self.end[step[redirected] - self.base]
        return step

    def _step(self, exact: np.ndarray, capitals: np.ndarray) -> np.ndarray:
        """int64 [n]: the document that each name is, D + the number of its redirect, or `UNRESOLVED`."""
        result = np.full(len(exact), UNRESOLVED, np.int64)
        for names, base, wanted in (
            (self.documents, 0, exact),
            (self.redirects, self.base, exact),
            (self.documents, 0, capitals),
            (self.redirects, self.base, capitals),
        ):
            open_ = np.flatnonzero(result == UNRESOLVED)
            found = names.find(wanted[open_])
            result[open_] = np.where(found >= 0, found + base, UNRESOLVED)
        result[exact == _NOTHING] = UNRESOLVED
        return result


def _redirect_digests(pairs: Iterable[tuple[str, str]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Digests of the redirects' names, of their targets, and of these with a capital first letter."""
    sources, targets, capitals = bytearray(), bytearray(), bytearray()
    for source, target in pairs:
        sources += digest(source)
        targets += digest(target or "")
        capitals += digest(capital(target or ""))
    return tuple(np.frombuffer(found, DIGEST) for found in (sources, targets, capitals))


def _follow(step: np.ndarray, base: int) -> np.ndarray:
    """Where chains end: a document, `UNRESOLVED`, or `LOOP`. Each round doubles the part of a chain that is behind."""
    end = step.copy()
    for _ in range(len(end).bit_length() + 1):
        going = np.flatnonzero(end >= base)
        if not len(going):
            break
        end[going] = end[end[going] - base]
    end[end >= base] = LOOP
    return end


def link_graph(folders: Sequence[str | Path]) -> tuple[Graph, dict[str, int], dict[str, int]]:
    """The graph of all links in document folders, with its counts and the dropped links by reason.

    Reasons, the first that applies: `unresolved` (no such document), `redirect_loop`, `self_link`, `duplicate` (same
    source, target and place; document-level links of a document share one place).
    """
    ids = (doc_id for batch in batches(folders, ["doc_id"], 8192) for doc_id in batch["doc_id"].to_pylist())
    resolve = Resolver(ids, redirects(folders))
    progress = Progress("links", total=count_documents(folders), unit="documents")
    dropped = Counter(dict.fromkeys(("unresolved", "redirect_loop", "self_link", "duplicate"), 0))
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    documents = total = 0
    for batch in batches(folders, ["links"], 8192):
        links = links_of(batch)
        encoded = pc.dictionary_encode(links.target)
        numbers = np.append(resolve(encoded.dictionary.to_pylist()), UNRESOLVED)
        target = numbers[pc.fill_null(encoded.indices, len(numbers) - 1).to_numpy(zero_copy_only=False)]
        source = documents + np.repeat(np.arange(len(batch)), links.count)
        link = total + np.arange(len(target))
        reasons = {"unresolved": target == UNRESOLVED, "redirect_loop": target == LOOP, "self_link": target == source}
        for reason, bad in reasons.items():
            dropped[reason] += int(bad.sum())
        kept = np.flatnonzero((target >= 0) & (target != source))
        order = kept[np.lexsort((link[kept], target[kept], links.start[kept], source[kept]))]
        place = np.stack([source[order], links.start[order], target[order]])
        repeated = np.zeros(len(order), bool)
        repeated[1:] = (place[:, 1:] == place[:, :-1]).all(axis=0)
        dropped["duplicate"] += int(repeated.sum())
        kept = order[~repeated]
        kept = kept[np.lexsort((link[kept], links.start[kept], source[kept]))]
        number = np.where(links.start[kept] >= 0, link[kept], -1)
        parts.append((source[kept].astype(np.int32), target[kept].astype(np.int32), number))
        documents, total = documents + len(batch), total + len(target)
        progress.update(len(batch))
    progress.close()
    source, target, link = (
        np.concatenate(column) if parts else np.zeros(0, np.int64) for column in (zip(*parts, strict=True) or [[]] * 3)
    )
    graph = Graph.from_edges(documents, source, target, link)
    return graph, {"links": total, **resolve.counts}, dict(dropped)
