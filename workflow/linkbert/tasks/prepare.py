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
from linkbert.metrics import check_metric
from linkbert.metrics.score import named_metric
from linkbert.metrics.tagging import entities
from linkbert.tasks.base import METRIC, SPLITS, Dataset, Example, Source, line_of, load_reader
from linkbert.tasks.checks import (
    check,
    count_seen_inputs,
    labels,
    name_unseen_labels,
    refuse_equal_splits,
    require_field,
)
from linkbert.tasks.declared import check_declaration, require_kind
from linkbert.tasks.distractors import add_distractors
from linkbert.tasks.variants import divide, keep_fraction, keep_limit

log = logging.getLogger(__name__)


def prepare(
    task: str,
    reader: str,
    files: Mapping[str, Path],
    options: Mapping[str, Any],
    seed: int,
    output: str | Path,
    kind: str = "",
    metric: str = "",
) -> dict[str, Any]:
    """Read a task from its publisher's files and write ``{train,dev,test}.jsonl.gz`` and ``meta.json``.

    `kind` and `metric` are those that the task is declared with; without them they are the reader's own. Options of
    every reader, applied in this order: ``divide`` (see `variants.divide`); ``expected``, the published counts to
    compare with, by the keys of ``counts``; ``fraction``, ``limit``, ``distractors``. Returns the meta data. A
    UserError names a wrong option, role, file, kind or metric, a file that is not read, and splits that are empty,
    left over or equal.
    """
    check_declaration(task, reader, files, options, kind, metric)
    for role, path in files.items():
        if not path.exists():
            raise UserError(f"{task}: the file of the role '{role}' does not exist: {path}")
    source = Source(task, reader, dict(files), options, seed)
    dataset = load_reader(reader).read(source)
    for role in source.unused():
        read = ", ".join(other for other in files if other not in source.unused())
        raise UserError(f"{task}: the file of the role '{role}' is not read beside those of: {read}. Leave it out.")
    require_kind(task, reader, kind, dataset.kind)
    metric = metric or dataset.metric or METRIC[dataset.kind]
    check_metric(task, metric, dataset.kind, dataset.labels)
    # One file for both is how the files of a task say it.
    dataset.test_is_dev |= "test" in files and files["test"] == files.get("dev")
    if "divide" in options:
        divide(source, dataset, options["divide"])
    for split in dataset.splits:
        if split not in SPLITS:
            raise UserError(
                f"{task}: the split '{split}' is left over. Leave its file out, or cut it with the option divide, "
                f'for example {{"divide": {{"{split}": {{"train": 0.8, "dev": 0.1, "test": 0.1}}}}}}.'
            )
    check(source, dataset)
    _require_examples(source, dataset)
    dataset.splits = {split: dataset.splits[split] for split in SPLITS}
    refuse_equal_splits(source, dataset)
    require_field(source, dataset, metric, named_metric(task, metric)[0].field)
    name_unseen_labels(source, dataset)
    published = options.get("expected", {})
    _compare(source, counts_of(dataset), published)
    if "fraction" in options:
        keep_fraction(source, dataset, options["fraction"])
    if "limit" in options:
        keep_limit(source, dataset, options["limit"])
    seen_in_train = count_seen_inputs(source, dataset)
    if "distractors" in options:
        add_distractors(source, dataset, options["distractors"])
    for sentence in (*source.losses(), *source.warnings):
        log.warning("%s: %s", task, sentence)
    with atomic_folder(output) as folder:
        for split, examples in dataset.splits.items():
            write_examples(folder / f"{split}.jsonl.gz", examples)
        return write_meta(
            folder,
            "tasks",
            inputs={role: _identity(path) for role, path in files.items()},
            parameters={
                "task": task,
                "reader": reader,
                "options": {name: value for name, value in options.items() if name != "expected"},
                "seed": seed,
            },
            counts=counts_of(dataset) | seen_in_train,
            dropped=dict(sorted(source.dropped.items())),
            kind=dataset.kind,
            labels=dataset.labels,
            metric=metric,
            label_counts=_label_counts(dataset),
            test_is_dev=dataset.test_is_dev,
            warnings=source.warnings,
            published=dict(published),
            **dataset.about,
        )


def write_examples(path: Path, examples: list[Example]) -> None:
    """Write JSON Lines, gzipped without a time and a name, so that equal examples give equal bytes."""
    with open(path, "wb") as raw, gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as file:
        for example in examples:
            file.write(line_of(example))


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
