"""Corpora: every stage against named references on the same input in the same run, and how each grows with size.

    python benchmarks/corpora.py --text wikipedia.jsonl.gz --tokenizer results/demo/tokenizers/bert_uncased

The input is real text in documents of some 140 words: the sentences of each article, in order, cut into documents; past
the first pass through the text, sentences are shuffled within forty, so that no two documents are alike. Links keep
their anchors. Each measurement is a process of its own, in which loading does not count; seconds are processor time of
one core (elapsed time where two work) and the peak is the process's whole memory. References that compare all pairs of
documents do so for some rows, and their time is scaled to all. A package that is not installed is left out.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from extraction import rows as extraction_rows
from extraction import table as extraction_table
from resampling import resample

from linkbert.command import run
from linkbert.documents import extract
from linkbert.progress import duration
from linkbert.text.sentences import split_sentences

NEIGHBORS = 5
LENGTH = 512
Row = dict[str, Any]
# What is extrapolated to: documents and bytes of plain text.
TARGETS = {"enwiki": (6_500_000, 16e9), "PubMed": (17_000_000, 21e9)}


def prepare(options: argparse.Namespace, size: int) -> Path:
    """The document folder of some size, made once."""
    folder = options.folder / f"documents-{size}"
    if not folder.exists():
        lines = options.folder / f"{size}.jsonl"
        with open(lines, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(document) + "\n" for document in resample(options.text, size))
        extract("jsonl", [lines], folder)
        lines.unlink()
    return folder


# What is measured: functions of (options, size) that load, call `clock`, work, and return what they counted -----------


class Clock:
    """Seconds since it was started: of the processor, or elapsed."""

    def __init__(self, elapsed: bool = False):
        self.read = time.perf_counter if elapsed else time.process_time

    def start(self) -> None:
        self.began = self.read()

    @property
    def seconds(self) -> float:
        return self.read() - self.began


def texts_of(options: argparse.Namespace, size: int) -> list[str]:
    from linkbert.text.corpus import texts

    return list(texts([options.folder / f"documents-{size}"]))


def tokenize_ours(options: argparse.Namespace, size: int, clock: Clock, threads: int = 1) -> Row:
    """Parquet to the arrays of a tokens folder: sentences, tokens, links, written."""
    from linkbert.text.tokenizing import tokenize_documents

    clock.start()
    documents = [options.folder / f"documents-{size}"]
    counts = tokenize_documents(documents, options.tokenizer, options.folder / f"tokens-{size}", threads)
    return {"tokens": counts["tokens"]}


def tokenize_library(options: argparse.Namespace, size: int, clock: Clock, method: str = "encode_batch_fast") -> Row:
    """`tokenizers` on whole documents in memory, a thousand at a time: token numbers and nothing else."""
    from linkbert.text.tokenizer import load_tokenizer

    model, texts, count = load_tokenizer(options.tokenizer), texts_of(options, size), 0
    clock.start()
    for first in range(0, len(texts), 1000):
        encodings = getattr(model, method)(texts[first : first + 1000], add_special_tokens=False)
        count += sum(len(encoding.ids) for encoding in encodings)
    return {"tokens": count}


def link_ours(options: argparse.Namespace, size: int, clock: Clock) -> Row:
    """Links resolved, the graph and its report written."""
    from linkbert.graph.build import build_graph

    clock.start()
    graph = build_graph("hyperlink", [options.folder / f"documents-{size}"], options.folder / f"graph-{size}")
    return {"edges": len(graph.indices)}


def sample_ours(options: argparse.Namespace, size: int, clock: Clock) -> Row:
    """One epoch of instances from tokens and graph, its audit trail and examples written."""
    from linkbert.instances.folder import write_instances
    from linkbert.instances.format import Sampling

    folders = [options.folder / f"{name}-{size}" for name in ("tokens", "graph")]
    clock.start()
    meta = write_instances(
        *folders, Sampling(), options.tokenizer, options.folder / f"instances-{size}", length=LENGTH, seed=0
    )
    return {"instances": meta["counts"]["instances"]}


def sample_loop(options: argparse.Namespace, size: int, clock: Clock, tokenizing: bool = True) -> Row:
    """Instances as BERT makes them: the Hugging Face tokenizer on sentence after sentence, then a loop over documents.

    Contiguous and random pairs in one list of tokens each; no links, no masks.
    """
    from transformers import BertTokenizerFast

    tokenizer = BertTokenizerFast(tokenizer_file=str(options.tokenizer / "tokenizer.json"))
    split = [[text[a:b] for a, b in split_sentences(text)] for text in texts_of(options, size)]
    if tokenizing:
        clock.start()
    documents = [[tokenizer(text, add_special_tokens=False)["input_ids"] for text in some] for some in split]
    if not tokenizing:
        clock.start()
    return {"instances": sum(1 for _ in _bert_pairs(documents, random.Random(0)))}


def _bert_pairs(documents: list[list[list[int]]], dice: random.Random) -> Iterator[tuple[list[int], list[int], bool]]:
    """Pairs of segments (Devlin et al., 2019, appendix A.2): half of them continue, the others begin elsewhere."""
    room = LENGTH - 3
    for document in documents:
        target = dice.randint(2, room) if dice.random() < 0.1 else room
        held: list[list[int]] = []
        at = 0
        while at < len(document):
            held.append(document[at])
            if at == len(document) - 1 or sum(map(len, held)) >= target:
                cut = dice.randint(1, len(held) - 1) if len(held) > 1 else 1
                a = [token for sentence in held[:cut] for token in sentence]
                other = len(held) == 1 or dice.random() < 0.5
                if other:
                    stranger = dice.choice(documents)
                    b: list[int] = []
                    for sentence in stranger[dice.randrange(max(len(stranger), 1)) :]:
                        b += sentence
                        if len(b) >= target - len(a):
                            break
                    at -= len(held) - cut
                else:
                    b = [token for sentence in held[cut:] for token in sentence]
                while len(a) + len(b) > room:
                    longer = a if len(a) > len(b) else b
                    longer.pop(0 if dice.random() < 0.5 else -1)
                if a and b:
                    yield a, b, other
                held = []
            at += 1


def tfidf_ours(options: argparse.Namespace, size: int, clock: Clock, exact: bool = False) -> Row:
    """Words counted and weighted, five neighbors of every document, and the recall measured."""
    from linkbert.graph.nearest import Search, nearest
    from linkbert.graph.tfidf import weights

    texts = texts_of(options, size)
    clock.start()
    matrix = weights(texts[i : i + 1024] for i in range(0, size, 1024))
    found = nearest(matrix, NEIGHBORS, search=Search(exact=math.inf if exact else 0))
    # `np.inf` where a document has fewer neighbors, which no reference falls short of.
    cosine = np.full((size, NEIGHBORS), np.inf, np.float32)
    lengths = np.diff(found.indptr)
    cosine[np.arange(NEIGHBORS) < lengths[:, None]] = found.cosine
    np.save(options.folder / f"cosine-{size}.npy", cosine)
    return {"recall": found.recall}


def tfidf_reference(options: argparse.Namespace, size: int, clock: Clock, tool: str = "scikit-learn") -> Row:
    """All pairs: for some rows, scaled to all. The words' counting is scikit-learn's."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    texts = texts_of(options, size)
    count = min(options.rows, size)
    chosen = np.sort(np.random.default_rng(0).choice(size, count, replace=False))
    clock.start()
    matrix = TfidfVectorizer(sublinear_tf=True, dtype=np.float32).fit_transform(texts)
    search = SEARCHES[tool](matrix)
    fitted = clock.seconds
    best = np.concatenate([search(matrix[chosen[i : i + 256]], chosen[i : i + 256]) for i in range(0, count, 256)])
    searched = clock.seconds - fitted
    row = {"scaled_seconds": fitted + searched * size / count, "rows": count}
    ours = options.folder / f"cosine-{size}.npy"
    if ours.exists():  # the share of true neighbors that ours found, to the thousandth that hashed words are off by
        wanted = best > 0
        last = np.where(wanted, best, np.inf).min(axis=1, keepdims=True)
        found = (np.load(ours)[chosen] >= last - 1e-3).sum(axis=1)
        row["recall_of_ours"] = float(np.minimum(found, wanted.sum(axis=1)).sum() / max(wanted.sum(), 1))
    return row


def _sklearn(matrix: Any) -> Callable[[Any, np.ndarray], np.ndarray]:
    """Its nearest neighbors by brute force, as its users call them; the row itself comes first."""
    from sklearn.neighbors import NearestNeighbors

    model = NearestNeighbors(n_neighbors=NEIGHBORS + 1, metric="cosine", algorithm="brute").fit(matrix)
    return lambda rows, own: 1 - model.kneighbors(rows)[0][:, 1:]


def _blocks(matrix: Any) -> Callable[[Any, np.ndarray], np.ndarray]:
    """The product of blocks of rows with the transposed matrix, and the largest entries of each row."""
    columns = matrix.T.tocsr()

    def search(rows: Any, own: np.ndarray) -> np.ndarray:
        product, best = rows @ columns, np.zeros((len(own), NEIGHBORS), np.float32)
        for i, number in enumerate(own):
            span = slice(product.indptr[i], product.indptr[i + 1])
            score = np.append(product.data[span][product.indices[span] != number], np.zeros(NEIGHBORS, np.float32))
            best[i] = -np.sort(-np.partition(score, -NEIGHBORS)[-NEIGHBORS:])
        return best

    return search


def _topn(matrix: Any) -> Callable[[Any, np.ndarray], np.ndarray]:
    """sparse_dot_topn, which keeps the best of each row while it multiplies."""
    from sparse_dot_topn import sp_matmul_topn

    columns = matrix.T.tocsr()

    def search(rows: Any, own: np.ndarray) -> np.ndarray:
        found, best = sp_matmul_topn(rows, columns, NEIGHBORS + 1, sort=True, n_threads=1), []
        for i in range(len(own)):
            score = found.data[found.indptr[i] : found.indptr[i + 1]]
            best.append(np.append(score, np.zeros(NEIGHBORS + 1, np.float32))[1 : NEIGHBORS + 1])
        return np.array(best)

    return search


SEARCHES = {"scikit-learn": _sklearn, "X @ X.T in blocks": _blocks, "sparse_dot_topn": _topn}

Work = Callable[[argparse.Namespace, int, Clock], Row]
# (stage, tool) -> what is measured, cores, package. The first tool of a stage is ours, and the ratio of all others.
MEASURED: dict[tuple[str, str], tuple[Work, int, str]] = {
    ("tokens", "ours"): (tokenize_ours, 1, "linkbert"),
    ("tokens", "tokenizers encode_batch_fast"): (tokenize_library, 1, "tokenizers"),
    ("tokens", "tokenizers encode_batch"): (lambda *a: tokenize_library(*a, "encode_batch"), 1, "tokenizers"),
    ("tokens, 2 cores", "ours"): (lambda *a: tokenize_ours(*a, threads=2), 2, "linkbert"),
    ("tokens, 2 cores", "tokenizers encode_batch_fast"): (tokenize_library, 2, "tokenizers"),
    ("links", "ours"): (link_ours, 1, "linkbert"),
    ("instances", "ours"): (sample_ours, 1, "linkbert"),
    ("instances", "BERT's loop, tokens given"): (lambda *a: sample_loop(*a, False), 1, "transformers"),
    ("instances", "BERT's loop with the tokenizer"): (sample_loop, 1, "transformers"),
    ("tf-idf", "ours"): (tfidf_ours, 1, "linkbert"),
    ("tf-idf", "ours, all pairs"): (lambda *a: tfidf_ours(*a, exact=True), 1, "linkbert"),
    **{
        ("tf-idf", tool): (lambda *a, tool=tool: tfidf_reference(*a, tool), 1, package)
        for tool, package in zip(SEARCHES, ("sklearn", "sklearn", "sparse_dot_topn"), strict=True)
    },
}
STAGES = tuple(dict.fromkeys(stage for stage, _ in MEASURED))
GROW = ("tokens", "links", "instances", "tf-idf")


# Running ----------------------------------------------------------------------------------------------------------


def measure_here(options: argparse.Namespace, stage: str, tool: str, size: int) -> Row:
    """One measurement in this process."""
    work, cores, _ = MEASURED[stage, tool]
    clock = Clock(elapsed=cores > 1)
    row = work(options, size, clock)
    row["seconds"] = row.pop("scaled_seconds", clock.seconds)
    with open("/proc/self/status", encoding="ascii") as file:
        peak = next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
    return {"stage": stage, "tool": tool, "documents": size, **row, "peak_mb": round(peak / 1024)}


def measure(options: argparse.Namespace, stage: str, tool: str, size: int) -> Row:
    """One measurement in a process of its own."""
    cores = str(MEASURED[stage, tool][1])
    environment = os.environ | {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": cores}
    environment["TOKENIZERS_PARALLELISM"] = "true" if cores != "1" else "false"
    arguments = ["--folder", options.folder, "--tokenizer", options.tokenizer, "--text", options.text]
    arguments += ["--rows", options.rows, "--sizes", size, "--one", f"{stage}|{tool}"]
    command = [sys.executable, __file__, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{stage}, {tool}, {size} documents:\n{done.stderr}")
    row = json.loads(done.stdout.splitlines()[-1])
    print(f"{stage}, {tool}, {size:,} documents: {row['seconds']:.1f} s", file=sys.stderr)
    return row


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """All measurements, size after size; references only at the smallest of them and at --reference."""
    for size in options.sizes:
        prepare(options, size)
        compared = size == min(options.sizes) or size == options.reference
        for stage, tool in MEASURED:
            if stage not in options.stages or not find_spec(MEASURED[stage, tool][2]):
                continue
            if tool != "ours" and (not compared or (tool == "ours, all pairs" and size > options.all_pairs)):
                continue
            if tool == "ours" and stage not in GROW and not compared:
                continue
            yield measure(options, stage, tool, size)


def exponents(found: Sequence[Row]) -> dict[str, float]:
    """By stage: e in seconds ~ documents^e for ours, fitted on logarithms."""
    result = {}
    for stage in STAGES:
        ours = [(row["documents"], row["seconds"]) for row in found if (row["stage"], row["tool"]) == (stage, "ours")]
        if len(ours) > 1:
            result[stage] = float(np.polyfit(*np.log(np.array(ours, float)).T, 1)[0])
    return result


def extrapolated(found: Sequence[Row]) -> list[Row]:
    """Hours of one core for a whole corpus: from the largest size measured, by text, and for TF-IDF by documents."""
    result = []
    grown = exponents(found)
    for stage in GROW:
        ours = [row for row in found if (row["stage"], row["tool"]) == (stage, "ours")]
        if not ours or stage not in grown:
            continue
        largest = max(ours, key=lambda row: row["documents"])
        for corpus, (documents, size) in TARGETS.items():
            factor = size / largest["bytes"] if stage != "tf-idf" else documents / largest["documents"]
            power = max(grown[stage], 1.0) if stage == "tf-idf" else 1.0
            result.append({"stage": stage, "corpus": corpus, "hours": largest["seconds"] * factor**power / 3600})
    return result


def table(found: Sequence[Row]) -> str:
    """The measurements as Markdown."""
    lines = ["| stage | tool | documents | seconds | time, ours = 1 | peak MB | |", "|---|---|---:|---:|---:|---:|---|"]
    ours = {(row["stage"], row["documents"]): row["seconds"] for row in found if row["tool"] == "ours"}
    for row in found:
        ratio = row["seconds"] / ours.get((row["stage"], row["documents"]), math.nan)
        more = [f"{row[name]:,.3g} {name.replace('_', ' ')}" for name in ("recall", "recall_of_ours") if name in row]
        if row["stage"] == "instances":
            more.append(f"{row['instances'] * 60 / row['seconds']:,.0f} instances a minute")
        if row["stage"].startswith("tokens"):
            more.append(f"{row['tokens'] / row['seconds'] / 1e6:.2f} M tokens/s")
        lines.append(
            f"| {row['stage']} | {row['tool']} | {row['documents']:,} | {row['seconds']:.1f} | {ratio:.2f} "
            f"| {row['peak_mb']:,} | {', '.join(more)} |"
        )
    grown = ", ".join(f"{stage} {power:.2f}" for stage, power in exponents(found).items())
    if grown:
        lines += ["", f"Growth of ours, seconds ~ documents^e, e = {grown}."]
        whole = (f"{row['corpus']} {row['stage']} {duration(3600 * row['hours'])}" for row in extrapolated(found))
        lines += ["", f"Extrapolated, one core: {'; '.join(whole)}."]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int | None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--text", type=Path, required=True, help="articles as JSON Lines, gz (docs/own-corpus.md)")
    parser.add_argument("--tokenizer", type=Path, required=True, help="a folder of prepare_tokenizer.py")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 50_000, 200_000], help="documents")
    parser.add_argument("--reference", type=int, default=0, help="the size at which references run, besides the least")
    parser.add_argument("--rows", type=int, default=1024, help="rows of all pairs that references compare")
    parser.add_argument("--all-pairs", type=int, default=10_000, help="the largest size at which ours compares all")
    parser.add_argument("--stages", nargs="+", choices=(*STAGES, "extraction"), default=STAGES)
    parser.add_argument("--wikipedia", type=Path, nargs="*", default=[], help="exports, for the extraction")
    parser.add_argument("--pubmed", type=Path, help="a PubMed file, for the extraction")
    parser.add_argument("--folder", type=Path, help="keeps the intermediate files")
    parser.add_argument("--output", type=Path, help="JSON to write")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        row = measure_here(options, *options.one.split("|"), options.sizes[0])
        tokens = options.folder / f"documents-{options.sizes[0]}" / "meta.json"
        print(json.dumps(row | {"bytes": json.loads(tokens.read_text())["counts"].get("characters", 0)}))
        return None
    with tempfile.TemporaryDirectory() as name:
        options.folder = options.folder or Path(name)
        options.folder.mkdir(parents=True, exist_ok=True)
        found = list(rows(options))
    extracted = extraction_rows(options.wikipedia, options.pubmed) if options.wikipedia or options.pubmed else []
    print(table(found) + ("\n\n" + extraction_table(extracted) if extracted else ""))
    if options.output:
        report = {"rows": found, "extraction": extracted, "growth": exponents(found), "whole": extrapolated(found)}
        options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return None


if __name__ == "__main__":
    run(main)
