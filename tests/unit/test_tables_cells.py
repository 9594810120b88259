"""Definitions, cells and their judgement."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from linkbert.errors import UserError
from linkbert.evidence.bootstrap import Sample, interval, replicate
from linkbert.evidence.record import Evidence
from linkbert.evidence.statistics import Statistics
from linkbert.tables.cells import build, cells_by_key, judge
from linkbert.tables.definition import Tolerance, members, read_definition
from linkbert.tables.layout import head, legend
from linkbert.tables.published import Published
from linkbert.tables.scores import load_scores

TABLE = {
    "table": "qa",
    "title": "Questions",
    "rows": [
        {"model": "small", "title": "Small", "group": "ours"},
        {"model": "large", "title": "Large", "group": "ours"},
        {"model": "cited", "title": "Cited", "external": True},
    ],
    "columns": [
        {"id": "one", "title": "One"},
        {"id": "two", "title": "Two", "decimals": 2},
        {"id": "mean", "title": "Mean", "mean": ["one", "two"]},
    ],
}


def published(**values):
    """Published numbers from ``model__task=value``."""
    return {("qa", *key.split("__")): Published("f1", value, str(value), "Table 0") for key, value in values.items()}


def runs(tmp_path, **values):
    """Runs from ``model__task=[test score of each seed]``, one score file each."""
    paths = []
    for key, scores in values.items():
        model, task = key.split("__")
        entries = [
            {
                "task": task,
                "train_task": task,
                "seed": seed,
                "recipe": {"learning_rate": 1e-5},
                "point": "p",
                "metric": "f1",
                "dev": {"f1": 50.0},
                "test": {"f1": score},
                "run": f"{task}/p-seed{seed}.json.gz",
                "sha256": "0" * 64,
            }
            for seed, score in enumerate(scores)
        ]
        path = tmp_path / "scores" / model / f"{task}-1.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"model": model, "batch": task, "model_meta": {"seed": 7}, "runs": entries}))
        paths.append(path)
    return load_scores(paths)


def cells(loaded, numbers, **changes):
    return cells_by_key(build(read_definition({**TABLE, **changes}), loaded, numbers))


@pytest.mark.parametrize(
    ("difference", "spread", "mark"),
    [
        (0.0, None, "matches"),
        (55.1 - 54.6, None, "matches"),  # 0.5 and a rounding error
        (-0.51, None, "close"),
        (-0.51, 0.6, "matches"),
        (1.9, 0.2, "close"),
        (2.0, None, "close"),
        (2.01, None, "differs"),
        (2.01, 30.0, "differs"),  # a wide spread is no match
    ],
)
def test_judgement(difference, spread, mark):
    assert judge(difference, spread, Tolerance()) == mark
    assert judge(-difference, spread, Tolerance()) == mark


def test_cell_holds_ours_beside_the_papers(tmp_path):
    cell = cells(runs(tmp_path, small__one=[60, 62]), published(small__one=60.4))["small", "one"]
    assert (cell["mean"], cell["mark"], cell["by_seed"]) == (61, "matches", {"0": 60, "1": 62})
    assert cell["difference"] == pytest.approx(0.6)
    assert cell["published"] == {"value": 60.4, "text": "60.4", "metric": "f1", "source": "Table 0"}


def test_paper_never_enters_our_column(tmp_path):
    """Without scores nothing is ours, and cited systems stay cited even where scores of that name exist."""
    numbers = published(small__one=60.4, small__mean=61, cited__one=70)
    for cell in cells([], numbers).values():
        assert (cell["mean"], cell["spread"], cell["difference"], cell["choice"]) == (None, None, None, None)
        assert cell["mark"] == ("cited" if cell["model"] == "cited" else "not run")
        assert (cell["problem"] == "") == (cell["model"] == "cited"), "what others did not measure is no gap of ours"
    cited = cells(runs(tmp_path, cited__one=[10]), numbers)["cited", "one"]
    assert (cited["mean"], cited["mark"]) == (None, "cited")


def test_average_with_a_missing_member_is_empty_and_says_which(tmp_path):
    loaded = runs(tmp_path, small__one=[60], large__one=[70], large__two=[80])
    found = cells(loaded, published(small__mean=61, large__mean=75.2))
    assert (found["small", "mean"]["mean"], found["small", "mean"]["problem"]) == (None, "not run: two")
    assert found["small", "mean"]["mark"] == "not run"
    assert (found["large", "mean"]["mean"], found["large", "mean"]["mark"]) == (75, "matches")
    assert found["large", "mean"]["problem"] == ""


def test_average_with_an_undefined_member_is_empty_and_says_which(tmp_path):
    found = cells(runs(tmp_path, small__one=[60], small__two=[80, None], large__two=[None]), {})
    assert (found["small", "mean"]["mean"], found["small", "mean"]["problem"]) == (None, "without a score: two")
    assert found["large", "mean"]["problem"] == "not run: one; without a score: two"


def test_incomparable_numbers_are_not_judged(tmp_path):
    loaded, numbers = runs(tmp_path, small__one=[60]), published(small__one=60)
    for changes in (
        {"comparable": False},
        {"rows": [{**TABLE["rows"][0], "comparable": False}]},
        {"columns": [{**TABLE["columns"][0], "comparable": False}]},
    ):
        cell = cells(loaded, numbers, **changes)["small", "one"]
        assert (cell["mark"], cell["difference"], cell["published"]["value"]) == ("not comparable", None, 60)


def test_a_mean_is_comparable_only_if_all_its_members_are_and_names_the_others(tmp_path):
    loaded, numbers = runs(tmp_path, small__one=[60], small__two=[80]), published(small__one=60, small__mean=70)
    one, two, mean = TABLE["columns"]
    unlike = {**one, "comparable": False, "reason": "drawn by seed"}
    nested = {**mean, "mean": [["one"], ["two"]]}
    for columns in ([unlike, two, mean], [mean, unlike, two], [unlike, two, nested]):
        found = cells(loaded, numbers, columns=columns)
        assert found["small", "one"]["reason"] == "drawn by seed"
        cell = found["small", "mean"]
        assert (cell["mark"], cell["difference"], cell["comparable"]) == ("not comparable", None, False)
        assert (cell["mean"], cell["reason"]) == (70, "the mean holds One")
        assert found["small", "two"]["comparable"]
    assert cells(loaded, numbers)["small", "mean"]["mark"] == "matches"
    # A member whose metric is another one, for this model alone.
    numbers["qa", "small", "two"] = Published("accuracy", 80.0, "80.0", "Table 0")
    assert cells(loaded, numbers)["small", "mean"]["reason"] == "the mean holds Two"
    assert cells(loaded, numbers)["large", "mean"]["comparable"]


def test_the_legend_gives_the_reasons_of_columns_and_leaves_a_whole_tables_to_its_note(tmp_path):
    loaded, numbers = runs(tmp_path, small__one=[60], small__two=[80]), published(small__one=60, small__mean=70)
    columns = [{**TABLE["columns"][0], "comparable": False, "reason": "drawn by seed"}, *TABLE["columns"][1:]]
    said = legend(build(read_definition({**TABLE, "columns": columns}), loaded, numbers))
    assert "One, not comparable: drawn by seed." in said and "Mean, not comparable: the mean holds One." in said
    other = legend(build(read_definition({**TABLE, "columns": columns, "comparable": False}), loaded, numbers))
    assert not any(", not comparable:" in sentence for sentence in other)


def test_a_score_on_the_development_set_says_so_and_so_does_a_mean_that_holds_it(tmp_path):
    loaded = runs(tmp_path, small__one=[60], small__two=[80], large__two=[70])
    loaded = [replace(run, test_is_dev=run.task == "one") for run in loaded]
    document = build(read_definition(TABLE), loaded, published(large__one=60))
    marked = {key for key, cell in cells_by_key(document).items() if cell["test_is_dev"]}
    assert marked == {("small", "one"), ("small", "mean")}
    assert [head(document, column) for column in document["columns"]] == ["One†", "Two", "Mean†"]
    assert [sentence for sentence in legend(document) if sentence.startswith("† tested on the development set")]
    document = build(read_definition(TABLE), [run for run in loaded if run.task == "two"], {})
    assert "†" not in "".join([*legend(document), *(head(document, column) for column in document["columns"])])


def test_every_declared_column_that_is_not_comparable_says_why():
    path = Path(__file__).resolve().parents[2] / "config" / "tables.yaml"
    columns = [
        column
        for table in yaml.safe_load(path.read_text(encoding="utf-8"))["tables"].values()
        for column in table["columns"]
    ]
    assert all(column.get("reason") for column in columns if not column.get("comparable", True))
    assert all("\n" not in column.get("reason", "") for column in columns)


def test_other_metric_is_not_comparable(tmp_path):
    numbers = {("qa", "small", "one"): Published("accuracy", 60.0, "60.0", "Table 0")}
    cell = cells(runs(tmp_path, small__one=[60]), numbers)["small", "one"]
    assert (cell["mark"], cell["difference"]) == ("not comparable", None)
    assert cell["problem"] == "our metric is f1, the paper's is accuracy"


def test_score_without_a_published_number_is_not_judged(tmp_path):
    assert cells(runs(tmp_path, small__one=[60]), {})["small", "one"]["mark"] == "unpublished"


def test_best_of_ours_in_each_group_as_printed(tmp_path):
    loaded = runs(tmp_path, small__one=[60.04], large__one=[60.0], small__two=[60.04], large__two=[60.0])
    found = cells(loaded, published(cited__one=99))
    best = {key for key, cell in found.items() if cell["best"]}
    # Equal to one decimal in the first column and in the mean; not to two in the second.
    assert best == {("small", "one"), ("large", "one"), ("small", "two"), ("small", "mean"), ("large", "mean")}


def test_only_number_of_a_group_is_not_the_best(tmp_path):
    assert not any(cell["best"] for cell in cells(runs(tmp_path, small__one=[60]), {}).values())


def test_provenance_leads_to_score_file_run_and_settings(tmp_path):
    document = build(read_definition(TABLE), runs(tmp_path, small__one=[60, 62]), {})
    choice = cells_by_key(document)["small", "one"]["choice"]
    assert choice["recipe"] == {"learning_rate": 1e-5}
    assert [run["run"] for run in choice["runs"]] == ["one/p-seed0.json.gz", "one/p-seed1.json.gz"]
    name = choice["runs"][0]["scores"]
    assert name == "small/one-1.json"
    assert document["scores"][name]["model_meta"] == {"seed": 7}
    assert len(document["scores"][name]["sha256"]) == 64


def test_counts_cover_every_cell(tmp_path):
    document = build(read_definition(TABLE), runs(tmp_path, small__one=[60]), published(small__one=60))
    assert document["counts"] == {
        "matches": 1,
        "close": 0,
        "differs": 0,
        "not run": 5,
        "not comparable": 0,
        "unpublished": 0,
        "cited": 3,
    }


def test_nested_members_in_order():
    assert list(members((("a", "b"), "c", ("d",)))) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colums": []}, "unknown key 'colums'.*Did you mean 'columns'"),
        ({"rows": []}, "table qa: rows"),
        ({"rows": [{"model": "a", "title": "A", "bold": True}]}, "unknown key 'bold'"),
        ({"rows": [{"model": "a", "title": "A"}] * 2}, "the row 'a' is declared twice"),
        ({"columns": [{"id": "a", "title": "A"}] * 2}, "the column 'a' is declared twice"),
        ({"columns": [{"id": "a", "title": "A", "mean": [3]}]}, "3 is neither a task nor a list"),
        ({"columns": [{"id": "a", "title": "A", "mean": [["b"], "b"]}]}, "the member 'b' is declared twice"),
        ({"columns": [{"id": "a", "title": "A", "mean": ["a"]}]}, "itself a mean"),
        ({"tolerance": {"matches": 3}}, "'close' .2.0. is narrower"),
    ],
)
def test_wrong_definition_is_one_sentence(change, message):
    with pytest.raises(UserError, match=message):
        read_definition({**TABLE, **change})


# Gains ----------------------------------------------------------------------------------------------------------------


def evidence(model, **tasks):
    """Evidence of runs as `runs` makes them, from ``task=[share of right answers of each seed]`` over 200 examples."""
    samples = {
        task: Sample(
            task,
            {
                seed: Statistics("share", np.stack([np.arange(200) < 200 * share, np.ones(200)], axis=1))
                for seed, share in enumerate(shares)
            },
        )
        for task, shares in tasks.items()
    }
    by_seed = {task: {str(seed): "0" * 64 for seed in sample.by_seed} for task, sample in samples.items()}
    one = Evidence(model, samples, by_seed, {}, {}, None, "0")
    return {(model, task): one for task in tasks}


def test_a_gain_is_over_the_first_of_the_group_with_the_papers_beside_it(tmp_path):
    loaded = runs(tmp_path, small__one=[60, 64], small__two=[50], large__one=[70, 72], large__two=[40])
    known = evidence("small", one=[0.60, 0.64], two=[0.5]) | evidence("large", one=[0.70, 0.72], two=[0.4])
    found = cells_by_key(build(read_definition(TABLE), loaded, published(small__one=61, large__one=65.5), known))
    assert found["small", "one"]["gain"] is None and found["cited", "one"]["gain"] is None
    gain = found["large", "one"]["gain"]
    assert (gain["over"], gain["value"], gain["paper"]) == ("small", 9, 4.5)
    assert (gain["resamples"], gain["examples"], gain["problem"]) == (10_000, 200, "")
    # The models differ in 9 % of answers, always for the better: about 9 ± 1.96 standard errors of that share.
    low, high = gain["interval"]
    assert 4.5 < low < 6.5 < 11.5 < high < 14
    average = found["large", "mean"]["gain"]
    assert average["value"] == pytest.approx((9 - 10) / 2) and average["examples"] == 400
    keys = [(model, task) for model in ("large", "small") for task in ("one", "two")]
    scores = {key: one.scores for key, one in zip(keys, replicate([known[k].samples[k[1]] for k in keys]), strict=True)}
    differences = sum(scores["large", task] - scores["small", task] for task in ("one", "two")) / 2
    assert average["interval"] == pytest.approx(interval(differences), abs=1e-6)
    for numbers in (published(large__one=65.5), published(small__one=61)):
        alone = cells_by_key(build(read_definition(TABLE), loaded, numbers, known))["large", "one"]["gain"]
        assert (alone["value"], alone["paper"]) == (9, None), "the paper's gain needs both of its numbers"


def test_a_row_may_name_its_baseline(tmp_path):
    loaded = runs(tmp_path, small__one=[60], large__one=[70])
    rows = [TABLE["rows"][0], {**TABLE["rows"][1], "group": "other", "baseline": "small"}, TABLE["rows"][2]]
    assert cells(loaded, {}, rows=rows)["large", "one"]["gain"]["over"] == "small"
    rows[1] = {**rows[1], "baseline": "smal"}
    with pytest.raises(UserError, match=r"row large: unknown baseline 'smal'.*Did you mean 'small'"):
        read_definition({**TABLE, "rows": rows})
    assert (
        cells(loaded, {}, rows=[{**row, "group": str(n)} for n, row in enumerate(TABLE["rows"])])["large", "one"][
            "gain"
        ]
        is None
    )


def test_a_gain_without_statistics_has_no_interval_and_says_why(tmp_path):
    loaded = runs(tmp_path, small__one=[60], large__one=[70])
    found = cells_by_key(build(read_definition(TABLE), loaded, {}, evidence("small", one=[0.6])))
    gain = found["large", "one"]["gain"]
    assert (gain["value"], gain["interval"]) == (10, None) and gain["problem"].startswith("large, one: no statistics")
    assert found["large", "two"]["gain"] is None
