"""GLUE in its publishers' layouts: columns, balanced labels, quotation marks that mean nothing."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

TRAIN, TEST = 120, 48  # examples of the scale "small"


@pytest.mark.parametrize(
    ("task", "columns", "header"),
    [
        ("CoLA", 4, None),
        ("SST-2", 2, "sentence\tlabel"),
        ("QQP", 6, "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate"),
        ("STS-B", 10, "index\tgenre\tfilename\tyear\told_index\tsource1\tsource2\tsentence1\tsentence2\tscore"),
        ("MNLI", 12, None),
        ("QNLI", 4, "index\tquestion\tsentence\tlabel"),
        ("RTE", 4, "index\tsentence1\tsentence2\tlabel"),
    ],
)
def test_glue_layout(
    folder: Path, task: str, columns: int, header: str | None, members: Callable, rows: Callable
) -> None:
    found = members(folder / f"glue-{task}.zip")
    train = rows(found[f"{task}/train.tsv"])
    assert {len(row) for row in train} == {columns}
    if header:
        assert "\t".join(train[0]) == header
    body = train if task == "CoLA" else train[1:]
    assert len(body) == TRAIN
    label = 1 if task == "CoLA" else columns - 1
    counts = Counter(row[label] for row in body)
    if task != "STS-B":
        assert max(counts.values()) == min(counts.values()) == TRAIN // len(counts)
    for name in ("dev_matched", "dev_mismatched") if task == "MNLI" else ("dev",):
        dev = rows(found[f"{task}/{name}.tsv"])
        assert len(dev) - (task != "CoLA") == TEST
        if task == "MNLI":
            assert dev[0][-1] == "gold_label" and len(dev[0]) == 16
    tests = [name for name in found if "/test" in name]
    assert tests and all(len(rows(found[name])[0]) < max(columns, 6) or task == "MNLI" for name in tests)


def test_glue_quotation_marks_do_not_balance(folder: Path, members: Callable) -> None:
    for task in ("QQP", "STS-B", "MNLI", "QNLI", "RTE", "SST-2"):
        found = members(folder / f"glue-{task}.zip")
        assert any(line.count(b'"') % 2 for line in found[f"{task}/train.tsv"].splitlines()), task


def test_glue_paraphrases_are_in_microsofts_files(folder: Path, rows: Callable) -> None:
    header, *train = rows((folder / "glue-MRPC-train.txt").read_bytes())
    assert (folder / "glue-MRPC-train.txt").read_bytes().startswith(b"\xef\xbb\xbfQuality")
    assert header == ["Quality", "#1 ID", "#2 ID", "#1 String", "#2 String"]
    assert len(train) == TRAIN + TEST and {len(row) for row in train} == {5}
    dev = {tuple(row) for row in rows((folder / "glue-MRPC-dev_ids.tsv").read_bytes())}
    labels = Counter(row[0] for row in train if tuple(row[1:3]) in dev)
    assert labels == {"0": TEST // 2, "1": TEST // 2}
    assert any((row[3] + row[4]).count('"') % 2 for row in train)


def test_glue_scores_of_similarity(folder: Path, members: Callable, rows: Callable) -> None:
    scores = [float(row[9]) for row in rows(members(folder / "glue-STS-B.zip")["STS-B/train.tsv"])[1:]]
    assert min(scores) == 0 and max(scores) == 5 and len(set(scores)) > 5
