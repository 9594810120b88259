"""The graph of the links that documents hold themselves: hyperlinks and citations (paper section 4.1)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from linkbert.graph.csr import Graph
from linkbert.progress import Progress
from linkbert.text.corpus import batches, count_documents, links_of, redirects

UNRESOLVED, LOOP = -1, -2


class Resolver:
    """From the target of a link to a document number.

    A document of exactly that id is taken first, then a redirect of that name, then both with a capital first letter,
    as MediaWiki does. Redirects are followed to their end. The first of several documents with the same id counts.
    """

    def __init__(self, doc_ids: Iterable[str], redirect_pairs: Iterable[tuple[str, str]] = ()):
        self.documents: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        for number, doc_id in enumerate(doc_ids):
            if self.documents.setdefault(doc_id, number) != number:
                self.counts["repeated_doc_ids"] += 1
        self.redirects: dict[str, str] = {}
        for source, target in redirect_pairs:
            self.redirects.setdefault(source, target)
        self.known: dict[str, int] = {}
        names = ("unresolved_redirects", "redirects_in_loops")
        outcomes = Counter(min(self(source), 0) for source in self.redirects if source not in self.documents)
        self.counts |= {"redirects": len(self.redirects)}
        self.counts |= dict(zip(names, (outcomes[UNRESOLVED], outcomes[LOOP]), strict=True))

    def __call__(self, target: str | None) -> int:
        """The document number, `UNRESOLVED` or `LOOP`."""
        chain: list[str] = []
        seen: set[str] = set()
        name, outcome = target, UNRESOLVED
        while name:
            if name in self.known:
                outcome = self.known[name]
                break
            if name in seen:
                outcome = LOOP
                break
            seen.add(name)
            capital = name[0].upper() + name[1:]
            found = self.documents.get(name)
            if found is None and name not in self.redirects:
                found = self.documents.get(capital)
            if found is not None:
                outcome = found
                break
            chain.append(name)
            name = self.redirects.get(name) or self.redirects.get(capital)
        # Only redirects are remembered: plain targets are too many and cost one look-up anyway.
        self.known.update((link, outcome) for link in chain if link in self.redirects)
        return outcome


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
        numbers = np.array([resolve(name) for name in encoded.dictionary.to_pylist()] + [UNRESOLVED], np.int64)
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
