"""config/tasks.tsv against the readers, the metrics and the paper's counts of tasks."""

import itertools
import json
from pathlib import Path

import pytest

from linkbert.metrics import METRICS
from linkbert.tasks.base import METRIC, READERS, load_reader
from linkbert.tasks.declared import OPTIONS
from linkbert.tasks.glue import LAYOUTS

CONFIG = Path(__file__).resolve().parents[2] / "config"


def table(name):
    lines = [line for line in (CONFIG / name).read_text().splitlines() if line and line[0] != "#"]
    columns = lines[0].split("\t")
    return [dict(zip(columns, line.split("\t"), strict=True)) for line in lines[1:]]


TASKS = {row["task"]: row for row in table("tasks.tsv")}


def test_the_papers_tasks_are_declared():
    suites = {suite: len(list(rows)) for suite, rows in itertools.groupby(row["suite"] for row in TASKS.values())}
    assert suites == {"mrqa": 6, "mrqa_distractors": 1, "mrqa_10pct": 4, "glue": 8, "blurb": 13, "medqa": 2}
    assert TASKS["mmlu_medicine"]["tuned_on"] == "medqa_usmle"
    assert len(TASKS) == 34


@pytest.mark.parametrize("task", TASKS)
def test_a_row_fits_its_reader(task):
    row = TASKS[task]
    reader = load_reader(row["reader"])
    given = json.loads(row["options"] or "{}")
    assert {part.partition("=")[0] for part in row["files"].split(";")} <= reader.roles
    assert given.keys() <= reader.options | OPTIONS
    assert row["kind"] == reader.kind
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


def test_variants_read_the_files_of_their_full_sets():
    for task in ("hotpotqa", "triviaqa", "naturalquestions", "squad"):
        assert TASKS[f"{task}_10pct"]["files"] == TASKS[task]["files"]
    assert TASKS["squad_distractors"]["files"] == TASKS["squad"]["files"]
