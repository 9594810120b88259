"""From a reader and its files to a task's folder: checked, varied, counted, written."""

import gzip
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linkbert.errors import UserError, unknown
from linkbert.files import atomic_folder, sha256_of, write_meta
from linkbert.metrics import METRICS
from linkbert.metrics.tagging import entities
from linkbert.tasks.base import METRIC, SPLITS, Dataset, Example, Source, load_reader
from linkbert.tasks.checks import check, labels, name_unseen_labels
from linkbert.tasks.distractors import add_distractors
from linkbert.tasks.variants import divide, keep_fraction, keep_limit

log = logging.getLogger(__name__)

# Options that every reader has.
OPTIONS = frozenset({"divide", "distractors", "fraction", "limit", "metric", "expected"})


def prepare(
    task: str,
    reader: str,
    files: Mapping[str, Path],
    options: Mapping[str, Any],
    seed: int,
    output: str | Path,
) -> dict[str, Any]:
    """Read a task from its publisher's files and write ``{train,dev,test}.jsonl.gz`` and ``meta.json``.

    Options of every reader, applied in this order: ``divide`` (see `variants.divide`); ``expected``, the published
    counts to compare with, by the keys of ``counts``; ``fraction``, ``limit``, ``distractors``. ``metric`` overrides
    the reader's. Returns the meta data. A UserError names a wrong option, role or file, and a split without examples.
    """
    read, roles, known = load_reader(reader)
    for option in options:
        if option not in known | OPTIONS:
            raise unknown(f"{task}: reader {reader}", "option", option, known | OPTIONS)
    for role, path in files.items():
        if role not in roles:
            raise unknown(f"{task}: reader {reader}", "file role", role, roles)
        if not path.exists():
            raise UserError(f"{task}: the file of the role '{role}' does not exist: {path}")
    source = Source(task, reader, dict(files), options, seed)
    dataset = read(source)
    if "divide" in options:
        divide(source, dataset, options["divide"])
    check(source, dataset)
    _require_examples(source, dataset)
    dataset.splits = {split: dataset.splits[split] for split in SPLITS}
    name_unseen_labels(source, dataset)
    published = options.get("expected", {})
    _compare(source, counts_of(dataset), published)
    if "fraction" in options:
        keep_fraction(source, dataset, options["fraction"])
    if "limit" in options:
        keep_limit(source, dataset, options["limit"])
    if "distractors" in options:
        add_distractors(source, dataset, options["distractors"])
    metric = options.get("metric") or dataset.metric or METRIC[dataset.kind]
    if metric.partition(":")[0] not in METRICS:
        raise unknown(task, "metric", metric, METRICS)
    for sentence in (*source.losses(), *source.warnings):
        log.warning("%s: %s", task, sentence)
    with atomic_folder(output) as folder:
        for split, examples in dataset.splits.items():
            write_examples(folder / f"{split}.jsonl.gz", examples)
        return write_meta(
            folder,
            "tasks",
            inputs={role: _identity(path) for role, path in files.items()},
            parameters={"task": task, "reader": reader, "options": dict(options), "seed": seed},
            counts=counts_of(dataset),
            dropped=dict(sorted(source.dropped.items())),
            kind=dataset.kind,
            labels=dataset.labels,
            metric=metric,
            label_counts=_label_counts(dataset),
            warnings=source.warnings,
            **dataset.about,
        )


def write_examples(path: Path, examples: list[Example]) -> None:
    """Write JSON Lines, gzipped without a time and a name, so that equal examples give equal bytes."""
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as file:
        for example in examples:
            line = json.dumps({name: value for name, value in example.items() if name != "unit"}, ensure_ascii=False)
            file.write(line.encode() + b"\n")


def read_examples(folder: str | Path, split: str) -> list[Example]:
    """The examples of a split of a prepared task, in order."""
    with gzip.open(Path(folder) / f"{split}.jsonl.gz", "rt", encoding="utf-8", newline="\n") as file:
        return [json.loads(line) for line in file]


def counts_of(dataset: Dataset) -> dict[str, int]:
    """Examples by split, and what else publishers count: contexts, sentences' mentions and tagged words, groups."""
    counts: dict[str, int] = {}
    for split, examples in dataset.splits.items():
        counts[split] = len(examples)
        if dataset.kind == "span":
            counts[f"{split}_contexts"] = len({str(example.get("unit", example["context"])) for example in examples})
        if dataset.kind == "tagging":
            counts[f"{split}_mentions"] = sum(len(entities(example["tags"])) for example in examples)
            counts[f"{split}_words"] = sum(tag != "O" for example in examples for tag in example["tags"])
        groups = Counter(example["group"] for example in examples if "group" in example)
        counts |= {f"{split}_{group}": number for group, number in sorted(groups.items())}
    return counts


def _label_counts(dataset: Dataset) -> dict[str, dict[str, int]]:
    if dataset.kind not in ("classification", "multilabel", "choice"):
        return {}
    return {
        split: dict(sorted(Counter(str(label) for example in examples for label in labels(example)).items()))
        for split, examples in dataset.splits.items()
    }


def _require_examples(source: Source, dataset: Dataset) -> None:
    for split in SPLITS:
        if dataset.splits.get(split):
            continue
        reasons = ", ".join(f"{name} {number}" for name, number in sorted(source.dropped.items()))
        have = ", ".join(f"{name} {len(examples)}" for name, examples in dataset.splits.items()) or "nothing"
        raise UserError(
            f"{source.task}: the split '{split}' has no examples. Read: {have}. Dropped: {reasons or 'nothing'}. "
            "Give a file that holds them, or cut them from another split with the option divide, "
            'for example {"divide": {"dev": {"train": 0.8, "dev": 0.2}}}.'
        )


def _compare(source: Source, counts: Mapping[str, int], published: Mapping[str, int]) -> None:
    for name, number in published.items():
        if name not in counts:
            raise unknown(f"{source.task}: option expected", "count", name, counts)
        if counts[name] != number:
            source.warn(f"{name}: {counts[name]:,} read, {number:,} published")


def _identity(path: Path) -> str:
    """A hash of a file's bytes, or of all files of a folder and their names in it."""
    if not path.is_dir():
        return sha256_of(path)
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file():
            digest.update(f"{file.relative_to(path).as_posix()}\0{sha256_of(file)}\n".encode())
    return digest.hexdigest()
