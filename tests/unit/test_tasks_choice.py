"""MedQA and MMLU."""

import json
import tarfile
import zipfile

import pytest

from linkbert.errors import UserError
from linkbert.tasks.prepare import prepare, read_examples


def medqa_line(number, **changes):
    options = {letter: f"Choice {letter}{number}" for letter in "BADC"}
    return json.dumps({"question": f"Q{number}?", "options": options, "answer_idx": "C", "answer": "x"} | changes)


@pytest.fixture
def medqa(tmp_path):
    """The publisher's layout, with the five-option questions that are not wanted."""
    path = tmp_path / "medqa.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for split, number in (("train", 6), ("dev", 3), ("test", 4)):
            lines = "".join(medqa_line(n) + "\n" for n in range(number))
            archive.writestr(f"data_clean/questions/US/4_options/phrases_no_exclude_{split}.jsonl", lines)
            archive.writestr(f"data_clean/questions/US/5_options/phrases_no_exclude_{split}.jsonl", lines * 2)
    return path


def counts(meta):
    return [meta["counts"][split] for split in ("train", "dev", "test")]


def csv_rows(*letters):
    return "".join(f'"A man, 40, says ""ah"".\nWhat is it?",flu,gout,"a, b",none,{letter}\n' for letter in letters)


@pytest.fixture
def mmlu(tmp_path):
    for split, letters in (("dev", "A"), ("val", "BC"), ("test", "DDAX")):
        file = tmp_path / "data" / split / f"professional_medicine_{split}.csv"
        file.parent.mkdir(parents=True)
        file.write_text(csv_rows(*letters) + ("too,few,cells\n" if split != "dev" else ""), newline="")
        (file.parent / f"anatomy_{split}.csv").write_text(f"{split}?,1,2,3,4,B\n")
    with tarfile.open(tmp_path / "data.tar", "w") as archive:
        archive.add(tmp_path / "data", "data")
    return tmp_path / "data.tar"


def test_medqa_reads_four_options_in_the_order_of_their_letters(tmp_path, medqa):
    meta = prepare("m", "medqa", {"archive": medqa}, {}, 0, tmp_path / "out")
    # The same questions in each split: counted, and kept.
    assert meta["counts"] == {"train": 6, "dev": 3, "test": 4, "dev_inputs_in_train": 3, "test_inputs_in_train": 4}
    assert read_examples(tmp_path / "out", "dev")[1] == {
        "id": "dev-1",
        "question": "Q1?",
        "choices": ["Choice A1", "Choice B1", "Choice C1", "Choice D1"],
        "label": 2,
    }
    assert (meta["kind"], meta["metric"], meta["label_counts"]["train"]) == ("choice", "accuracy", {"2": 6})


def test_medqa_counts_what_it_cannot_use(tmp_path):
    lines = [
        medqa_line(0),
        medqa_line(1, answer_idx="E"),
        medqa_line(2, options=None),
        "{",
        medqa_line(3, question=None),
    ]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    (tmp_path / "train.jsonl").write_text(medqa_line(4))
    roles = {"train": tmp_path / "train.jsonl"} | dict.fromkeys(("dev", "test"), tmp_path / "x.jsonl")
    meta = prepare("m", "medqa", roles, {}, 0, tmp_path / "out")
    assert meta["counts"]["test"] == 1
    assert meta["dropped"]["test.broken_row"] == 4


def test_mmlu_takes_train_and_dev_from_medqa_or_its_own(tmp_path, medqa, mmlu):
    meta = prepare("p", "mmlu", {"archive": mmlu, "medqa": medqa}, {}, 0, tmp_path / "out")
    assert counts(meta) == [6, 3, 3]
    assert meta["dropped"] == {"test.broken_row": 2}
    assert read_examples(tmp_path / "out", "test")[0] == {
        "id": "test-0",
        "question": 'A man, 40, says "ah".\nWhat is it?',
        "choices": ["flu", "gout", "a, b", "none"],
        "label": 3,
    }
    prepare("m", "medqa", {"archive": medqa}, {}, 0, tmp_path / "medqa")
    assert read_examples(tmp_path / "out", "dev") == read_examples(tmp_path / "medqa", "dev")
    meta = prepare("p", "mmlu", {"archive": mmlu}, {}, 0, tmp_path / "own")
    assert counts(meta) == [1, 2, 3]
    assert meta["dropped"] == {"dev.broken_row": 1, "test.broken_row": 2}
    meta = prepare("p", "mmlu", {"archive": mmlu}, {"subject": "anatomy"}, 0, tmp_path / "anatomy")
    assert counts(meta) == [1, 1, 1]
    with pytest.raises(UserError, match=r"no member named alchemy_dev.csv. It holds: data/dev/anatomy_dev.csv"):
        prepare("p", "mmlu", {"archive": mmlu}, {"subject": "alchemy"}, 0, tmp_path / "x")
