"""Bad input from file to score: counted and named, and the score is that of the clean file."""

import importlib
import json

import pytest

from linkbert.files import read_json
from linkbert.tasks.prepare import prepare

SPLITS = ("train", "dev", "test")
POINT = {"learning_rate": 1e-3, "batch_size": 8, "epochs": 2, "length": 64}
LONG = "mill " * 50_000


def write(path, lines):
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return path


def tuned(world, tmp_path, name: str, task: str = "mine") -> dict:
    """The one run of a task through the command: its entry in the score file."""
    command = ["--name", "small", "--model", str(world.model), "--batch", name, "--device", "cpu", "--threads", "1"]
    command += ["--runs", json.dumps({task: {"tests": [task], "recipes": [POINT], "seeds": [0]}})]
    command += ["--tasks", str(tmp_path / name), "--run-folder", str(tmp_path / name / "runs")]
    importlib.import_module("finetune").main([*command, "--output", str(tmp_path / name / "scores.json")])
    (entry,) = read_json(tmp_path / name / "scores.json")["runs"]
    return entry


# kind: unusable lines and why, by the reason that is counted
BAD = {
    "span": (["{broken\n", {"id": "x", "question": "Who?"}], {"broken_row": 2}),
    "classification": (
        ["[1, 2]\n", {"id": "x", "text_a": "mill", "label": "maybe"}, {"id": "y", "text_a": None, "label": "no"}],
        {"broken_row": 2, "unknown_label": 1},
    ),
    "multilabel": (
        ["\x00\n", {"id": "x", "text_a": "mill", "labels": ["cold", "blue"]}],
        {"broken_row": 1, "unknown_label": 1},
    ),
    "regression": (
        [{"id": "x", "text_a": "mill", "label": "high"}, {"id": "y", "text_a": "mill", "label": float("nan")}],
        {"label_not_a_number": 2},
    ),
    "tagging": (
        [{"id": "x", "tokens": ["mill", "bell"], "tags": ["O"]}, {"id": "y", "tokens": ["mill"], "tags": ["X"]}],
        {"broken_row": 1, "unknown_label": 1},
    ),
    "choice": (
        [{"id": "x", "question": "Who?", "choices": ["a", "b"], "label": 2}, {"id": "y", "question": "Who?"}],
        {"broken_row": 1, "unknown_label": 1},
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_unusable_lines_are_counted_and_change_no_score(world, tmp_path, kind):
    import numpy as np

    bad, reasons = BAD[kind]
    make, labels, _ = world.makers[kind]
    options = {"kind": kind} | ({"labels": labels} if labels else {})
    metas = {}
    for name in ("clean", "dirty"):
        files = {}
        for number, split in enumerate(SPLITS):
            random = np.random.default_rng(number)
            lines = [make(random, f"{split}-{place}") for place in range(16)]
            lines[5:5] = bad if name == "dirty" else []
            files[split] = write(tmp_path / f"{name}-{split}.jsonl", lines)
        metas[name] = prepare("mine", "jsonl", files, options, 0, tmp_path / name / "mine")
    assert metas["clean"]["dropped"] == {}
    expected = {f"{split}.{reason}": number for split in SPLITS for reason, number in reasons.items()}
    assert metas["dirty"]["dropped"] == expected
    clean, dirty = tuned(world, tmp_path, "clean"), tuned(world, tmp_path, "dirty")
    assert {key: dirty[key] for key in ("dev", "test", "loss", "counts")} == {
        key: clean[key] for key in ("dev", "test", "loss", "counts")
    }


def test_a_misplaced_answer_is_not_learned_and_its_question_still_counts(world, tmp_path):
    good = {"question": "Who?", "context": "Ann left town.", "answers": [{"text": "Ann", "start": 0}]}
    wrong = {"id": "wrong", "question": "Who?", "context": "Nobody left.", "answers": [{"text": "Ann", "start": 4}]}
    files = {split: write(tmp_path / f"{split}.jsonl", [{**good, "question": f"{split}?"}, wrong]) for split in SPLITS}
    meta = prepare("mine", "jsonl", files, {"kind": "span"}, 0, tmp_path / "a" / "mine")
    assert meta["dropped"] == {
        "dev.answer_not_at_offset": 1,
        "test.answer_not_at_offset": 1,
        "train.answer_not_at_offset": 1,
        "train.no_answer_in_context": 1,
    }
    assert {split: meta["counts"][split] for split in SPLITS} == {"train": 1, "dev": 2, "test": 2}
    entry = tuned(world, tmp_path, "a")
    assert entry["counts"]["dev"] == 2
    assert entry["dev"]["exact_match"] in (0, 50)  # the misplaced one cannot be found, and is not left out


def test_a_label_that_training_lacks_is_named(tmp_path):
    texts = {split: (f"mill {split}", f"bell {split}") for split in SPLITS}
    lines = {split: [{"text_a": a, "label": "yes"}, {"text_a": b, "label": "no"}] for split, (a, b) in texts.items()}
    lines["test"].append({"text_a": "lake", "label": "noo"})
    files = {split: write(tmp_path / f"{split}.jsonl", lines[split]) for split in SPLITS}
    meta = prepare("mine", "jsonl", files, {"kind": "classification"}, 0, tmp_path / "out")
    assert meta["warnings"] == ["test: examples with labels that train lacks: noo (1)"]
    assert meta["counts"]["test"] == 3


@pytest.mark.parametrize(
    ("kind", "example", "counted"),
    [
        (
            "span",
            {"question": "Where?", "context": f"{LONG}lake", "answers": [{"text": "lake", "start": len(LONG)}]},
            "windows",
        ),
        ("classification", {"text_a": LONG, "label": "yes"}, "truncated"),
        ("tagging", {"tokens": LONG.split(), "tags": ["O"] * 49_999 + ["B"]}, "words_cut"),
        ("choice", {"question": LONG, "choices": ["a", "b"], "label": 0}, "truncated"),
    ],
)
def test_fifty_thousand_words_are_read_or_cut_and_counted(world, tmp_path, kind, example, counted):
    # Equal splits would be refused.
    twice = write(tmp_path / "train.jsonl", [example, example])
    files = {"train": twice} | dict.fromkeys(("dev", "test"), write(tmp_path / "dev.jsonl", [example]))
    meta = prepare("mine", "jsonl", files, {"kind": kind}, 0, tmp_path / "a" / "mine")
    if kind != "tagging":
        assert "train: 2 examples hold a text of more than 100,000 characters" in meta["warnings"]
    entry = tuned(world, tmp_path, "a")
    assert entry["counts"]["test"] == 1
    if kind == "span":
        assert entry["counts"]["test_windows"] > 1000 and entry["counts"]["test_windows_with_answer"] >= 1
    elif kind == "tagging":
        assert entry["counts"]["test_words_cut"] > 49_900
        assert entry["test"][entry["metric"]] == 0  # the one entity lies in what was cut, and counts as missed
    else:
        assert entry["counts"][f"test_{counted}"] >= 1
