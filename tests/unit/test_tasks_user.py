"""A user's own JSON Lines and data sets of the hub: one line each, no code."""

import json

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from linkbert.errors import UserError
from linkbert.metrics import score
from linkbert.tasks.prepare import prepare, read_examples

RECORDS = {
    "span": {"question": "Who?", "context": "Ann left.", "answers": [{"text": "Ann", "start": 0}]},
    "classification": {"text_a": "Good.", "label": "yes"},
    "multilabel": {"text_a": "Good.", "labels": ["yes", "no"]},
    "regression": {"text_a": "Good.", "text_b": "Fine.", "label": 0.5},
    "tagging": {"tokens": ["Ann", "left"], "tags": ["B-PER", "O"]},
    "choice": {"question": "Who?", "choices": ["Ann", "Bo"], "label": 1},
}


def write_lines(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def lay(path, records):
    """Test is dev, one file; train holds the first record once more, since equal splits are refused."""
    train = write_lines(path.with_name(f"train-{path.name}"), [*records, records[0]])
    return {"train": train} | dict.fromkeys(("dev", "test"), write_lines(path, records))


@pytest.mark.parametrize("kind", RECORDS)
def test_a_new_set_of_any_kind_is_read_and_scored(tmp_path, kind):
    files = lay(tmp_path / "mine.jsonl", [RECORDS[kind]] * 3)
    meta = prepare("mine", "jsonl", files, {"kind": kind}, 0, tmp_path / "out")
    examples = read_examples(tmp_path / "out", "test")
    assert [example["id"] for example in examples] == ["test-0", "test-1", "test-2"]
    assert {key: examples[0][key] for key in RECORDS[kind]} == RECORDS[kind]
    gold = {"span": "golds", "multilabel": "labels", "tagging": "tags"}.get(kind, "label")
    predictions = {e["id"]: e[gold][0] if kind == "span" else e[gold] for e in examples}
    if kind != "regression":  # a constant has no correlation
        assert next(iter(score(meta["metric"], examples, predictions).values())) == 100


def test_ids_golds_labels_and_columns(tmp_path):
    records = [{"key": n, "sentence": "x", "verdict": n % 2} for n in range(4)]
    files = lay(tmp_path / "mine.jsonl", [*records, {"key": 9, "sentence": "x", "verdict": 5}])
    options = {
        "kind": "classification",
        "labels": ["bad", "good"],
        "columns": {"id": "key", "text_a": "sentence", "label": "verdict"},
    }
    meta = prepare("mine", "jsonl", files, options, 0, tmp_path / "out")
    assert read_examples(tmp_path / "out", "dev")[1] == {"id": "1", "text_a": "x", "label": "good"}
    assert meta["labels"] == ["bad", "good"]
    assert meta["dropped"] == {"dev.broken_row": 1, "test.broken_row": 1, "train.broken_row": 1}
    squad_like = {
        "question": "Who?",
        "context": "Ann left.",
        "answers": {"text": ["Ann"], "answer_start": [0]},
        "golds": ["A"],
    }
    prepare("s", "jsonl", lay(tmp_path / "s.jsonl", [squad_like]), {"kind": "span"}, 0, tmp_path / "s")
    assert read_examples(tmp_path / "s", "dev")[0]["answers"] == [{"text": "Ann", "start": 0}]
    assert read_examples(tmp_path / "s", "dev")[0]["golds"] == ["A"]


def test_bad_lines_labels_and_repeated_ids_are_counted_and_named(tmp_path):
    records = [{"id": "a", "text_a": "x", "label": "yes"}, {"id": "a", "text_a": "y", "label": "maybe"}] * 2
    files = lay(tmp_path / "mine.jsonl", [*records, {"id": "b"}, {"id": "c", "text_a": 3, "label": "yes"}, 7])
    options = {"kind": "classification", "labels": ["yes", "no"]}
    meta = prepare("mine", "jsonl", files, options, 0, tmp_path / "out")
    assert meta["counts"]["test"] == 2
    assert meta["dropped"]["test.broken_row"] == 3
    assert meta["dropped"]["test.unknown_label"] == 2
    assert [example["id"] for example in read_examples(tmp_path / "out", "test")] == ["a", "a-2"]
    assert "test: 1 examples repeat an id; a number is added to theirs" in meta["warnings"]


# Values of a wrong type, which must become neither labels nor answers: kind -> (field, values).
WRONG = {
    "span": [
        ("answers", [None, "Ann", [3], [{"text": None, "start": 0}], [{"text": "Ann", "start": 0.5}]]),
        ("golds", ["Ann", [3]]),
        ("question", [None, 3]),
        ("context", [["Ann"]]),
    ],
    "classification": [("label", [None, 1.5, ["yes"], {}, ""]), ("text_a", [None]), ("text_b", [3])],
    "multilabel": [("labels", [None, "yes", [None], [["yes"]]])],
    "regression": [("label", [True, None, [1], "high"])],
    "tagging": [("tokens", [None, "ab", [], ["a"], ["a", ""], ["a", 3]]), ("tags", [None, "BO", ["O"], ["O", None]])],
    "choice": [("choices", [None, "ab", {"A": "a", "B": "b"}, ["a"], ["a", None]]), ("label", [None, True, 0.5, "A"])],
}


@pytest.mark.parametrize("kind", WRONG)
def test_values_of_a_wrong_type_are_counted_and_named_and_never_read_as_something_else(tmp_path, kind, caplog):
    wrong = [{**RECORDS[kind], field: value} for field, values in WRONG[kind] for value in values]
    files = lay(tmp_path / "mine.jsonl", [RECORDS[kind], *wrong])
    meta = prepare("mine", "jsonl", files, {"kind": kind}, 0, tmp_path / "out")
    reason = "label_not_a_number" if kind == "regression" else "broken_row"
    assert meta["dropped"] == {f"{split}.{reason}": len(wrong) for split in ("train", "dev", "test")}
    assert [meta["counts"][split] for split in ("train", "dev", "test")] == [2, 1, 1]
    first = "example train-1" if kind == "regression" else "line 2"
    assert f"train.{reason}: {len(wrong)} left out, the first is {first}" in caplog.text
    labels = {"classification": ["yes"], "multilabel": ["no", "yes"], "tagging": ["B-PER", "O"]}
    assert meta["labels"] == labels.get(kind, [])


def test_half_a_surrogate_pair_is_a_broken_row(tmp_path):
    half = "half \ud83d"
    broken = [
        *(
            {"text_a": half, "label": "yes"},
            {"text_a": "x", "text_b": half, "label": "yes"},
            {"text_a": "x", "label": half},
        ),
        *({"id": half, "text_a": "x", "label": "yes"}, {"text_a": "x", "label": "yes", "group": half}),
    ]
    files = lay(tmp_path / "c.jsonl", [{"text_a": "a whole \U0001f600", "label": "yes"}, *broken])
    meta = prepare("c", "jsonl", files, {"kind": "classification"}, 0, tmp_path / "c")
    assert (meta["dropped"]["test.broken_row"], meta["labels"]) == (len(broken), ["yes"])
    assert [example["text_a"] for example in read_examples(tmp_path / "c", "test")] == ["a whole \U0001f600"]
    for kind, field, value in (
        ("span", "golds", [half]),
        ("choice", "choices", ["a", half]),
        ("tagging", "tokens", ["a", half]),
        ("tagging", "tags", ["O", half]),
        ("multilabel", "labels", [half]),
    ):
        files = lay(tmp_path / f"{field}.jsonl", [RECORDS[kind], {**RECORDS[kind], field: value}])
        meta = prepare("m", "jsonl", files, {"kind": kind}, 0, tmp_path / field)
        assert meta["dropped"] == {f"{split}.broken_row": 1 for split in ("train", "dev", "test")}


def test_groups_are_names_and_the_metric_of_groups_wants_one_of_every_example(tmp_path):
    records = [{"text_a": f"t{n}", "label": "ab"[n % 2], "group": n % 2} for n in range(4)]
    files = lay(tmp_path / "g.jsonl", [*records, {**records[0], "group": ["x"]}])
    meta = prepare("g", "jsonl", files, {"kind": "classification"}, 0, tmp_path / "g", metric="group_accuracy")
    assert (meta["counts"]["dev_0"], meta["counts"]["dev_1"], meta["dropped"]["dev.broken_row"]) == (2, 2, 1)
    examples = read_examples(tmp_path / "g", "test")
    found = score("group_accuracy", examples, {example["id"]: example["label"] for example in examples})
    assert (found["accuracy"], found["accuracy_0"], found["accuracy_1"]) == (100, 100, 100)
    lacking = [*records, {"text_a": "t5", "label": "a"}]
    files = lay(tmp_path / "l.jsonl", lacking)
    with pytest.raises(UserError, match=r"l, dev: 1 of 5 examples have no 'group', which the metric group_accuracy"):
        prepare("l", "jsonl", files, {"kind": "classification"}, 0, tmp_path / "l", metric="group_accuracy")
    assert prepare("l", "jsonl", files, {"kind": "classification"}, 0, tmp_path / "l")["counts"]["dev_0"] == 2


def test_an_empty_gold_answer_is_no_answer(tmp_path):
    empty = {"question": "Who?", "context": "Ann left.", "answers": [{"text": "", "start": 0}]}
    half = {**RECORDS["span"], "golds": ["Ann", " "]}
    files = lay(tmp_path / "s.jsonl", [RECORDS["span"], empty, half])
    meta = prepare("s", "jsonl", files, {"kind": "span"}, 0, tmp_path / "out")
    assert {name: number for name, number in meta["dropped"].items() if name.startswith("test")} == {
        "test.answer_not_at_offset": 1,
        "test.empty_gold_answer": 2,
        "test.no_gold_answer": 1,
    }
    assert [example["golds"] for example in read_examples(tmp_path / "out", "test")] == [["Ann"], ["Ann"]]
    assert meta["dropped"]["train.empty_gold_answer"] == 2  # else every distractor would seem to hold the answer
    assert [example["golds"] for example in read_examples(tmp_path / "out", "train")] == [["Ann"]] * 3


def test_one_file_is_divided(tmp_path):
    file = write_lines(tmp_path / "mine.jsonl", [{"text_a": str(n), "label": "x"} for n in range(10)])
    options = {"kind": "classification", "divide": {"data": {"train": 0.8, "dev": 0.1, "test": 0.1}}}
    meta = prepare("mine", "jsonl", {"data": file}, options, 0, tmp_path / "out")
    assert [meta["counts"][split] for split in ("train", "dev", "test")] == [8, 1, 1]
    assert meta["divided"] == {"data": "train 0.8 : dev 0.1 : test 0.1, by seed"}


def test_mistakes_are_sentences(tmp_path):
    file = write_lines(tmp_path / "mine.jsonl", [RECORDS["choice"]])
    with pytest.raises(UserError, match="needs the option kind"):
        prepare("mine", "jsonl", {"train": file}, {}, 0, tmp_path / "out")
    with pytest.raises(UserError, match="Did you mean 'tagging'"):
        prepare("mine", "jsonl", {"train": file}, {"kind": "taging"}, 0, tmp_path / "out")
    with pytest.raises(UserError, match="unknown field 'text'"):
        prepare("mine", "jsonl", {"train": file}, {"kind": "regression", "columns": {"text": "x"}}, 0, tmp_path / "out")
    with pytest.raises(UserError, match=r"split 'dev' has no examples. Read: train 1"):
        prepare("mine", "jsonl", {"train": file}, {"kind": "choice"}, 0, tmp_path / "out")


@pytest.fixture
def hub(tmp_path):
    """A folder as the hub has it: parquet with the label names in its schema, a second configuration beside."""
    features = {
        "sentence1": {"dtype": "string", "_type": "Value"},
        "label": {"names": ["entails", "not"], "_type": "ClassLabel"},
        "ner_tags": {"feature": {"names": ["O", "B-X"], "_type": "ClassLabel"}, "_type": "List"},
    }
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    for config, number in (("rte", 4), ("cola", 2)):
        for split in ("train", "validation", "test"):
            table = arrow.table(
                {
                    "sentence1": [f"{config} {split} {n}" for n in range(number)],
                    "label": [-1 if split == "test" else n % 2 for n in range(number)],
                    "words": [[split, "b"]] * number,
                    "ner_tags": [[1, 0]] * number,
                }
            ).replace_schema_metadata(metadata)
            path = tmp_path / "hub" / config / f"{split}-00000-of-00001.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            parquet.write_table(table, path)
    return tmp_path / "hub"


def test_hub_reads_parquet_with_its_label_names(tmp_path, hub):
    options = {
        "kind": "classification",
        "config": "rte",
        "columns": {"text_a": "sentence1"},
        "splits": {"train": "train", "dev": "validation", "test": "validation"},
    }
    meta = prepare("h", "hub", {"data": hub}, options, 0, tmp_path / "out")
    assert [meta["counts"][split] for split in ("train", "dev", "test")] == [4, 4, 4]
    assert meta["test_is_dev"] is True
    assert read_examples(tmp_path / "out", "dev")[1] == {"id": "dev-1", "text_a": "rte validation 1", "label": "not"}
    assert meta["labels"] == ["entails", "not"]
    with pytest.raises(UserError, match=r"Dropped: test.unknown_label 4"):  # hidden test labels are -1
        prepare("h", "hub", {"data": hub}, {**options, "splits": {s: s for s in ("train", "test")}}, 0, tmp_path / "x")


def test_hub_reads_tags_json_lines_and_csv(tmp_path, hub):
    columns = {"tokens": "words", "tags": "ner_tags"}
    options = {"kind": "tagging", "config": "rte", "columns": columns}
    meta = prepare("h", "hub", {"data": hub}, options, 0, tmp_path / "out")
    assert meta["labels"] == ["O", "B-X"]
    assert read_examples(tmp_path / "out", "test")[0]["tags"] == ["B-X", "O"]
    folder = tmp_path / "plain"
    folder.mkdir()
    write_lines(folder / "train.jsonl", [RECORDS["regression"]] * 2)
    (folder / "validation.csv").write_text('text_a,text_b,label\n"a, b",c,1.5\n')
    (folder / "test.csv").write_text("text_a,text_b,label\nx,y,high\nx,y,2\n")
    meta = prepare("h", "hub", {"data": folder}, {"kind": "regression"}, 0, tmp_path / "plain-out")
    assert read_examples(tmp_path / "plain-out", "dev")[0] == {
        "id": "dev-0",
        "text_b": "c",
        "text_a": "a, b",
        "label": 1.5,
    }
    assert meta["dropped"] == {"test.label_not_a_number": 1}
    (folder / "broken_train.parquet").write_bytes(b"PAR1")
    with pytest.raises(UserError, match=r"broken_train.parquet: not a whole parquet file"):
        prepare("h", "hub", {"data": folder}, {"kind": "regression"}, 0, tmp_path / "x")
    with pytest.raises(UserError, match="no file of the splits wanted"):
        prepare("h", "hub", {"data": hub}, {"kind": "tagging", "splits": {"dev": "nowhere"}}, 0, tmp_path / "x")


def test_hub_keeps_groups_apart_and_configurations_too(tmp_path):
    folder = tmp_path / "glue"
    (folder / "mnli").mkdir(parents=True)
    (folder / "mnli_matched").mkdir()
    for name, number in (("train", 3), ("validation_matched", 2), ("validation_mismatched", 1)):
        write_lines(folder / "mnli" / f"{name}-00000-of-00001.jsonl", [{"text_a": name, "label": "x"}] * number)
    write_lines(folder / "mnli_matched" / "train.jsonl", [{"text_a": "of another configuration", "label": "x"}])
    groups = {"matched": "validation_matched", "mismatched": "validation_mismatched"}
    options = {"kind": "classification", "config": "mnli"}
    options["splits"] = {"train": "train", "dev": groups, "test": groups}
    meta = prepare("m", "hub", {"data": folder}, options, 0, tmp_path / "out", metric="group_accuracy")
    assert (meta["counts"]["train"], meta["counts"]["dev_matched"], meta["counts"]["dev_mismatched"]) == (3, 2, 1)
    examples = read_examples(tmp_path / "out", "dev")
    assert [(e["id"], e["text_a"], e["group"]) for e in examples][1:] == [
        ("dev-1", "validation_matched", "matched"),
        ("dev-2", "validation_mismatched", "mismatched"),
    ]
