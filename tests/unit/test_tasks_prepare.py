"""The stage as a whole: options, checks, meta data, bytes, the command."""

import gzip
import json

import pytest

import prepare_task
from linkbert.errors import UserError
from linkbert.files import read_json, read_meta
from linkbert.tasks import base
from linkbert.tasks.base import cut_points, load_reader
from linkbert.tasks.declared import OPTIONS
from linkbert.tasks.prepare import prepare, read_examples
from linkbert.tasks.records import FIELDS

SPLITS = ("train", "dev", "test")


@pytest.fixture
def files(tmp_path):
    (tmp_path / "in").mkdir()
    for split, number in (("train", 30), ("dev", 10), ("test", 12)):
        lines = (json.dumps({"text_a": f"{split} {n}", "label": "ab"[n % 2]}) for n in range(number))
        (tmp_path / "in" / f"{split}.jsonl").write_text("\n".join(lines))
    return {split: tmp_path / "in" / f"{split}.jsonl" for split in SPLITS}


def make(files, output, seed=0, metric="", **options):
    return prepare("mine", "jsonl", files, {"kind": "classification", **options}, seed, output, metric=metric)


def test_equal_work_gives_equal_bytes(tmp_path, files):
    make(files, tmp_path / "a", limit={"train": 7})
    make(files, tmp_path / "b", limit={"train": 7})
    names = sorted(file.name for file in (tmp_path / "a").iterdir())
    assert names == ["dev.jsonl.gz", "meta.json", "test.jsonl.gz", "train.jsonl.gz"]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert str(tmp_path) not in (tmp_path / "a/meta.json").read_text()
    with gzip.open(tmp_path / "a/train.jsonl.gz", "rt") as file:
        assert sum(1 for _ in file) == 7


def test_meta_says_all_that_later_stages_ask(tmp_path, files):
    meta = make(files, tmp_path / "out", expected={"train": 31, "dev": 10})
    assert meta == read_meta(tmp_path / "out", "tasks")
    assert meta["counts"] == {"train": 30, "dev": 10, "test": 12, "dev_inputs_in_train": 0, "test_inputs_in_train": 0}
    assert meta["test_is_dev"] is False
    assert (meta["kind"], meta["labels"], meta["metric"]) == ("classification", ["a", "b"], "accuracy")
    assert meta["label_counts"]["dev"] == {"a": 5, "b": 5}
    assert meta["warnings"] == ["train: 30 read, 31 published"]
    assert meta["inputs"].keys() == set(SPLITS)
    assert meta["parameters"]["seed"] == 0


def test_the_declared_metric_is_what_the_task_is_scored_with(tmp_path, files):
    assert make(files, tmp_path / "a", metric="matthews")["metric"] == "matthews"
    assert make(files, tmp_path / "b", metric="relation_f1:a")["metric"] == "relation_f1:a"
    assert make(files, tmp_path / "c", metric="accuracy_f1:b")["metric"] == "accuracy_f1:b"


@pytest.mark.parametrize(
    ("kind", "metric", "sentence"),
    [
        ("", "mathews", r"unknown metric 'mathews'.*Did you mean 'matthews'"),
        ("", "pearson", r"pearson scores tasks of kind regression, not 'classification'. Known for .*: accuracy, "),
        ("", "accuracy_f1", r"accuracy_f1 asks for the label '1', which the task does not have. Known: a, b. Name one"),
        ("", "relation_f1:none", r"relation_f1:none asks for the label 'none'.*Known: a, b"),
        ("", "accuracy:a", r"the metric accuracy takes no argument, found 'a'"),
        ("", "group_accuracy", r"mine, dev: 10 of 10 examples have no 'group'"),
        ("tagging", "entity_f1", r'option, which must be the row\'s: {"kind": "tagging"}. Found: classification'),
    ],
)
def test_a_kind_or_a_metric_that_does_not_fit_is_refused(tmp_path, files, kind, metric, sentence):
    with pytest.raises(UserError, match=sentence):
        prepare("mine", "jsonl", files, {"kind": "classification"}, 0, tmp_path / "out", kind, metric)
    assert not (tmp_path / "out").exists()


def test_a_readers_own_kind_is_held_against_the_declared_one(tmp_path, files):
    sentence = r"x: the kind is declared as 'regression', but the reader hoc reads 'multilabel'"
    with pytest.raises(UserError, match=sentence):
        prepare("x", "hoc", {"archive": files["dev"]}, {}, 0, tmp_path / "out", "regression", "pearson")


def test_inputs_of_dev_and_test_that_stand_in_train_are_counted_and_kept(tmp_path, files):
    files["dev"].write_text('{"text_a": "TRAIN  3", "label": "b"}\n{"text_a": "own", "label": "a"}\n')
    meta = make(files, tmp_path / "out")
    assert (meta["counts"]["dev_inputs_in_train"], meta["counts"]["test_inputs_in_train"]) == (1, 0)
    assert (meta["counts"]["dev"], meta["warnings"]) == (2, ["dev: 1 of 2 inputs stand in train too"])
    options = {"divide": {"train": {"train": 3, "dev": 1, "test": 2}}}
    files["train"].write_text('{"tokens": ["a", "b"], "tags": ["O", "O"]}\n' * 6)
    tags = prepare("t", "jsonl", {"train": files["train"]}, {"kind": "tagging", **options}, 0, tmp_path / "tags")
    assert (tags["counts"]["dev_inputs_in_train"], tags["counts"]["test_inputs_in_train"]) == (1, 2)


@pytest.mark.parametrize(("one", "other"), [("train", "dev"), ("train", "test"), ("dev", "test")])
def test_equal_splits_are_refused(tmp_path, files, one, other):
    files[other].write_text(files[one].read_text())
    with pytest.raises(UserError, match=f"mine: {one} and {other} are the same [13]0 examples"):
        make(files, tmp_path / "out")


def test_test_is_dev_where_one_file_is_named_for_both(tmp_path, files):
    meta = make(files | {"test": files["dev"]}, tmp_path / "out")
    assert meta["test_is_dev"] is True
    assert len(read_examples(tmp_path / "out", "test")) == meta["counts"]["dev"] == 10


def test_dev_is_not_divided_where_it_is_test_too(tmp_path, files):
    files = {"dev": files["dev"], "test": files["dev"]}
    with pytest.raises(UserError, match="option divide: test is dev here, so 'dev' cannot be divided by itself"):
        make(files, tmp_path / "out", divide={"dev": {"train": 0.5, "dev": 0.5}})


def test_the_option_divide_cuts_as_readers_do(tmp_path, files):
    """However small a share is, it gets an example where there is one for each."""
    options = {"divide": {"train": {"train": 98, "dev": 1, "test": 1}}}
    meta = make({"train": files["train"]}, tmp_path / "out", **options)
    assert [meta["counts"][split] for split in SPLITS] == [28, 1, 1]
    meta = make({"train": files["train"]}, tmp_path / "first", divide={"train": {"train": 1, "dev": 98, "test": 1}})
    assert [meta["counts"][split] for split in SPLITS] == [1, 28, 1]
    files["train"].write_text("".join(files["train"].read_text().splitlines(keepends=True)[:4]))
    meta = make({"train": files["train"]}, tmp_path / "few", **options)
    assert [meta["counts"][split] for split in SPLITS] == [2, 1, 1]


def test_no_file_is_read_and_thrown_away(tmp_path, files):
    lines = (json.dumps({"text_a": f"more {n}", "label": "ab"[n % 2]}) for n in range(9))
    (tmp_path / "in" / "data.jsonl").write_text("\n".join(lines))
    more = files | {"data": tmp_path / "in" / "data.jsonl"}
    with pytest.raises(UserError, match=r"mine: the split 'data' is left over\. Leave its file out, or cut it"):
        make(more, tmp_path / "out")
    spans = {"data": [{"title": "t", "paragraphs": []}]}
    (tmp_path / "in" / "squad.json").write_text(json.dumps(spans))
    twice = dict.fromkeys(("data", "train", "dev"), tmp_path / "in" / "squad.json")
    with pytest.raises(UserError, match="s: the file of the role 'train' is not read beside those of: data"):
        prepare("s", "squad", twice, {"split_by_context": [1, 1, 1]}, 0, tmp_path / "out")


def test_an_id_that_repeats_takes_a_number_that_is_free(tmp_path, files):
    names = ["a", "a", "a-2", "a", "b"]
    lines = (json.dumps({"id": name, "text_a": f"text {n}", "label": "a"}) for n, name in enumerate(names))
    files["dev"].write_text("\n".join(lines))
    meta = make(files, tmp_path / "out")
    assert [example["id"] for example in read_examples(tmp_path / "out", "dev")] == ["a", "a-3", "a-2", "a-4", "b"]
    assert "dev: 2 examples repeat an id; a number is added to theirs" in meta["warnings"]


@pytest.mark.parametrize(("fraction", "number"), [(0.1, 3), (0.24, 7), (0.25, 8), (0.26, 8), (0.001, 1), (1, 30)])
def test_a_fraction_is_rounded_to_the_nearest_number(tmp_path, files, fraction, number):
    assert make(files, tmp_path / "out", fraction=fraction)["counts"]["train"] == number


def test_limits_are_seeded_keep_order_and_nest(tmp_path, files):
    make(files, tmp_path / "a", limit={"train": 5, "test": 100})
    make(files, tmp_path / "b", limit={"train": 9})
    make(files, tmp_path / "c", seed=1, limit={"train": 9})
    a, b, c = ([e["id"] for e in read_examples(tmp_path / name, "train")] for name in "abc")
    assert len(a) == 5
    assert set(a) < set(b)
    assert b != c
    assert b == sorted(b, key=lambda name: int(name.split("-")[1]))
    assert len(read_examples(tmp_path / "a", "test")) == 12


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"limt": {"train": 1}}, "unknown option 'limt'.*Did you mean 'limit'"),
        ({"limit": {"training": 1}}, "unknown split 'training'"),
        ({"limit": {"train": 0}}, "must be a whole number above 0"),
        ({"fraction": 0}, r"must lie in \(0, 1\]"),
        ({"distractors": [1]}, "for tasks of kind 'span', not 'classification'"),
        ({"expected": {"train_mentions": 3}}, "unknown count 'train_mentions'"),
        ({"divide": {"all": {"train": 1}}}, "unknown split 'all'"),
        ({"divide": {"dev": {"train": 0.5, "dev": 0.5}}}, "'train' is no empty split"),
        ({"divide": {"dev": {"dev": 0}}}, "no positive size"),
    ],
)
def test_a_wrong_option_ends_in_a_sentence_and_leaves_nothing(tmp_path, files, options, sentence):
    with pytest.raises(UserError, match=sentence):
        make(files, tmp_path / "out", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_wrong_reader_role_or_file(tmp_path, files):
    with pytest.raises(UserError, match=r"unknown reader 'glue_colla'.*Did you mean 'glue_cola'"):
        prepare("x", "glue_colla", files, {}, 0, tmp_path / "out")
    with pytest.raises(UserError, match="unknown file role 'test_ids'"):
        prepare("x", "jsonl", files | {"test_ids": files["dev"]}, {}, 0, tmp_path / "out")
    with pytest.raises(UserError, match="file of the role 'dev' does not exist"):
        make(files | {"dev": tmp_path / "no"}, tmp_path / "out")
    with pytest.raises(UserError, match=r"the reader 'hoc' needs a file 'archive'. Given: split=dev.jsonl"):
        prepare("x", "hoc", {"split": files["dev"]}, {}, 0, tmp_path / "out")


def test_an_empty_split_names_what_was_dropped(tmp_path, files):
    files["dev"].write_text('{"text_a": 1, "label": "a"}\n{"text_a"')
    with pytest.raises(
        UserError, match=r"split 'dev' has no examples. Read: train 30, dev 0, test 12. Dropped: dev.broken_row 2"
    ):
        make(files, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_unreadable_archive_is_named(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK not really")
    with pytest.raises(UserError, match=r"x.zip: the file is damaged"):
        prepare("x", "hoc", {"archive": tmp_path / "x.zip"}, {}, 0, tmp_path / "out")


def test_folders_have_an_identity_of_their_content(tmp_path, files):
    folder = tmp_path / "ner"
    folder.mkdir()
    for name in ("train", "devel", "test"):
        (folder / f"{name}.tsv").write_text(f"{name}\tB\n")
    first = prepare("n", "ner", {"archive": folder}, {}, 0, tmp_path / "a")["inputs"]
    assert prepare("n", "ner", {"archive": folder}, {}, 0, tmp_path / "a")["inputs"] == first
    (folder / "test.tsv").write_text("Flu\tO\n")
    assert prepare("n", "ner", {"archive": folder}, {}, 0, tmp_path / "b")["inputs"] != first


@pytest.mark.parametrize(
    ("number", "sizes", "expected"),
    [
        (100, [64, 16, 20], [64, 80, 100]),
        (10, [1, 1], [5, 10]),
        (3, [1295, 186, 371], [1, 2, 3]),
        (2, [0.8, 0.1, 0.1], [0, 1, 2]),
        (1, [0.5, 0.5], [0, 1]),
        (0, [1, 1], [0, 0]),
    ],
)
def test_cut_points(number, sizes, expected):
    assert cut_points(number, sizes) == expected


def test_every_reader_keeps_the_contract():
    for name in base.READERS:
        reader = load_reader(name)
        assert callable(reader.read)
        assert reader.roles
        assert not reader.options & OPTIONS
        assert reader.kind in FIELDS or reader.options & {"kind", "set"}  # else an option says it


def test_the_command(tmp_path, files, capsys):
    arguments = ["--task", "mine", "--reader", "jsonl", "--output", str(tmp_path / "out"), "--seed", "3"]
    arguments += [
        "--options",
        '{"kind": "classification"}',
        "--files",
        *(f"{role}={path}" for role, path in files.items()),
    ]
    assert prepare_task.main(arguments) is None
    assert read_json(tmp_path / "out/meta.json")["parameters"] == {
        "task": "mine",
        "reader": "jsonl",
        "options": {"kind": "classification"},
        "seed": 3,
    }
    with pytest.raises(SystemExit):
        prepare_task.main(arguments[:4])
