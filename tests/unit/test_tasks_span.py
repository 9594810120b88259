"""Extractive question answering: MRQA, SQuAD, halves, distractors, few-shot."""

import gzip
import json
import re

import pytest

from linkbert.errors import UserError
from linkbert.tasks.prepare import prepare, read_examples

SPLITS = ("train", "dev", "test")


def mrqa_line(number, context, *answers):
    """A line of the MRQA format; an answer is (text, start) and its end is inclusive."""
    detected = [
        {"text": text, "char_spans": [[start, start + len(text) - 1], [0, 1]], "token_spans": [[0, 0]]}
        for text, start in answers
    ]
    question = {
        "qid": f"q{number}",
        "question": f" Where is thing {number}? ",
        "detected_answers": detected,
        "answers": [text for text, _ in answers] + ["an alias"],
    }
    return {"context": context, "qas": [question]}


def write_mrqa(path, lines):
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write(json.dumps({"header": {"dataset": "Invented", "split": "train"}}) + "\n")
        for line in lines:
            file.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
    return path


@pytest.fixture
def mrqa(tmp_path):
    train = [mrqa_line(n, f"Thing {n:02} is in hall {n}.", (f"hall {n}", 15)) for n in range(20)]
    dev = [mrqa_line(n, f"Box {n:02} is in room {n}.", (f"room {n}", 13), ("Box", 0)) for n in range(12)]
    return {"train": write_mrqa(tmp_path / "train.jsonl.gz", train), "dev": write_mrqa(tmp_path / "dev.jsonl.gz", dev)}


def read_all(folder):
    return {split: read_examples(folder, split) for split in SPLITS}


def test_mrqa_fields(mrqa, tmp_path):
    meta = prepare("news", "mrqa", mrqa, {}, 0, tmp_path / "out")
    splits = read_all(tmp_path / "out")
    assert splits["train"][3] == {
        "id": "q3",
        "question": "Where is thing 3?",
        "context": "Thing 03 is in hall 3.",
        "answers": [{"text": "hall 3", "start": 15}],
        "golds": ["hall 3"],
    }
    assert meta["dropped"] == {}
    assert (meta["kind"], meta["metric"], meta["labels"]) == ("span", "squad", [])


def test_mrqa_halves_dev_by_context_and_seed(mrqa, tmp_path):
    meta = prepare("news", "mrqa", mrqa, {}, 0, tmp_path / "a")
    assert (meta["counts"]["dev"], meta["counts"]["test"]) == (6, 6)
    assert meta["split"] == "dev halved by context, by seed"
    first = read_all(tmp_path / "a")
    assert not {e["id"] for e in first["dev"]} & {e["id"] for e in first["test"]}
    prepare("other name", "mrqa", mrqa, {}, 0, tmp_path / "b")
    assert first == read_all(tmp_path / "b")  # a variant of a task has the same halves
    prepare("news", "mrqa", mrqa, {}, 1, tmp_path / "c")
    assert first["dev"] != read_examples(tmp_path / "c", "dev")


def test_mrqa_index_file_counts_lines_without_the_header(mrqa, tmp_path):
    index = tmp_path / "index.json"
    index.write_text(json.dumps({"dev": [0, 2, 11], "test": [1, 3]}))
    meta = prepare("news", "mrqa", mrqa | {"split": index}, {}, 0, tmp_path / "out")
    splits = read_all(tmp_path / "out")
    assert [e["id"] for e in splits["dev"]] == ["q0", "q2", "q11"]
    assert [e["id"] for e in splits["test"]] == ["q1", "q3"]
    assert meta["dropped"]["dev.not_in_index_file"] == 7
    index.write_text(json.dumps({"dev": [0], "test": [0]}))
    with pytest.raises(UserError, match="listed twice"):
        prepare("news", "mrqa", mrqa | {"split": index}, {}, 0, tmp_path / "out")
    index.write_text(json.dumps({"development": [0]}))
    with pytest.raises(UserError, match="unknown split 'development'"):
        prepare("news", "mrqa", mrqa | {"split": index}, {}, 0, tmp_path / "out")


def test_mrqa_golds_are_the_authors_or_the_shared_tasks(mrqa, tmp_path):
    prepare("news", "mrqa", mrqa, {}, 0, tmp_path / "a")
    prepare("news", "mrqa", mrqa, {"golds": "answers"}, 0, tmp_path / "b")
    ours, official = (read_examples(tmp_path / name, "dev")[0] for name in "ab")
    assert official["golds"] == [*ours["golds"], "an alias"]
    with pytest.raises(UserError, match="option 'golds' is 'all'"):
        prepare("news", "mrqa", mrqa, {"golds": "all"}, 0, tmp_path / "c")


def test_mrqa_bad_lines_are_counted_and_scores_keep_their_questions(mrqa, tmp_path):
    wrong = mrqa_line(90, "Nothing here.", ("elsewhere", 3))
    shouted = mrqa_line(91, "It is in ROME now.", ("Rome", 9))
    dev = [wrong, mrqa_line(92, "A b.", ("b", 2)), "{broken", {"context": "no questions"}, shouted]
    files = mrqa | {
        "train": write_mrqa(
            tmp_path / "bad.jsonl.gz", [wrong, "{broken", mrqa_line(93, "He is in ROME.", ("Rome", 9))]
        ),
        "dev": write_mrqa(tmp_path / "dev2.jsonl.gz", dev),
    }
    meta = prepare("news", "mrqa", files, {}, 0, tmp_path / "out")
    splits = read_all(tmp_path / "out")
    assert [e["answers"] for e in splits["train"]] == [[{"text": "ROME", "start": 9}]]
    assert meta["dropped"]["train.no_answer_in_context"] == 1
    assert meta["dropped"]["train.answer_not_at_offset"] == 1
    assert meta["dropped"]["train.broken_row"] == 1
    assert meta["dropped"]["dev.broken_row"] == 2
    kept = {e["id"]: e for e in splits["dev"] + splits["test"]}
    assert kept.keys() == {"q90", "q91", "q92"}
    assert (kept["q90"]["answers"], kept["q90"]["golds"]) == ([], ["elsewhere"])


def test_mrqa_one_bad_question_costs_itself_alone(mrqa, tmp_path):
    def context(number, *changes):
        """Four questions on a context; a change is (place, key, value), None as value takes the key away."""
        line = mrqa_line(number, f"Ada keeps lamp {number}.", ("Ada", 0))
        questions = [{**line["qas"][0], "qid": f"{number}-{n}"} for n in range(4)]
        for place, key, value in changes:
            questions[place] = {name: old for name, old in questions[place].items() if name != key}
            if value is not None:
                questions[place][key] = value
        return {**line, "qas": questions}

    unplaced = (1, "detected_answers", [{"text": "Ada", "char_spans": []}])
    unread = (2, "detected_answers", [{"text": None, "char_spans": [[0, 2]]}])
    bad = context(0, unplaced, unread, (3, "question", None))
    files = {
        "train": write_mrqa(tmp_path / "t.gz", [bad, context(1)]),
        "dev": write_mrqa(tmp_path / "d.gz", [bad, context(2), {**bad, "context": None}]),
    }
    meta = prepare("n", "mrqa", files, {}, 0, tmp_path / "out")
    splits = read_all(tmp_path / "out")
    assert [e["id"] for e in splits["train"]] == ["0-0", *(f"1-{n}" for n in range(4))]
    kept = {e["id"]: e for e in splits["dev"] + splits["test"]}
    assert kept.keys() == {"0-0", "0-1", *(f"2-{n}" for n in range(4))}
    assert (kept["0-1"]["answers"], kept["0-1"]["golds"]) == ([], ["Ada"])  # its gold is read, so it is scored
    assert (meta["dropped"]["train.broken_row"], meta["dropped"]["dev.broken_row"]) == (2, 2 + 4)
    assert (meta["dropped"]["train.no_answer_in_context"], meta["dropped"]["train.answer_not_at_offset"]) == (1, 1)
    files["dev"] = write_mrqa(tmp_path / "d.gz", [context(0, (1, "detected_answers", None)), context(2)])
    meta = prepare("n", "mrqa", files, {"golds": "answers"}, 0, tmp_path / "answers")
    assert not [name for name in meta["dropped"] if name.startswith("dev")]
    assert meta["counts"]["dev"] + meta["counts"]["test"] == 8


def test_a_context_that_occurs_twice_is_in_one_split(mrqa, tmp_path):
    """Twelve contexts, each in two articles or on two lines, as SQuAD-like sets and MRQA have some."""
    twice = [(n, f"Box {n:02} is in room {n}.") for n in range(12)] * 2
    paragraphs = [
        {
            "context": text,
            "qas": [{"id": f"{n}", "question": "Where?", "answers": [{"text": "Box", "answer_start": 0}]}],
        }
        for n, text in twice
    ]
    data = [{"title": "one", "paragraphs": paragraphs[:12]}, {"title": "two", "paragraphs": paragraphs[12:]}]
    (tmp_path / "s.json").write_text(json.dumps({"data": data}))
    train = squad_file(tmp_path / "t.json", articles=1)
    lines = [mrqa_line(number, text, ("Box", 0)) for number, (_, text) in enumerate(twice)]
    mrqa["dev"] = write_mrqa(tmp_path / "twice.gz", lines)
    prepare("s", "squad", {"train": train, "dev": tmp_path / "s.json"}, {}, 0, tmp_path / "halves")
    prepare("s", "squad", {"data": tmp_path / "s.json"}, {"split_by_context": [1, 1, 1]}, 0, tmp_path / "thirds")
    prepare("m", "mrqa", mrqa, {}, 0, tmp_path / "mrqa")
    for name in ("halves", "thirds", "mrqa"):
        contexts = [{e["context"] for e in examples} for examples in read_all(tmp_path / name).values()]
        assert sum(map(len, contexts)) == len(set.union(*contexts))


def test_distractors_avoid_the_answer_although_a_gold_is_empty(tmp_path):
    """ "" is in every context, so that each would count as holding the answer."""
    spans = [
        {"question": "Who?", "context": f"{'Ada' if n < 20 else 'Bo'} {n}.", "golds": ["Ada", ""]} for n in range(30)
    ]
    for span in spans:
        span |= {"answers": [{"text": span["context"].split()[0], "start": 0}]}
    for split, few in (("train", spans), ("dev", spans[1:]), ("test", spans[2:])):
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(span) + "\n" for span in few))
    files = {split: tmp_path / f"{split}.jsonl" for split in SPLITS}
    meta = prepare("s", "jsonl", files, {"kind": "span", "distractors": [1]}, 0, tmp_path / "out")
    assert not [sentence for sentence in meta["warnings"] if "hold the answer" in sentence]
    for example in read_examples(tmp_path / "out", "train"):
        assert "Bo" in example["context"]  # each has a distractor without the answer's words, or is about Bo
    assert meta["dropped"]["train.empty_gold_answer"] == 30


def squad_file(path, articles, contexts=3, questions=2):
    """Invented SQuAD JSON; ids are <article>-<context>-<question>."""
    data = []
    for a in range(articles):
        paragraphs = []
        for c in range(contexts):
            qas = [
                {
                    "id": f"{a}-{c}-{q}",
                    "question": "Who?",
                    "answers": [{"text": f"Person{a}{c}", "answer_start": 9}] * 2,
                }
                for q in range(questions)
            ]
            paragraphs.append({"context": f"Story {a}: Person{a}{c} went home.", "qas": qas})
        data.append({"title": f"T{a}", "paragraphs": paragraphs})
    path.write_text(json.dumps({"version": "1.1", "data": data}))
    return path


def test_squad_by_article_by_context_and_by_halves(tmp_path):
    file = squad_file(tmp_path / "s.json", articles=10)
    meta = prepare("s", "squad", {"data": file}, {"split_by_article": [0.8, 0.1, 0.1]}, 0, tmp_path / "a")
    assert [meta["counts"][split] for split in SPLITS] == [48, 6, 6]
    articles = [{e["id"].split("-")[0] for e in examples} for examples in read_all(tmp_path / "a").values()]
    assert [len(found) for found in articles] == [8, 1, 1]
    assert len(set.union(*articles)) == 10
    meta = prepare("s", "squad", {"data": file}, {"split_by_context": [1, 1, 1]}, 0, tmp_path / "c")
    assert [meta["counts"][f"{split}_contexts"] for split in SPLITS] == [10, 10, 10]
    meta = prepare("s", "squad", {"train": file, "dev": file}, {}, 0, tmp_path / "h")
    assert [meta["counts"][f"{split}_contexts"] for split in SPLITS] == [30, 15, 15]
    assert read_examples(tmp_path / "a", "train")[0]["golds"] == ["Person00"]


def test_squad_says_what_it_needs(tmp_path):
    file = squad_file(tmp_path / "s.json", articles=1)
    with pytest.raises(UserError, match="needs the option split_by_article or split_by_context"):
        prepare("s", "squad", {"data": file}, {}, 0, tmp_path / "out")
    with pytest.raises(UserError, match="three positive sizes"):
        prepare("s", "squad", {"data": file}, {"split_by_article": [1, 1]}, 0, tmp_path / "out")
    with pytest.raises(UserError, match="split 'train' has no examples"):  # one article cannot make three splits
        prepare("s", "squad", {"data": file}, {"split_by_article": [1, 1, 1]}, 0, tmp_path / "out")
    file.write_text("[]")
    with pytest.raises(UserError, match="not SQuAD's format"):
        prepare("s", "squad", {"train": file, "dev": file}, {}, 0, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_distractors_move_the_answers_with_their_context(tmp_path):
    file = squad_file(tmp_path / "s.json", articles=20)
    options = {"split_by_article": [0.6, 0.2, 0.2]}
    prepare("s", "squad", {"data": file}, options, 0, tmp_path / "plain")
    prepare("s", "squad", {"data": file}, options | {"distractors": [1, 2]}, 0, tmp_path / "out")
    before_after, before, after, pairs = set(), 0, 0, []
    for split in SPLITS:
        plain, examples = read_examples(tmp_path / "plain", split), read_examples(tmp_path / "out", split)
        pool = {example["context"] for example in plain}
        numbers = set()
        for one, other in zip(plain, examples, strict=True):
            assert (one["id"], one["question"], one["golds"]) == (other["id"], other["question"], other["golds"])
            documents = other["context"].split("\n\n")
            assert set(documents) <= pool  # nothing comes from another split
            assert len(set(documents)) == len(documents)
            distractors = [document for document in documents if document != one["context"]]
            assert len(distractors) == len(documents) - 1
            assert not any(gold in document for gold in one["golds"] for document in distractors)
            numbers.add(len(distractors))
            before_after.add(place := documents.index(one["context"]))
            before, after = before + place, after + len(distractors) - place
            pairs.append(len(distractors) == 2)
            for answer in other["answers"]:
                assert other["context"][answer["start"] :].startswith(answer["text"])
                assert one["context"] in other["context"][: answer["start"]] + other["context"][answer["start"] :]
        assert numbers == {1, 2}
    assert before_after == {0, 1, 2}
    assert len(pairs) > 70 and 0.4 < sum(pairs) / len(pairs) < 0.6 and 0.4 < before / (before + after) < 0.6


def test_distractors_do_not_depend_on_other_questions(tmp_path):
    file = squad_file(tmp_path / "s.json", articles=20)
    options = {"split_by_article": [0.6, 0.2, 0.2], "distractors": [1, 2]}
    prepare("s", "squad", {"data": file}, options, 3, tmp_path / "a")
    prepare("s", "squad", {"data": file}, options, 3, tmp_path / "b")
    prepare("s", "squad", {"data": file}, options, 4, tmp_path / "c")
    assert read_all(tmp_path / "a") == read_all(tmp_path / "b")
    assert read_examples(tmp_path / "a", "train") != read_examples(tmp_path / "c", "train")


def test_distractors_that_cannot_avoid_the_answer_are_named(tmp_path):
    lines = [mrqa_line(n, f"a house {n}", ("a", 0)) for n in range(8)]
    files = {role: write_mrqa(tmp_path / f"{role}.gz", lines) for role in ("train", "dev")}
    meta = prepare("s", "mrqa", files, {"distractors": [1]}, 0, tmp_path / "out")
    assert "train: 8 distractors hold the answer's words: too few contexts do not" in meta["warnings"]
    with pytest.raises(UserError, match="too few for 9 distractors"):
        prepare("s", "mrqa", files, {"distractors": [9]}, 0, tmp_path / "out2")
    with pytest.raises(UserError, match="must list whole numbers"):
        prepare("s", "mrqa", files, {"distractors": [0]}, 0, tmp_path / "out2")


def test_few_shot_is_nested_by_question_and_leaves_dev_and_test(mrqa, tmp_path):
    prepare("s", "mrqa", mrqa, {}, 0, tmp_path / "all")
    ids = {}
    for fraction in (0.1, 0.5):
        meta = prepare("s", "mrqa", mrqa, {"fraction": fraction}, 0, tmp_path / str(fraction))
        ids[fraction] = [e["id"] for e in read_examples(tmp_path / str(fraction), "train")]
        assert len(ids[fraction]) == meta["counts"]["train"] == 20 * fraction
        for split in ("dev", "test"):
            assert read_examples(tmp_path / str(fraction), split) == read_examples(tmp_path / "all", split)
    assert set(ids[0.1]) < set(ids[0.5])
    assert ids[0.5] == sorted(ids[0.5], key=lambda name: int(re.sub(r"\D", "", name)))  # the file's order is kept
    with pytest.raises(UserError, match="must lie in"):
        prepare("s", "mrqa", mrqa, {"fraction": 10}, 0, tmp_path / "x")


def test_a_very_long_context_is_kept_and_named(tmp_path):
    long = "word " * 50_000 + "end"
    lines = [mrqa_line(0, long, ("end", len(long) - 3)), mrqa_line(1, "the end", ("end", 4))]
    files = {role: write_mrqa(tmp_path / f"{role}.gz", lines) for role in ("train", "dev")}
    meta = prepare("s", "mrqa", files, {}, 0, tmp_path / "out")
    assert meta["counts"]["train"] == 2
    assert "train: 1 examples hold a text of more than 100,000 characters" in meta["warnings"]
