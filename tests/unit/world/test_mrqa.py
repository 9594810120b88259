"""Question answering in the form of MRQA: offsets that hold, each set's own style, pages that need each other."""

import gzip
import json
from pathlib import Path

import pytest

from linkbert.world.facts import World
from linkbert.world.mrqa import SETS, tokens

TRAIN, TEST = 120, 48  # examples of the scale "small"


def lines_of(folder: Path, name: str, split: str) -> tuple[dict, list[dict]]:
    text = gzip.decompress((folder / f"mrqa-{name}-{split}.jsonl.gz").read_bytes()).decode()
    header, *lines = map(json.loads, text.splitlines())
    return header, lines


@pytest.mark.parametrize("name", SETS)
def test_mrqa_offsets_and_sizes(folder: Path, name: str) -> None:
    contexts = {}
    for split, number in (("train", TRAIN), ("dev", 2 * TEST)):
        header, lines = lines_of(folder, name, split)
        assert header == {"header": {"dataset": SETS[name][0], "split": split}}
        contexts[split] = {line["context"] for line in lines}
        questions = [qa for line in lines for qa in line["qas"]]
        assert len(questions) == number and len({qa["qid"] for qa in questions}) == number
        for line in lines:
            context, words = line["context"], line["context_tokens"]
            assert all(context[start : start + len(word)] == word for word, start in words)
            for qa in line["qas"]:
                assert qa["question_tokens"] == tokens(qa["question"])
                for answer in qa["detected_answers"]:
                    assert answer["char_spans"] and answer["text"] in qa["answers"]
                    for (start, end), (first, last) in zip(answer["char_spans"], answer["token_spans"], strict=True):
                        assert context[start : end + 1] == answer["text"]
                        assert words[first][1] == start
                        assert words[last][1] + len(words[last][0]) == end + 1
    assert not contexts["train"] & contexts["dev"]


@pytest.mark.parametrize("name", SETS)
def test_mrqa_index_files_cover_the_dev_lines(folder: Path, name: str) -> None:
    _, lines = lines_of(folder, name, "dev")
    split = json.loads((folder / f"inhouse_split_{SETS[name][1]}.json").read_text())
    assert set(split) == {"dev", "test"}
    assert sorted(split["dev"] + split["test"]) == list(range(len(lines)))
    assert len(split["dev"]) == len(split["test"])


def test_mrqa_styles(folder: Path) -> None:
    first = {name: lines_of(folder, name, "train")[1] for name in SETS}
    assert all(line["context"].count("[PAR] [TLE] ") == 2 and "[SEP]" in line["context"] for line in first["hotpotqa"])
    assert all(line["context"].startswith("[DOC] [TLE] ") for line in first["triviaqa"] + first["searchqa"])
    assert all(line["context"].startswith("<P> ") for line in first["naturalquestions"])
    assert any(len(a["char_spans"]) > 1 for line in first["triviaqa"] for a in line["qas"][0]["detected_answers"])
    assert any(len(qa["answers"]) > 1 for lines in first.values() for line in lines for qa in line["qas"])
    assert not any(line["qas"][0]["question"].endswith("?") for line in first["searchqa"])


def test_a_hotpot_question_needs_both_documents(made: tuple[World, Path]) -> None:
    """The page in the question does not name the thing that is asked about, but names the page that does."""
    _, folder = made
    linked = 0
    lines = lines_of(folder, "hotpotqa", "train")[1]
    for line in lines:
        parts = line["context"].split("[PAR] [TLE] ")[1:]
        pages = {part.split(" [SEP] ")[0]: part for part in parts}
        asked = [title for title in pages if title.split(" (")[0] in line["qas"][0]["question"]]
        others = [title.split(" (")[0] for title in pages if title not in asked]
        linked += any(other in pages[title] for title in asked for other in others)
    assert linked >= 0.95 * len(lines)
