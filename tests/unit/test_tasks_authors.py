"""The authors' own evaluation sets: each kind from an archive of their layout, and config/authors.yaml as a whole."""

import json
import re
import zipfile
from pathlib import Path

import pytest

from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.errors import UserError
from linkbert.metrics import score
from linkbert.planning.estimate import Sizes
from linkbert.planning.plan import Plan
from linkbert.tables.definition import read_definition
from linkbert.tasks import hoc
from linkbert.tasks.authors import SETS
from linkbert.tasks.base import SPLITS
from linkbert.tasks.prepare import prepare, read_examples
from linkbert.world.generate import make_world

ROOT = Path(__file__).resolve().parents[2]
GLUE = {"cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte"}

QUESTION = {"id": "q", "question": "Who?", "context": "Ann left.", "answers": {"answer_start": [0], "text": ["Ann"]}}
SENTENCE = {"id": "s", "sentence": "@GENE$ acts.", "label": "0"}
PAIR = {"id": "p", "sentence1": "One?", "sentence2": "Two.", "label": "no"}
TAGGED = {"id": "t", "tokens": ["Big", "gene", "."], "ner_tags": ["B", "I", "O"]}
CHOICE = {"id": "c", "sent1": "What?", "sent2": "", **{f"ending{n}": f"end {n}" for n in range(4)}, "label": 2}
FLAGS = [0, 1, 0, 0, 0, 0, 0, 0, 0, 1]

# Set -> (a record of the archive, what the example holds, how the score is named)
RECORDS = {
    "qa/squad_hf": (QUESTION, {"answers": [{"text": "Ann", "start": 0}], "golds": ["Ann"]}, "squad"),
    "seqcls/pubmedqa_hf": (PAIR, {"text_a": "One?", "text_b": "Two.", "label": "no"}, "accuracy"),
    "seqcls/bioasq_hf": (PAIR, {"text_a": "One?", "text_b": "Two.", "label": "no"}, "accuracy"),
    "seqcls/chemprot_hf": (SENTENCE, {"text_a": "@GENE$ acts.", "label": "false"}, "relation_f1"),
    "seqcls/DDI_hf": (SENTENCE, {"text_a": "@GENE$ acts.", "label": "DDI-false"}, "relation_f1"),
    "seqcls/GAD_hf": (SENTENCE, {"text_a": "@GENE$ acts.", "label": "0"}, "relation_f1"),
    "seqcls/BIOSSES_hf": ({**PAIR, "label": 2.4}, {"text_a": "One?", "text_b": "Two.", "label": 2.4}, "pearson"),
    "seqcls/HoC_hf": (
        {**SENTENCE, "label": FLAGS},
        {"labels": ["Avoiding immune destruction", "Tumor promoting inflammation"]},
        "multilabel_f1",
    ),
    "tokcls/BC2GM_hf": (TAGGED, {"tokens": ["Big", "gene", "."], "tags": ["B", "I", "O"]}, "entity_f1"),
    "tokcls/ebmnlp_hf": (
        {**TAGGED, "ner_tags": ["B-PAR", "B-PAR", "O"]},
        {"tags": ["I-PAR", "I-PAR", "O"]},
        "word_macro_f1",
    ),
    "mc/medqa_usmle_hf": (
        CHOICE,
        {"question": "What?", "choices": [f"end {n}" for n in range(4)], "label": 2},
        "accuracy",
    ),
    "mc/mmlu_hf/professional_medicine": (CHOICE, {"question": "What?", "label": 2}, "accuracy"),
}


def archive(folder: Path, name: str, *lines: object) -> Path:
    """An archive as the authors' has it, with these lines in the three files of a set; texts are lines as they are."""

    def line(record: object, split: str) -> str:
        if isinstance(record, dict) and split != "test":  # no two files of a set are the same
            key = next(key for key in ("question", "sentence", "sentence1", "tokens", "sent1") if key in record)
            value = record[key]
            other = f"{value} {split}" if isinstance(value, str) else [split, *value[1:]] if value else value
            record = {**record, key: other}
        return (record if isinstance(record, str) else json.dumps(record)) + "\n"

    path = folder / "linkbert-data.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for split, file in SETS[name].files.items():
            packed.writestr(f"data/{name}/{file}.json", "".join(line(one, split) for one in lines))
        packed.writestr("data/qa/squad/train.jsonl", "")  # the raw files stand beside the prepared ones
    return path


def prepared(folder: Path, name: str, *lines: object, **options: object) -> dict:
    files = {"archive": archive(folder, name, *lines)}
    return prepare("mine", "authors", files, {"set": name, **options}, 0, folder / "out")


def test_every_set_is_one_of_the_tested_layouts():
    assert len(SETS) == 6 + 5 + 1 + 7 + 2
    layouts = {repr((layout.kind, layout.columns, layout.labels)) for layout in SETS.values()}
    assert layouts == {repr((SETS[name].kind, SETS[name].columns, SETS[name].labels)) for name in RECORDS}


@pytest.mark.parametrize("name", RECORDS)
def test_each_set_is_read_into_the_projects_fields_and_labels(tmp_path, name):
    record, wanted, metric = RECORDS[name]
    meta = prepared(tmp_path, name, record, {**record, "id": "two"})
    assert (meta["kind"], meta["metric"], meta["dropped"]) == (SETS[name].kind, metric, {})
    assert [meta["counts"][split] for split in SPLITS] == [2, 2, 2]
    examples = read_examples(tmp_path / "out", "test")
    assert [example["id"] for example in examples] == [record["id"], "two"]
    assert {key: examples[0][key] for key in wanted} == wanted
    assert meta["labels"] == list(SETS[name].labels)


def test_answers_take_the_contexts_case_and_contexts_are_counted_by_line_of_the_publisher(tmp_path):
    lower = {**QUESTION, "id": "a", "answers": {"answer_start": [0, 4], "text": ["ANN", "gone"]}}
    other = {**QUESTION, "id": "b", "context": "Bo left.", "answers": {"answer_start": [0], "text": ["Bo"]}}
    meta = prepared(tmp_path, "qa/hotpot_hf", QUESTION, lower, other, {**QUESTION, "id": "c"})
    numbers = {f"{split}{what}": number for split in SPLITS for what, number in (("", 4), ("_contexts", 3))}
    assert numbers.items() <= meta["counts"].items()
    assert meta["dropped"] == {f"{split}.answer_not_at_offset": 1 for split in SPLITS}
    assert read_examples(tmp_path / "out", "dev")[1] == {
        "id": "a",
        "question": "Who? dev",
        "context": "Ann left.",
        "answers": [{"text": "Ann", "start": 0}],
        "golds": ["ANN", "gone"],
    }


# What must become neither an example nor another label: set -> changed fields of its record, and the reason.
WRONG = {
    "qa/squad_hf": [
        ({"answers": {"answer_start": [0, 1], "text": ["Ann"]}}, "broken_row"),
        ({"answers": {"answer_start": [0.5], "text": ["Ann"]}}, "broken_row"),
        ({"answers": None}, "broken_row"),
        ({"context": ["Ann"]}, "broken_row"),
    ],
    "seqcls/chemprot_hf": [
        ({"label": "CPR:10"}, "unknown_label"),
        ({"label": None}, "broken_row"),
        ({"sentence": None}, "broken_row"),
    ],
    "seqcls/GAD_hf": [({"id": "index", "sentence": "sentence", "label": "label"}, "unknown_label")],
    "seqcls/BIOSSES_hf": [({"label": "high"}, "label_not_a_number"), ({"sentence2": 3}, "broken_row")],
    "seqcls/HoC_hf": [
        ({"label": FLAGS[1:]}, "broken_row"),
        ({"label": [2] * 10}, "broken_row"),
        ({"label": [True] * 10}, "broken_row"),
        ({"label": "0,1"}, "broken_row"),
    ],
    "tokcls/BC2GM_hf": [({"ner_tags": ["B", "I"]}, "broken_row"), ({"ner_tags": ["B-X", "I", "O"]}, "unknown_label")],
    "tokcls/ebmnlp_hf": [({"ner_tags": ["B-XYZ", "O", "O"]}, "unknown_label"), ({"ner_tags": [1, 2, 3]}, "broken_row")],
    "mc/medqa_usmle_hf": [
        ({"sent2": "More."}, "broken_row"),
        ({"ending3": None}, "broken_row"),
        ({"label": 4}, "unknown_label"),
    ],
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_broken_is_counted_and_named(tmp_path, name):
    record = RECORDS[name][0]
    wrong = [{**record, **change} for change, _ in WRONG[name]]
    meta = prepared(tmp_path, name, record, *wrong, json.dumps(record)[:-3], [1], "")
    reasons = [*(reason for _, reason in WRONG[name]), "broken_row", "broken_row"]
    assert meta["dropped"] == {f"{split}.{reason}": reasons.count(reason) for split in SPLITS for reason in {*reasons}}
    assert [meta["counts"][split] for split in SPLITS] == [1, 1, 1]


def test_published_counts_guard_the_archive(tmp_path):
    meta = prepared(tmp_path, "seqcls/BIOSSES_hf", RECORDS["seqcls/BIOSSES_hf"][0], expected={"train": 64, "dev": 1})
    assert meta["warnings"] == ["train: 1 read, 64 published"]


def test_mistakes_are_sentences(tmp_path):
    path = archive(tmp_path, "qa/squad_hf", QUESTION)
    for options, sentence in (
        ({}, "needs the option set. Known: qa/squad_hf"),
        ({"set": "qa/hotpotqa_hf"}, r"unknown set 'qa/hotpotqa_hf'.*Did you mean 'qa/hotpot_hf'\?"),
        ({"set": "qa/newsqa_hf"}, r"no member named qa/newsqa_hf/train.json. It holds: data/qa/squad/train.jsonl"),
    ):
        with pytest.raises(UserError, match=sentence):
            prepare("mine", "authors", {"archive": path}, options, 0, tmp_path / "out")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"linkbert-data.zip: the file is damaged or cut short"):
        prepare("mine", "authors", {"archive": path}, {"set": "qa/squad_hf"}, 0, tmp_path / "out")


def planned(*more: str) -> Plan:
    return Plan(load_configuration(ROOT / name for name in (*CONFIGURATION, *more)), ROOT)


@pytest.fixture(scope="module")
def paper() -> Plan:
    return planned()


@pytest.fixture(scope="module")
def authors() -> Plan:
    return planned("config/authors.yaml")


def test_the_configuration_changes_where_examples_come_from_and_nothing_else(paper, authors):
    changed = {task for task in authors.tasks if authors.tasks[task] != paper.tasks[task]}
    assert changed == set(paper.tasks) - GLUE
    published = 0
    for task in changed:
        ours, theirs = paper.tasks[task], authors.tasks[task]
        kept = set(ours) - {"reader", "files", "options"}
        assert {column: theirs[column] for column in kept} == {column: ours[column] for column in kept}
        options = json.loads(theirs["options"])
        layout = SETS[options.pop("set")]
        assert (layout.kind, theirs["reader"], theirs["files"]) == (
            ours["kind"],
            "authors",
            "archive=linkbert-data.zip",
        )
        # Distractors, fractions and the publishers' counts are the paper's.
        expected = options.pop("expected", {})
        default = json.loads(ours["options"])
        default.pop("sentences", None)  # how ChemProt's abstracts are cut: the archive's already are
        assert default.pop("expected", {}).items() <= expected.items() and options == default
        published += bool(expected)
    assert published == 6 + 13 + 2
    assert len({json.loads(authors.tasks[task]["options"])["set"] for task in changed}) == len(SETS)
    url = authors.downloads["linkbert-data.zip"]["url"]
    assert re.fullmatch(r"https://nlp\.stanford\.edu/.+/data\.zip", url)


def test_every_cell_is_comparable_there_and_the_tables_are_else_the_papers(paper, authors):
    for name in paper.tables:
        ours, theirs = (read_definition(plan.definition(name)) for plan in (paper, authors))
        assert ours.rows == theirs.rows and [c.id for c in ours.columns] == [c.id for c in theirs.columns]
        assert [(c.title, c.mean, c.section) for c in ours.columns] == [
            (c.title, c.mean, c.section) for c in theirs.columns
        ]
        if name != "table7_blurb":
            assert ours == theirs
        else:
            assert not all(column.comparable for column in ours.columns)
            assert all(column.comparable for column in theirs.columns)
            assert "not comparable" in ours.caption and "not comparable" not in theirs.caption


def test_estimates_and_overlap_tell_the_sets_of_one_archive_apart(paper, authors):
    assert len({authors.data_of(task) for task in authors.tasks}) == len({paper.data_of(task) for task in paper.tasks})
    sizes, known = Sizes(authors), Sizes(paper)
    for task in paper.tasks:
        if task != "mmlu_medicine":  # its train and dev are MedQA's in the paper's configuration
            assert sizes[task].examples == known[task].examples, task
        assert (sizes[task].first, sizes[task].second) == (known[task].first, known[task].second), task


@pytest.fixture(scope="module")
def mirror(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "mirror"
    make_world(folder, 0, "tiny")
    return folder


def test_all_tasks_are_prepared_from_one_archive_and_are_those_of_the_publishers_files(
    paper, authors, mirror, tmp_path
):
    def examples(plan: Plan, task: str, place: Path) -> dict[str, list[dict]]:
        row = plan.tasks[task]
        options = {key: value for key, value in json.loads(row["options"]).items() if key != "expected"}
        files = {role: ROOT / file if "/" in file else mirror / file for role, file in plan.task_files(task)}
        meta = prepare(task, row["reader"], files, options, 0, place / task)
        assert (meta["kind"], meta["metric"], meta["dropped"]) == (row["kind"], row["metric"], {})
        return {split: read_examples(place / task, split) for split in SPLITS}

    for task in authors.tasks.keys() - GLUE:
        ours, theirs = examples(paper, task, tmp_path / "paper"), examples(authors, task, tmp_path / "authors")
        gold = {"span": "golds", "multilabel": "labels", "tagging": "tags"}.get(paper.tasks[task]["kind"], "label")
        predictions = {e["id"]: e[gold][0] if gold == "golds" else e[gold] for e in theirs["test"]}
        assert next(iter(score(paper.tasks[task]["metric"], theirs["test"], predictions).values())) == pytest.approx(
            100
        )
        if task.endswith("_10pct") or task == "squad_distractors":
            assert {split: len(found) for split, found in ours.items()} == {
                split: len(found) for split, found in theirs.items()
            }
        elif task == "biosses":  # the world's archive is divided by seed
            assert sorted(e["text_a"] for s in ours.values() for e in s) == sorted(
                e["text_a"] for s in theirs.values() for e in s
            )
            assert [len(theirs[split]) for split in SPLITS] == [64, 16, 20]
        else:
            splits = ("test",) if task == "mmlu_medicine" else SPLITS
            for split in splits:
                assert theirs[split] == ours[split], (task, split)


def test_hallmarks_stand_in_the_order_of_the_authors_flags():
    assert sorted(hoc.LABELS, key=str.lower) == hoc.LABELS and len(hoc.LABELS) == 10
