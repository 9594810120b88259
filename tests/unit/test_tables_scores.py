"""Reading score files, choosing a grid point, averaging over seeds."""

import json
import math
import statistics
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from linkbert.declarations import read_table
from linkbert.errors import UserError
from linkbert.tables.definition import read_definition
from linkbert.tables.scores import Estimate, average, load_scores, mean_of, select


def entry(task="squad", seed=0, dev=50.0, test=60.0, point="a", **more):
    """A run as a score file lists it."""
    return {
        "task": task,
        "train_task": task,
        "seed": seed,
        "recipe": {"learning_rate": 1e-5, "point": point},
        "point": point,
        "metric": "f1",
        "dev": {"f1": dev, "exact_match": 1.0},
        "test": {"f1": test, "exact_match": 2.0},
        **more,
    }


def write(path: Path, runs: list[dict], model: str = "bert-tiny") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"model": model, "batch": "b", "stage_version": 1, "runs": runs}))
    return path


def choose(tmp_path, runs, key=("bert-tiny", "squad")):
    return select(load_scores([write(tmp_path / "bert-tiny" / "b-1.json", runs)]))[key]


def test_best_mean_dev_score_wins_whatever_the_test_scores(tmp_path):
    runs = [entry(point="a", seed=s, dev=d, test=99) for s, d in enumerate((60, 50))]
    runs += [entry(point="b", seed=s, dev=d, test=t) for s, d, t in ((0, 56, 10), (1, 57, 13))]
    choice = choose(tmp_path, runs)
    assert choice.runs[0].point == "b"
    assert choice.dev == 56.5
    assert choice.estimate.mean == 11.5
    assert choice.estimate.spread == pytest.approx(statistics.stdev([10, 13]))
    assert [(tried.run.point, tried.dev, tried.seeds) for tried in choice.candidates] == [("a", 55, 2), ("b", 56.5, 2)]


def test_first_of_equal_points_wins(tmp_path):
    assert choose(tmp_path, [entry(point="z"), entry(point="a")]).runs[0].point == "z"


def test_same_point_of_two_recipes_are_two_candidates(tmp_path):
    runs = [entry(dev=50), entry(dev=51, recipe={"learning_rate": 3e-5})]
    assert choose(tmp_path, runs).runs[0].recipe == {"learning_rate": 3e-5}


def test_single_seed_has_no_spread(tmp_path):
    assert choose(tmp_path, [entry()]).estimate == Estimate(60.0, None, {0: 60.0})


def test_undefined_dev_score_loses_and_undefined_test_score_is_missing(tmp_path):
    runs = [entry(point="a", dev=math.nan, test=70), entry(point="b", dev=-5, test=None)]
    choice = choose(tmp_path, runs)
    assert choice.runs[0].point == "b"
    assert choice.estimate is None
    assert "undefined" in choice.problem


def test_no_dev_score_at_all_decides_only_a_single_point(tmp_path):
    assert choose(tmp_path, [entry(dev=None)]).estimate.mean == 60
    assert choose(tmp_path, [entry(point="a", dev=None), entry(point="b", dev=None)]).estimate is None


def test_transferred_model_is_chosen_on_the_task_it_was_tuned_on(tmp_path):
    runs = []
    for point, medqa, mmlu in (("a", 40, 90), ("b", 45, 20)):
        runs.append(entry("medqa_usmle", dev=medqa, point=point))
        runs.append(entry("mmlu_medicine", dev=mmlu, test=mmlu, point=point, train_task="medqa_usmle"))
    choice = choose(tmp_path, runs, ("bert-tiny", "mmlu_medicine"))
    assert (choice.runs[0].point, choice.chosen_on, choice.estimate.mean) == ("b", "medqa_usmle", 20)
    alone = choose(tmp_path, runs[1::2], ("bert-tiny", "mmlu_medicine"))
    assert (alone.runs[0].point, alone.chosen_on) == ("a", "mmlu_medicine")


scores = st.floats(-100, 100, allow_nan=False)


@given(st.lists(st.tuples(scores, scores), min_size=1, max_size=6), st.integers(1, 3))
def test_choice_never_depends_on_test_scores(tmp_path_factory, points, seeds):
    folder = tmp_path_factory.mktemp("scores")

    def chosen(sign):
        runs = [
            entry(point=str(number), seed=seed, dev=dev, test=sign * test)
            for number, (dev, test) in enumerate(points)
            for seed in range(seeds)
        ]
        return choose(folder, runs)

    best = chosen(1)
    assert best.dev == pytest.approx(max(dev for dev, _ in points))
    assert best.runs[0].point == chosen(-1).runs[0].point


@given(st.lists(scores, min_size=1, max_size=8))
def test_average_is_that_of_the_statistics_module(values):
    estimate = average(dict(enumerate(values)))
    assert estimate.mean == pytest.approx(statistics.mean(values), abs=1e-9)
    expected = statistics.stdev(values) if len(values) > 1 else None
    assert estimate.spread == (None if expected is None else pytest.approx(expected, abs=1e-9))


def test_mean_is_computed_seed_by_seed():
    tasks = {"a": average({0: 10.0, 1: 20.0}), "b": average({0: 40.0, 1: 30.0})}
    estimate = mean_of(("a", "b"), tasks)
    assert (estimate.mean, estimate.spread, estimate.by_seed) == (25.0, 0.0, {0: 25.0, 1: 25.0})


def test_nested_mean_weighs_lists_equally():
    tasks = {name: average({0: value}) for name, value in (("a", 0.0), ("b", 10.0), ("c", 80.0))}
    assert mean_of((("a", "b"), ("c",)), tasks).mean == 42.5


def test_mean_over_different_seeds_is_that_of_the_printed_cells():
    tasks = {"a": average({0: 10.0, 1: 20.0, 2: 30.0}), "b": average({1: 50.0, 2: 70.0})}
    estimate = mean_of(("a", "b"), tasks)
    assert estimate.mean == (20 + 60) / 2
    assert estimate.by_seed == {1: 35.0, 2: 50.0}
    assert mean_of(("a", "b"), {"a": average({0: 10.0}), "b": average({1: 30.0})}) == Estimate(20.0, None, {})


def test_mean_with_a_missing_member_is_missing():
    assert mean_of(("a", "b"), {"a": average({0: 10.0})}) is None


CONFIG = Path(__file__).resolve().parents[2] / "config"
# Table 7 of the paper, by its six kinds of task: PubmedBERT base, BioLinkBERT base, BioLinkBERT large.
TABLE_7 = {
    "ner": {
        "bc5_chem": (93.33, 93.75, 94.04),
        "bc5_disease": (85.62, 86.10, 86.39),
        "ncbi_disease": (87.82, 88.18, 88.76),
        "bc2gm": (84.52, 84.90, 85.18),
        "jnlpba": (80.06, 79.03, 80.06),
    },
    "pico": {"ebm_pico": (73.38, 73.97, 74.19)},
    "relation": {"chemprot": (77.24, 77.57, 79.98), "ddi": (82.36, 82.72, 83.35), "gad": (82.34, 84.39, 84.90)},
    "similarity": {"biosses": (92.30, 93.25, 93.63)},
    "document": {"hoc": (82.32, 84.35, 84.87)},
    "qa": {"pubmedqa": (55.84, 70.20, 72.18), "bioasq": (87.56, 91.43, 94.82)},
}


def declared_mean(table, column):
    """The mean that a column of ``config/tables.yaml`` declares, as the table has it."""
    definition = yaml.safe_load((CONFIG / "tables.yaml").read_text(encoding="utf-8"))["tables"][table]
    parts = {
        part: [{"title": next(iter(line.values())), **line} for line in definition[part]]
        for part in ("rows", "columns")
    }
    columns = read_definition({"table": table, **definition, **parts}).columns
    return next(one.mean for one in columns if one.id == column)


@pytest.mark.parametrize(("model", "printed"), [(0, 81.10), (1, 83.39), (2, 84.30)])
def test_the_declared_blurb_score_of_the_papers_cells_is_the_papers(model, printed):
    cells = {task: average({0: row[model]}) for kind in TABLE_7.values() for task, row in kind.items()}
    assert round(mean_of(declared_mean("table7_blurb", "blurb"), cells).mean, 2) == printed


def test_the_declared_means_are_those_of_the_benchmarks():
    types = {row["task"]: row["type"] for _, row in read_table(CONFIG / "tasks.tsv") if row["suite"] == "blurb"}
    assert types == {task: kind for kind, tasks in TABLE_7.items() for task in tasks}
    assert declared_mean("table7_blurb", "blurb") == tuple(tuple(tasks) for tasks in TABLE_7.values())
    suites = {name: [] for name in ("mrqa", "glue")}
    for _, row in read_table(CONFIG / "tasks.tsv"):
        suites.get(row["suite"], []).append(row["task"])
    assert declared_mean("table1_mrqa", "average") == tuple(suites["mrqa"])
    assert declared_mean("table2_glue", "glue") == tuple(suites["glue"])


def test_repeated_file_counts_once_and_a_contradiction_is_refused(tmp_path):
    one = write(tmp_path / "bert-tiny" / "b-1.json", [entry()])
    same = write(tmp_path / "bert-tiny" / "b-2.json", [entry()])
    assert len(load_scores([one, same])) == 1
    other = write(tmp_path / "bert-tiny" / "b-3.json", [entry(test=61)])
    with pytest.raises(UserError, match=r"bert-tiny / squad, seed 0: bert-tiny/b-1.json and bert-tiny/b-3.json"):
        load_scores([one, other])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "not a score file"),
        ('{"model": "m"}', "not a score file"),
        ('{"model": "m", "runs": [{"task": "squad"}]}', "run 0: 'seed' is missing"),
        ("{", "not valid JSON"),
        (json.dumps({"model": "m", "runs": [entry(metric="f2")]}), "unknown metric 'f2'"),
        (json.dumps({"model": "m", "runs": [entry(test=101.0)]}), "scores are percentages"),
        (json.dumps({"model": ["m"], "runs": []}), "'model' must be a name"),
        (json.dumps({"model": "m", "runs": [entry(seed="0")]}), "run 0: 'seed' must be a whole number, found '0'"),
        (json.dumps({"model": "m", "runs": [entry(task=None)]}), "run 0: 'task' must be a text, found None"),
        (json.dumps({"model": "m", "runs": [entry(test="60")]}), "run 0: test: f1 must be a number, found '60'"),
        (json.dumps({"model": "m", "runs": [{**entry(), "dev": 3}]}), "run 0: dev: expected scores by metric"),
    ],
)
def test_wrong_file_is_named(tmp_path, text, message):
    path = tmp_path / "scores.json"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        load_scores([path])
    assert str(path) in str(caught.value)
