"""The eight GLUE tasks of the paper (Wang et al., 2018) from their tsv files; labels stay as published.

The test labels of GLUE are hidden, so dev is also the test set, and ``meta.json`` says so. Quotation marks are text.
MRPC comes either as ``train.tsv`` and ``dev.tsv`` or as the publisher's ``msr_paraphrase_train.txt`` with the list of
dev ids; the latter wins where both exist, because unpacked copies of the former have lost rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from linkbert.errors import UserError
from linkbert.tasks.base import Dataset, Example, Source

ROLES = frozenset({"train", "dev", "dev_matched", "dev_mismatched", "dev_ids", "archive"})
OPTIONS: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Layout:
    """Columns of a GLUE file by header name, or by position where the file has no header."""

    text_a: str | int
    text_b: str | None
    label: str | int
    labels: tuple[str, ...]
    metric: str = "accuracy"


_ENTAILMENT = ("entailment", "not_entailment")
LAYOUTS = {
    "cola": Layout(3, None, 1, ("0", "1"), "matthews"),
    "sst2": Layout("sentence", None, "label", ("0", "1")),
    "mrpc": Layout("#1 String", "#2 String", "Quality", ("0", "1"), "accuracy_f1"),
    "qqp": Layout("question1", "question2", "is_duplicate", ("0", "1"), "accuracy_f1"),
    "stsb": Layout("sentence1", "sentence2", "score", (), "pearson_spearman"),
    "mnli": Layout(
        "sentence1", "sentence2", "gold_label", ("entailment", "neutral", "contradiction"), "group_accuracy"
    ),
    "qnli": Layout("question", "sentence", "label", _ENTAILMENT),
    "rte": Layout("sentence1", "sentence2", "label", _ENTAILMENT),
}
KIND = {f"glue_{task}": "classification" if layout.labels else "regression" for task, layout in LAYOUTS.items()}


def read(source: Source) -> Dataset:
    """Read one GLUE task; the reader's name ends with the task's."""
    task = source.reader.removeprefix("glue_")
    layout = LAYOUTS[task]
    if task == "mrpc" and source.holds("dev_ids", "dev_ids.tsv", "mrpc_dev_ids.tsv"):
        splits = _paraphrases(source, layout)
    else:
        splits = {}
        if source.holds("train", "train.tsv"):
            splits["train"] = list(_examples(source, layout, "train", "train.tsv"))
        if task == "mnli":
            splits["dev"] = []
            for group in ("matched", "mismatched"):
                for example in _examples(source, layout, f"dev_{group}", f"dev_{group}.tsv"):
                    splits["dev"].append(example | {"group": group})
        else:
            splits["dev"] = list(_examples(source, layout, "dev", "dev.tsv"))
    # Without a file for train, train and test are cut from dev by the option divide.
    test_is_dev = "train" in splits
    if test_is_dev:
        splits["test"] = [dict(example) for example in splits["dev"]]
    return Dataset(KIND[source.reader], splits, list(layout.labels), layout.metric, test_is_dev=test_is_dev)


def _examples(source: Source, layout: Layout, role: str, member: str) -> Iterator[Example]:
    split = "train" if role == "train" else "dev"
    positions: list[int] = []
    wanted = [column for column in (layout.label, layout.text_a, layout.text_b) if column is not None]
    for number, line in enumerate(source.lines(role, member)):
        row = line.split("\t")
        if not positions:
            if isinstance(layout.label, int):
                positions = [int(column) for column in wanted]
            elif all(column in row for column in wanted):
                positions = [row.index(str(column)) for column in wanted]
                continue
            else:
                missing = ", ".join(str(column) for column in wanted if column not in row)
                raise UserError(
                    f"{source.task}, {role}: the header has no column {missing}. It is: {line.strip()[:200]}"
                )
        if not line.strip():
            continue
        if len(row) <= max(positions):
            source.drop(split, "broken_row", where=f"line {number + 1}")
            continue
        label, *texts = (row[place].strip() for place in positions)
        yield {
            "id": f"{role}-{number}",
            "text_a": texts[0],
            **({"text_b": texts[1]} if texts[1:] else {}),
            "label": label,
        }


def _paraphrases(source: Source, layout: Layout) -> dict[str, list[Example]]:
    """MRPC from the Microsoft Research file; dev is the pairs of ids that GLUE's list names."""
    lines = source.lines("dev_ids", "dev_ids.tsv", "mrpc_dev_ids.tsv")
    dev_ids = {tuple(line.split("\t")[:2]) for line in lines if line.strip()}
    splits: dict[str, list[Example]] = {"train": [], "dev": []}
    header: list[str] = []
    for number, line in enumerate(source.lines("train", "msr_paraphrase_train.txt")):
        row = line.split("\t")
        if not header:
            header = row
            wanted = ("#1 ID", "#2 ID", layout.text_a, layout.text_b, layout.label)
            missing = ", ".join(str(column) for column in wanted if column not in header)
            if missing:
                raise UserError(f"{source.task}: the header has no column {missing}. It is: {line.strip()[:200]}")
            continue
        if not line.strip():
            continue
        if len(row) < len(header):
            source.drop("train", "broken_row", where=f"line {number + 1}")
            continue
        cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
        split = "dev" if (cells["#1 ID"], cells["#2 ID"]) in dev_ids else "train"
        splits[split].append(
            {
                "id": f"{split}-{number}",
                "text_a": cells[str(layout.text_a)],
                "text_b": cells[str(layout.text_b)],
                "label": cells[str(layout.label)],
            }
        )
    return splits
