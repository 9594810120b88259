"""A row of tasks.tsv against its reader and its metric, before anything runs."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.errors import UserError
from linkbert.metrics import METRICS, check_metric, score
from linkbert.planning.plan import Plan
from linkbert.tasks.records import FIELDS

ROOT = Path(__file__).resolve().parents[2]
CONFIG = load_configuration(ROOT / name for name in CONFIGURATION)


def plan_with(task: str, **cells: str) -> Plan:
    """The paper's plan with other cells in a row of tasks.tsv."""
    config = copy.deepcopy(CONFIG)
    config["overrides"] = {"tasks": {task: cells}}
    return Plan(config, ROOT)


@pytest.mark.parametrize(
    ("task", "cells", "sentence"),
    [
        ("rte", {"metric": "acuracy"}, r"tasks.tsv \(rte\): unknown metric 'acuracy'.*Did you mean 'accuracy'"),
        ("rte", {"metric": "pearson"}, r"pearson scores tasks of kind regression, not 'classification'. Known for"),
        ("squad", {"metric": "accuracy"}, r"not 'span'. Known for 'span': squad\."),
        ("ddi", {"metric": "relation_f1:NEGATIVE"}, r"asks for the label 'NEGATIVE'.*Known: DDI-advise, .*, DDI-false"),
        ("pubmedqa", {"metric": "accuracy_f1"}, r"asks for the label '1'.*Known: maybe, no, yes.*accuracy_f1:LABEL"),
        (
            "bioasq",
            {"metric": "relation_f1"},
            r"asks for a negative label \('0', or one with 'false' in it\).*Known: no, yes",
        ),
        ("rte", {"metric": "accuracy:1"}, r"the metric accuracy takes no argument, found '1'"),
        ("stsb", {"kind": "classification"}, r"the kind is declared as 'classification', but .* reads 'regression'"),
        ("hoc", {"kind": "tagging", "metric": "entity_f1"}, r"declared as 'tagging', but the reader hoc reads 'multi"),
        ("rte", {"files": "archives=glue-RTE.zip"}, r"unknown file role 'archives'.*Did you mean 'archive'"),
        ("rte", {"options": '{"limits": {}}'}, r"reader glue_rte: unknown option 'limits'.*Did you mean 'limit'"),
        ("rte", {"options": '{"metric": "matthews"}'}, r"unknown option 'metric'"),
    ],
)
def test_what_does_not_fit_ends_in_a_sentence_at_plan_time(task, cells, sentence):
    with pytest.raises(UserError, match=sentence):
        plan_with(task, **cells)


def test_the_label_of_a_users_own_data_is_looked_for_where_it_is_declared():
    cells = {"reader": "jsonl", "files": "train=glue-RTE.zip", "metric": "relation_f1:none"}
    plan_with("rte", **cells, options='{"kind": "classification", "labels": ["none", "some"]}')
    plan_with("rte", **cells, options='{"kind": "classification"}')  # which labels there are is known when it is read
    with pytest.raises(UserError, match=r"asks for the label 'none'.*Known: some, more"):
        plan_with("rte", **cells, options='{"kind": "classification", "labels": ["some", "more"]}')


def test_the_column_is_what_a_task_is_scored_with():
    """Another metric in a row makes other scores: of another name, from a task prepared with it."""
    paper, other = Plan(CONFIG, ROOT), plan_with("gad", metric="accuracy")
    assert other.tasks["gad"]["metric"] == "accuracy"
    changed = {batch.rpartition("-")[0] for _, batch in other.jobs.keys() - paper.jobs.keys()}
    assert changed == {"gad"} if CONFIG["finetuning"]["jobs_by"] == "task" else changed == {"blurb"}
    assert json.loads(other.task_options(SimpleNamespace(task="gad"))).keys() == {"expected"}


@pytest.mark.parametrize("metric", METRICS)
def test_each_metric_scores_some_kinds_and_no_other(metric):
    for kind in FIELDS:
        labels = ("0", "1") if kind == "classification" else ("2",)
        if kind in METRICS[metric].kinds:
            check_metric("here", metric, kind, labels)
        else:
            with pytest.raises(
                UserError, match=f"here: the metric {metric} scores .*, not '{kind}'. Known for '{kind}':"
            ):
                check_metric("here", metric, kind, labels)
    assert METRICS[metric].kinds


def test_every_kind_has_a_metric():
    assert {kind for metric in METRICS.values() for kind in metric.kinds} == set(FIELDS)


def test_a_label_that_is_not_there_would_have_changed_the_score():
    """Why it is refused: with labels a and b, the F1 of label 1 is 0 however good the predictions are."""
    examples = [{"id": str(n), "label": "ab"[n % 2]} for n in range(4)]
    perfect = {example["id"]: example["label"] for example in examples}
    assert score("accuracy_f1", examples, perfect)["mean"] == 50
    with pytest.raises(UserError, match="asks for the label '1'"):
        check_metric("here", "accuracy_f1", "classification", ["a", "b"])
    check_metric("here", "accuracy_f1:b", "classification", ["a", "b"])
    assert score("accuracy_f1:b", examples, perfect)["mean"] == 100
