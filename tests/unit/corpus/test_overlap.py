"""Overlap: planted test examples and planted duplicates are found, others are not, whatever the batches."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

import check_overlap as script
from linkbert.errors import UserError
from linkbert.files import write_meta
from linkbert.instances.heldout import held_out
from linkbert.tasks.prepare import write_examples
from linkbert.text.duplicates import Sketches
from linkbert.text.overlap import check_overlap
from linkbert.text.shingles import Shingles


def prose(dice: random.Random, words: int) -> str:
    return " ".join(f"w{dice.randrange(5000)}" for _ in range(words))


def task(folder: Path, examples: list[dict]) -> Path:
    folder.mkdir(parents=True)
    write_examples(folder / "test.jsonl.gz", [{"id": str(i), **example} for i, example in enumerate(examples)])
    write_meta(folder, "tasks")
    return folder


def test_runs_of_words() -> None:
    shingles = Shingles(3)
    runs, text = shingles(["A b, c d!", "a b", "", "(A) B\nC"])
    assert text.tolist() == [0, 0, 3]
    assert runs[0] == runs[2] != runs[1]
    assert Shingles(3)(["x", "A b c"])[0].tolist() == [int(runs[0])]
    assert [len(part) for part in shingles([])] == [0, 0]
    assert len(set(Shingles(2)(["a b a a b b a"])[0].tolist())) == 4  # the order of words counts


def test_planted_examples_are_found(tmp_path: Path, documents) -> None:
    dice = random.Random(1)
    texts = [prose(dice, 200) for _ in range(6)]
    folder = documents(tmp_path / "d", [(f"page {i}", text, []) for i, text in enumerate(texts)])
    words = texts[4].split()
    planted = ", ".join(words[50:70]).upper()
    spans = [
        {"question": "who was it", "context": f"[TLE] PAGE 2 [SEP] {prose(dice, 50)} {planted}"},
        {"question": prose(dice, 20), "context": f"[TLE] Nothing [SEP] {prose(dice, 90)}"},
        {"question": " ".join(words[:13]), "context": " ".join(words[100:150])},
        {"question": " ".join(words[:12]), "context": prose(dice, 40)},
    ]
    choice = [{"question": "which", "choices": [*words[:6], "x", *words[6:20]], "label": 0}]
    tasks = [task(tmp_path / "qa", spans), task(tmp_path / "exam", choice)]
    report = check_overlap([folder], tasks, tmp_path / "out" / "report", size=13)
    assert report["evaluation"] == [
        {"task": "qa", "part": "question", "texts": 4, "checked": 2, "met": 1, "half": 1},
        {"task": "qa", "part": "text", "texts": 4, "checked": 4, "met": 2, "half": 1}
        | {"titled": 2, "title_is_a_document": 1},
        {"task": "exam", "part": "question", "texts": 1, "checked": 1, "met": 1, "half": 0},
    ]
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report
    page = (tmp_path / "out" / "report.md").read_text()
    assert "| qa | text | 4 | 4 | 2 (50.0%) | 1 (25.0%) | 1 (50.0%) |" in page


def test_near_duplicates_and_the_held_out_ones(tmp_path: Path, documents) -> None:
    dice = random.Random(2)
    texts = [prose(dice, 300) for _ in range(60)]
    outside = held_out(60, 0, 0.3)
    inside, apart = np.flatnonzero(~outside), np.flatnonzero(outside)
    copy, original = int(apart[0]), int(inside[0])
    words = texts[original].split()
    texts[copy] = " ".join([*words[:150], "changed", *words[151:]])
    texts[int(inside[2])] = texts[int(inside[1])]
    texts[int(apart[2])] = texts[int(apart[1])]  # both held out
    half = texts[int(inside[3])].split()[:150] + prose(dice, 150).split()
    texts[int(inside[4])] = " ".join(half)
    folder = documents(tmp_path / "d", [(f"page {i}", text, []) for i, text in enumerate(texts)])
    prefix = tmp_path / "report"
    script.main(["--documents", str(folder), "--heldout", "0.3", "--output", str(prefix)])
    found = json.loads(Path(f"{prefix}.json").read_text())["duplicates"]
    assert {name: found[name] for name in ("documents", "compared", "identical", "near", "clusters")} == {
        "documents": 60,
        "compared": 60,
        "identical": 2,
        "near": 6,
        "clusters": 3,
    }
    assert (found["held_out"], found["held_out_near_training"]) == (int(outside.sum()), 1)
    assert sorted([f"PAGE {copy}", f"PAGE {original}"]) in [sorted(group["titles"]) for group in found["largest"]]


@pytest.mark.parametrize("size", [1, 7])
def test_batches_do_not_show(size: int) -> None:
    dice = random.Random(3)
    texts = [prose(dice, dice.randrange(5, 60)) for _ in range(40)]
    texts[9], texts[11], texts[30] = texts[5], "too short", texts[5]
    whole, parts = Sketches(), Sketches()
    whole.add(texts)
    for first in range(0, len(texts), size):
        parts.add(texts[first : first + size])
    one, other = whole.find(), parts.find()
    assert one.cluster.tolist() == other.cluster.tolist()
    assert np.flatnonzero(one.alike).tolist() == [5, 9, 30] == np.flatnonzero(other.alike).tolist()
    assert not one.compared[11]


def test_estimated_similarity_is_near_the_true_one() -> None:
    dice = random.Random(4)
    words = prose(dice, 1000).split()
    texts = [" ".join(words)]
    for share in (0.95, 0.6):  # of the runs; the rest is new
        kept = int(len(words) * 2 * share / (1 + share))
        texts.append(" ".join(words[:kept]) + " " + prose(dice, len(words) - kept))
    sketches = Sketches()
    sketches.add(texts)
    assert sketches.find(0.8).alike.tolist() == [True, True, False]


def test_no_documents_and_mistakes(tmp_path: Path, documents) -> None:
    assert Sketches().find().alike.tolist() == []
    folder = documents(tmp_path / "d", [("a", "", [])])
    report = check_overlap([folder], [], tmp_path / "report")
    assert report["duplicates"]["near"] == 0
    with pytest.raises(UserError, match="at least 2 words"):
        check_overlap([folder], [], tmp_path / "x", size=1)
    with pytest.raises(UserError, match="not a finished folder"):
        check_overlap([folder], [tmp_path / "none"], tmp_path / "x")
    assert not (tmp_path / "x.json").exists()
