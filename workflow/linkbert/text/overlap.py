"""Evaluation sets and corpus: which test examples stand in the corpus, and which documents stand in it twice."""

import gzip
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from linkbert.errors import UserError
from linkbert.files import meta_fingerprint, read_meta, write_json, write_text
from linkbert.graph.names import Names, digests
from linkbert.instances.heldout import held_out
from linkbert.progress import Progress
from linkbert.text.corpus import batches, count_documents, fingerprints, titles_of
from linkbert.text.duplicates import Sketches
from linkbert.text.shingles import Shingles

RUN = 13  # words: as Brown et al. (2020) look for benchmarks in their corpus
SIMILARITY = 0.8
_FIELDS = {"question": ("question", "choices"), "text": ("context", "text_a", "text_b", "tokens")}
_TITLE = re.compile(r"\[TLE\] *(.+?) *\[SEP\]")  # how MRQA's contexts mark them
_COARSE = 26  # bits of a run that are looked up first: 64 MB
_SHOWN = 5


class Evaluation:
    """The runs of words in the test examples of some tasks, and which of them were met.

    G distinct runs: `runs` uint64 [G], ascending; `met` bool [G].
    """

    def __init__(self, tasks: Sequence[Path], size: int):
        shingles, self.tasks = Shingles(size), [Path(task).name for task in tasks]
        self.examples: list[int] = []
        self.titles: list[list[tuple[int, str]]] = []  # of each task: (example, marked title)
        runs, owners = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
        self.owners: list[tuple[int, str]] = []  # (task, part of the example) of each text
        for number, folder in enumerate(tasks):
            read_meta(folder, "tasks")
            count, titles = 0, []
            for example in _test_examples(folder):
                for part, text in _texts(example).items():
                    found, _ = shingles([text])
                    runs.append(found)
                    owners.append(np.full(len(found), len(self.owners)))
                    self.owners.append((number, part))
                titles += [(count, title) for title in _TITLE.findall(str(example.get("context", "")))]
                count += 1
            self.examples.append(count)
            self.titles.append(titles)
        self.runs, self.place = np.unique(np.concatenate(runs), return_inverse=True)
        self.owner = np.concatenate(owners)
        self.met = np.zeros(len(self.runs), bool)
        self.coarse = np.zeros(2**_COARSE, bool)
        self.coarse[self._high(self.runs)] = True

    def _high(self, runs: np.ndarray) -> np.ndarray:
        return (runs >> np.uint64(64 - _COARSE)).astype(np.int64)

    def meet(self, runs: np.ndarray) -> None:
        """Mark the runs that the corpus has."""
        runs = runs[self.coarse[self._high(runs)]]
        place = np.minimum(np.searchsorted(self.runs, runs), max(len(self.runs) - 1, 0))
        self.met[place[self.runs[place] == runs] if len(self.runs) else []] = True

    def rows(self, known: Names) -> list[dict[str, Any]]:
        """One row a task and part: texts, those long enough to hold a run, those with one met, with half of them met.

        `known`: the titles of the documents.
        """
        total = np.bincount(self.owner, minlength=len(self.owners))
        met = np.bincount(self.owner, weights=self.met[self.place], minlength=len(self.owners))
        result = []
        for number, task in enumerate(self.tasks):
            titles = self.titles[number]
            there = known.find(digests(title for _, title in titles)) >= 0
            found = {example for (example, _), is_there in zip(titles, there, strict=True) if is_there}
            for part in _FIELDS:
                mine = np.fromiter((owner == (number, part) for owner in self.owners), bool, len(self.owners))
                if not mine.any():
                    continue
                row = {"task": task, "part": part, "texts": int(mine.sum()), "checked": int((total[mine] > 0).sum())}
                row["met"] = int((met[mine] > 0).sum())
                row["half"] = int(((met[mine] * 2 >= total[mine]) & (total[mine] > 0)).sum())
                if part == "text" and titles:
                    row |= {"titled": len({example for example, _ in titles}), "title_is_a_document": len(found)}
                result.append(row)
        return result


def _test_examples(folder: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(Path(folder) / "test.jsonl.gz", "rt", encoding="utf-8", newline="\n") as file:
        yield from map(json.loads, file)


def _texts(example: Mapping[str, Any]) -> dict[str, str]:
    """The parts of an example that can stand in a corpus."""
    parts = {}
    for part, names in _FIELDS.items():
        values = [example[name] for name in names if example.get(name)]
        if values:
            parts[part] = " ".join(" ".join(value) if isinstance(value, list) else value for value in values)
    return parts


def check_overlap(
    documents: Sequence[str | Path],
    tasks: Sequence[str | Path],
    prefix: str | Path,
    *,
    heldout: float = 0.0,
    seed: int = 0,
    size: int = RUN,
    similarity: float = SIMILARITY,
) -> dict[str, Any]:
    """Read the corpus once; write ``prefix.json`` and ``prefix.md``; return what they say.

    Memory: the runs of the test examples, 16 bytes each, and 150 bytes a document. `heldout` and `seed` as for the
    instances: how many held-out documents have a near-duplicate that is trained on.
    """
    if size < 2:
        raise UserError(f"--words {size}: runs of at least 2 words are needed.")
    evaluation = Evaluation([Path(task) for task in tasks], size)
    sketches, shingles = Sketches(), Shingles(size)
    titles, identical = [digests(())], [np.zeros(0, np.uint64)]
    progress = Progress("check overlap", total=count_documents(documents), unit="documents")
    for batch in batches(documents, ["doc_id", "title", "text"], 256):
        texts = [text or "" for text in batch["text"].to_pylist()]
        sketches.add(texts)
        if len(evaluation.runs):
            evaluation.meet(shingles(texts)[0])
        names = zip(batch["title"].to_pylist(), batch["doc_id"].to_pylist(), strict=True)
        titles.append(digests(title or doc_id for title, doc_id in names))
        hashes = b"".join(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts)
        identical.append(np.frombuffer(hashes, np.uint64))
        progress.update(len(texts))
    progress.close()
    report = {
        "documents": fingerprints(documents),
        "tasks": {Path(task).name: meta_fingerprint(task) for task in tasks},
        "words": size,
        "similarity": similarity,
        "evaluation": evaluation.rows(Names(np.concatenate(titles))),
        "duplicates": _duplicates(documents, sketches, np.concatenate(identical), similarity, heldout, seed),
    }
    write_json(f"{prefix}.json", report)
    write_text(f"{prefix}.md", overlap_markdown(report))
    return report


def _duplicates(
    documents: Sequence[str | Path],
    sketches: Sketches,
    identical: np.ndarray,
    similarity: float,
    heldout: float,
    seed: int,
) -> dict[str, Any]:
    found = sketches.find(similarity)
    size = np.bincount(found.cluster[found.alike]) if found.alike.any() else np.zeros(0, np.int64)
    largest = [int(number) for number in np.argsort(-size, kind="stable")[:_SHOWN] if size[number] > 1]
    members = {number: np.flatnonzero(found.cluster == number)[:_SHOWN].tolist() for number in largest}
    titles = titles_of(documents, sorted({document for some in members.values() for document in some}))
    outside = held_out(len(found.cluster), seed, heldout)
    trained = np.zeros(len(size), bool)
    trained[found.cluster[found.alike & ~outside]] = True
    leaking = found.alike & outside
    leaking[leaking] = trained[found.cluster[leaking]]
    return {
        "documents": len(found.cluster),
        "compared": int(found.compared.sum()),
        "identical": len(identical) - len(np.unique(identical)),
        "near": int(found.alike.sum()),
        "clusters": int((size > 1).sum()),
        "largest": [{"documents": int(size[n]), "titles": [titles[d] for d in members[n]]} for n in largest],
        "held_out": int(outside.sum()),
        "held_out_near_training": int(leaking.sum()),
    }


def overlap_markdown(report: Mapping[str, Any]) -> str:
    """The report as a page."""
    found, size = report["duplicates"], report["words"]
    lines = [
        "# Evaluation sets and duplicates in the corpus",
        "",
        f"Test examples against {found['documents']:,} documents: a text is met where a run of {size} words of it "
        "stands in the corpus, and met by half where half of its runs do. Texts of fewer words are not checked.",
        "",
        "| task | part | texts | checked | met | by half | title is a document |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for row in report["evaluation"]:
        shares = (_share(row[name], row["checked"]) for name in ("met", "half"))
        title = _share(row["title_is_a_document"], row["titled"]) if "titled" in row else ""
        counts = f"{row['texts']:,} | {row['checked']:,}"
        lines.append(f"| {row['task']} | {row['part']} | {counts} | {' | '.join(shares)} | {title} |")
    lines += [
        "",
        f"Near-duplicates (estimated similarity of the runs of five words at least {report['similarity']:g}): "
        f"{found['near']:,} of {found['compared']:,} documents that are long enough, in {found['clusters']:,} groups; "
        f"{found['identical']:,} documents repeat another one's text to the letter.",
        f"{found['held_out_near_training']:,} of {found['held_out']:,} held-out documents have a near-duplicate "
        "among those trained on.",
    ]
    if found["largest"]:
        lines += ["", "| documents | a group of near-duplicates |", "|---:|---|"]
        for group in found["largest"]:
            names = ", ".join(title.replace("|", "&#124;") for title in group["titles"])
            more = ", …" if group["documents"] > len(group["titles"]) else ""
            lines.append(f"| {group['documents']:,} | {names}{more} |")
    return "\n".join(lines) + "\n"


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({part / whole:.1%})" if whole else ""
