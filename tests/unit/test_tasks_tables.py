"""config/tasks.tsv and config/recipes.tsv against the readers, the metrics and the paper's counts of tasks."""

import itertools
import json
from pathlib import Path

import pytest

from linkbert.metrics import METRICS, macro_average
from linkbert.tasks.base import METRIC, READERS, load_reader
from linkbert.tasks.glue import LAYOUTS
from linkbert.tasks.prepare import OPTIONS

CONFIG = Path(__file__).resolve().parents[2] / "config"


def table(name):
    lines = [line for line in (CONFIG / name).read_text().splitlines() if line and line[0] != "#"]
    columns = lines[0].split("\t")
    return [dict(zip(columns, line.split("\t"), strict=True)) for line in lines[1:]]


TASKS = {row["task"]: row for row in table("tasks.tsv")}
RECIPES = table("recipes.tsv")


def test_the_papers_tasks_are_declared():
    suites = {suite: len(list(rows)) for suite, rows in itertools.groupby(row["suite"] for row in TASKS.values())}
    assert suites == {"mrqa": 6, "mrqa_distractors": 1, "mrqa_10pct": 4, "glue": 8, "blurb": 13, "medqa": 2}
    assert TASKS["mmlu_medicine"]["tuned_on"] == "medqa_usmle"
    assert len(TASKS) == 34


@pytest.mark.parametrize("task", TASKS)
def test_a_row_fits_its_reader(task):
    row = TASKS[task]
    _, roles, options = load_reader(row["reader"])
    given = json.loads(row["options"] or "{}")
    assert {part.partition("=")[0] for part in row["files"].split(";")} <= roles
    assert given.keys() <= options | OPTIONS
    assert row["metric"] in METRICS
    assert row["length"] == {"glue": "128", "blurb": "512", "medqa": "512"}.get(row["suite"], "384")
    assert (row["type"] != "") == (row["suite"] == "blurb")


def test_the_metric_column_is_the_readers_own():
    of_reader = {f"glue_{task}": layout.metric for task, layout in LAYOUTS.items()}
    of_reader |= {"ebm_nlp": "word_macro_f1", "hoc": "multilabel_f1"}
    of_reader |= dict.fromkeys(("chemprot", "ddi", "gad"), "relation_f1")
    assert of_reader.keys() <= READERS.keys()
    for row in TASKS.values():
        assert row["metric"] == of_reader.get(row["reader"], METRIC[row["kind"]])


def test_blurb_has_six_types():
    types = {task: row["type"] for task, row in TASKS.items() if row["suite"] == "blurb"}
    assert sorted(set(types.values())) == ["document", "ner", "pico", "qa", "relation", "similarity"]
    assert macro_average(dict.fromkeys(types, 80.0), types) == pytest.approx(80)


def test_variants_read_the_files_of_their_full_sets():
    for task in ("hotpotqa", "triviaqa", "naturalquestions", "squad"):
        assert TASKS[f"{task}_10pct"]["files"] == TASKS[task]["files"]
    assert TASKS["squad_distractors"]["files"] == TASKS["squad"]["files"]


def best_row(name, size, task):
    suite = TASKS[task]["suite"]
    fitting = [
        row
        for row in RECIPES
        if row["set"] == name
        and row["size"] in (size, "*")
        and row["suite"] in (suite, "*")
        and row["task"] in (task, "*")
    ]
    return max(fitting, key=lambda row: (row["task"] != "*", row["suite"] != "*", row["size"] != "*"), default=None)


def test_every_task_has_a_recipe_in_every_set_that_covers_it():
    for task, size in itertools.product(TASKS, ("tiny", "base", "large")):
        assert best_row("demo", size, task)
        assert best_row("grid", size, task)
        covered = size != "tiny" and TASKS[task]["suite"] != "glue"
        assert (best_row("released", size, task) is not None) == covered


def test_no_two_recipes_apply_equally():
    keys = [(row["set"], row["size"], row["suite"], row["task"]) for row in RECIPES]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(
    ("set_", "size", "task", "expected"),
    [
        ("released", "base", "squad", ("3e-5", "12", "2", "0", "")),
        ("released", "large", "searchqa", ("2e-5", "16", "2", "0", "")),
        ("released", "base", "chemprot", ("3e-5", "32", "10", "0", "256")),
        ("released", "base", "pubmedqa", ("2e-5", "16", "30", "100s", "")),
        ("released", "large", "hoc", ("3e-5", "32", "20", "0.5", "")),
        ("released", "large", "mmlu_medicine", ("3e-5", "64", "6", "500s", "")),
        ("grid", "tiny", "squad", ("5e-5,1e-4,3e-4", "16,32,64", "5,10", "0", "")),
        ("grid", "base", "cola", ("5e-6,1e-5,2e-5,3e-5,5e-5", "16,32,64", "3,5,10", "0", "")),
    ],
)
def test_recipes_are_the_papers(set_, size, task, expected):
    row = best_row(set_, size, task)
    assert tuple(row[column] for column in ("learning_rate", "batch_size", "epochs", "warmup", "length")) == expected
