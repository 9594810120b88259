"""Medical exams in the formats of MedQA and MMLU, with the answers that the world's facts give."""

import csv
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

from linkbert.world.facts import World

TRAIN, TEST = 120, 48  # examples of the scale "small"


def test_medqa_and_mmlu(made: tuple[World, Path], members: Callable) -> None:
    world, folder = made
    found = members(folder / "medqa-usmle.zip")
    for split, number in (("train", TRAIN), ("dev", TEST), ("test", TEST)):
        lines = found[f"questions/US/4_options/phrases_no_exclude_{split}.jsonl"].decode().splitlines()
        assert len(lines) == number
        for line in map(json.loads, lines):
            assert list(line["options"]) == list("ABCD") and len(set(line["options"].values())) == 4
            assert line["options"][line["answer_idx"]] == line["answer"]
            for disease in world.kinds["disease"]:
                if f"{disease.name.capitalize()} is diagnosed" in line["question"]:
                    assert line["answer"] == world.the("choice", disease).name
    with tarfile.open(folder / "mmlu-data.tar") as archive:
        texts = {member.name: archive.extractfile(member).read().decode() for member in archive}
    assert set(texts) == {f"data/{s}/professional_medicine_{s}.csv" for s in ("dev", "val", "test")}
    for name, text in texts.items():
        table = list(csv.reader(io.StringIO(text)))
        assert all(len(row) == 6 and row[5] in "ABCD" for row in table)
        assert len(table) == {"dev": 5, "val": TEST // 4, "test": TEST}[name.split("/")[1]]
