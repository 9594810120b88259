"""The claims of the paper: they fit its own numbers, and are judged by stated rules."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from linkbert import STAGE
from linkbert.errors import UserError
from linkbert.evidence.bootstrap import Sample, interval, replicate
from linkbert.evidence.record import Evidence
from linkbert.evidence.statistics import Statistics
from linkbert.tables.cells import build
from linkbert.tables.claims import ELSEWHERE, FAILS, HOLDS, OPEN, judge_claims, read_claims
from linkbert.tables.claims_page import html, markdown
from linkbert.tables.definition import read_definition
from linkbert.tables.published import read_published
from linkbert.tables.scores import Run, ScoreFile

CONFIG = Path(__file__).resolve().parents[2] / "config"
PUBLISHED = read_published(CONFIG / "published.tsv")
CLAIMS = read_claims(CONFIG / "claims.yaml")


def cell(model, task, values=None, paper=None, mark="", reason=""):
    """A cell of a table document; with a reason it is not comparable."""
    values = list(values or [])
    return {
        "model": model,
        "task": task,
        "mean": float(np.mean(values)) if values else None,
        "spread": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "by_seed": {str(seed): value for seed, value in enumerate(values)},
        "published": None if paper is None else {"value": paper},
        "mark": mark,
        "problem": "" if values else "not run",
        "comparable": not reason,
        "reason": reason,
    }


def runs_of_published(model, task, number):
    """Runs of two seeds whose scores are a published number."""
    file, value = ScoreFile(f"{model}/{task}.json", "0", model, task), number.value
    return [Run(model, task, task, seed, {}, "p", number.metric, value, value, file, {"seed": seed}) for seed in (0, 1)]


def table(name, cells, comparable=True, note=""):
    tolerance = {"matches": 0.5, "close": 2.0}
    if not comparable:
        cells = [{**one, "comparable": False, "reason": "other data"} for one in cells]
    return {"table": name, "cells": cells, "comparable": comparable, "note": note, "tolerance": tolerance}


def as_published(spread):
    """Tables in which ours are the paper's numbers, on three seeds."""
    tables = {}
    external = {"biobert-large", "qagnn", "greaselm", "gpt3", "unifiedqa"}
    for (name, model, task), number in PUBLISHED.items():
        values = () if model in external else (number.value - spread, number.value, number.value + spread)
        mark = "cited" if model in external else ""
        tables.setdefault(name, []).append(cell(model, task, values, number.value, mark))
    return [table(name, cells) for name, cells in tables.items()]


@pytest.mark.parametrize("claim", CLAIMS, ids=[claim["id"] for claim in CLAIMS])
def test_paper_supports_its_own_claim(claim):
    """Evaluated on the paper's numbers, every claim holds: the comparison means what the sentence says."""
    (judged,) = judge_claims([claim], as_published(0.0))
    assert judged["verdict"] == HOLDS
    assert all(part["difference"] == pytest.approx(part["paper"], abs=1e-5) for part in judged["parts"])


def test_nothing_can_be_said_without_scores():
    tables = [
        table(name, [cell(m, k, paper=n.value) for (t, m, k), n in PUBLISHED.items() if t == name])
        for name in {name for name, _, _ in PUBLISHED}
    ]
    judged = judge_claims(CLAIMS, tables)
    assert {claim["verdict"] for claim in judged} == {OPEN}
    assert all(part["missing"] for claim in judged for part in claim["parts"])
    assert {claim["verdict"] for claim in judge_claims(CLAIMS, [])} == {OPEN}


def test_noise_leaves_small_differences_open():
    verdicts = {claim["id"]: claim["verdict"] for claim in judge_claims(CLAIMS, as_published(0.8))}
    assert verdicts["searchqa_tiny"] != FAILS
    assert verdicts["mrqa_tiny_everywhere"] == OPEN
    assert verdicts["mmlu_above_gpt3"] == HOLDS


def claim(**changes):
    return {
        "id": "c",
        "section": "5",
        "claim": "A is above B.",
        "table": "t",
        "task": "k",
        "left": {"model": "a"},
        "right": {"model": "b"},
        "expect": {"sign": "positive"},
        **changes,
    }


def verdict(a, b, **changes):
    (judged,) = judge_claims([claim(**changes)], [table("t", [cell("a", "k", a), cell("b", "k", b)])])
    return judged["verdict"]


@pytest.mark.parametrize(
    ("a", "b", "expect", "expected"),
    [
        ([60, 61, 62], [50, 51, 52], {"sign": "positive"}, HOLDS),
        ([60, 61, 62], [50, 51, 52], {"sign": "negative"}, FAILS),
        ([50, 51, 52], [60, 61, 62], {"sign": "negative"}, HOLDS),
        ([50, 51, 52], [50, 52, 52], {"sign": "positive"}, OPEN),
        ([50, 50], [50, 50], {"sign": "positive"}, FAILS),
        ([50.6], [50], {"sign": "positive"}, HOLDS),  # one seed: half a point on either side
        ([50.4], [50], {"sign": "positive"}, OPEN),
        ([50.6], [50, 50], {"sign": "positive"}, HOLDS),
        ([54, 54], [50, 50], {"difference": 4.9}, HOLDS),
        ([54, 54], [50, 50], {"difference": 5}, HOLDS),  # the edges belong to the region
        ([54, 54], [50, 50], {"difference": 3}, HOLDS),
        ([54, 54], [50, 50], {"difference": 5.1}, FAILS),
        ([54, 54], [50, 50], {"difference": 5.1, "tolerance": 1.1}, HOLDS),
        ([54, 54], [50, 50], {"difference": -4}, FAILS),
        ([54], [50], {"difference": 4.6}, OPEN),
    ],
)
def test_verdict_is_interval_against_region(a, b, expect, expected):
    assert verdict(a, b, expect=expect) == expected


samples = st.lists(st.integers(0, 1000).map(lambda number: number / 10), min_size=2, max_size=6, unique=True)


@given(samples, samples)
def test_interval_is_welchs(a, b):
    (judged,) = judge_claims([claim()], [table("t", [cell("a", "k", a), cell("b", "k", b)])])
    low, high = judged["parts"][0]["interval"]
    expected = stats.ttest_ind(a, b, equal_var=False).confidence_interval(0.95)
    assert (low, high) == (pytest.approx(expected.low, abs=1e-4), pytest.approx(expected.high, abs=1e-4))


def test_a_cell_with_one_seed_does_not_hide_the_noise_of_the_others():
    """Welch's interval of those with several seeds stays; half a point is the least, not the whole."""
    noisy, single = cell("a", "k", [50, 55, 60]), cell("b", "k", [50])
    (judged,) = judge_claims([claim()], [table("t", [noisy, single])])
    low, high = judged["parts"][0]["interval"]
    expected = stats.t.interval(0.95, 2, loc=5, scale=5 / np.sqrt(3))
    assert (low, high) == (pytest.approx(expected[0], abs=1e-4), pytest.approx(expected[1], abs=1e-4))
    assert (judged["verdict"], judged["parts"][0]["seeds"]) == (OPEN, 1)
    quiet = cell("a", "k", [55.0, 55.1, 55.0])
    (judged,) = judge_claims([claim()], [table("t", [quiet, single])])
    assert np.diff(judged["parts"][0]["interval"]) == pytest.approx(1.0)


def test_a_mean_whose_members_share_no_seeds_has_the_noise_of_its_members():
    """As BLURB's score, where the authors' scripts name one seed of its own for a data set."""
    cells = [cell("a", "k", [50, 55, 60]), cell("a", "l", [70]), cell("b", "k", [50, 51, 52]), cell("b", "l", [60])]
    means = [{**cell("a", "mean", [62.5]), "by_seed": {}}, {**cell("b", "mean", [55.5]), "by_seed": {}}]
    about = claim(task="mean")
    (judged,) = judge_claims([about], [with_columns("t", [*cells, *means], mean=["k", "l"])])
    part = judged["parts"][0]
    expected = stats.ttest_ind([50, 55, 60], [50, 51, 52], equal_var=False).confidence_interval(0.95)
    assert np.diff(part["interval"]) == pytest.approx((expected.high - expected.low) / 2, abs=1e-4)
    assert (part["difference"], part["seeds"]) == (7.0, 1)


def test_intervals_that_say_opposite_things_leave_a_claim_open():
    """Over seeds it holds, over examples it does not: neither word may be taken."""
    (first, one), (second, other) = sampled("a", "one", np.zeros(9)), sampled("b", "one", np.ones(9))
    first["mean"], second["mean"] = 90.0, 10.0
    verdict, part = judged_on(ABOVE, [first, second], [one, other])
    assert part["interval"][0] > 0 > part["over_examples"][1] and verdict == OPEN
    backwards = {**ABOVE, "expect": {"sign": "negative"}}
    assert judged_on(backwards, [first, second], [one, other])[0] == OPEN


def test_shared_cell_counts_once():
    """(a - c) - (b - c) is a - b, and no wider for the noise of c."""
    cells = [cell("a", "k", [60, 62]), cell("b", "k", [50, 51]), cell("c", "k", [0, 100])]
    left, right = ({"minus": [{"model": name}, {"model": "c"}]} for name in "ab")
    plain, nested = judge_claims([claim(), claim(left=left, right=right)], [table("t", cells)])
    assert plain["parts"] == nested["parts"]


def test_tasks_are_averaged_and_each_must_hold():
    cells = [cell("a", "k", [60, 60]), cell("a", "l", [40, 40]), cell("b", "k", [50, 50]), cell("b", "l", [45, 45])]
    mean = claim(tasks=["k", "l"])
    del mean["task"]
    each = {**mean, "each": ["k", "l", ["k", "l"]]}
    averaged, separate = judge_claims([mean, each], [table("t", cells)])
    assert (averaged["verdict"], averaged["parts"][0]["difference"]) == (HOLDS, 2.5)
    assert [part["verdict"] for part in separate["parts"]] == [HOLDS, FAILS, HOLDS]
    assert separate["verdict"] == FAILS


def test_cited_number_is_not_held_against_other_data():
    cells = [cell("a", "k", [60, 60]), cell("b", "k", paper=50.0, mark="cited")]
    assert judge_claims([claim()], [table("t", cells)])[0]["verdict"] == HOLDS
    (judged,) = judge_claims([claim()], [table("t", cells, comparable=False, note="Demo.")])
    assert (judged["verdict"], judged["comparable"], judged["notes"]) == (OPEN, False, ["Demo."])
    assert "cited for the paper's data" in judged["parts"][0]["missing"][0]


def test_published_numbers_alone_are_not_judged():
    cells = [cell("a", "k", paper=60.0, mark="cited"), cell("b", "k", paper=50.0, mark="cited")]
    (judged,) = judge_claims([claim()], [table("t", cells)])
    assert (judged["verdict"], judged["parts"][0]["difference"], judged["parts"][0]["paper"]) == (OPEN, None, 10.0)
    assert judged["parts"][0]["missing"] == ["a comparison of published numbers alone; nothing of it is measured here"]


def test_pages_say_what_data_they_are_about():
    cells = [cell("a", "k", [60, 60], paper=70.0), cell("b", "k", [50, 50], paper=65.0)]
    judged = judge_claims([claim(), claim(id="d", table="gone")], [table("t", cells, False, "Demo.")])
    for page in (markdown(judged), html(judged)):
        assert page.index("Demo.") < page.index("neither confirm nor refute") < page.index("A is above B.")
        for text in (
            *("+10.00", "+5.00", "– on other data: holds", "? not enough data"),
            *("gone / a / k: in none of the tables", "t: other data."),
        ):
            assert text in page
        assert "✓" not in page


def test_a_claim_on_cells_that_are_not_comparable_is_not_judged_and_says_why():
    """Tables, rows, columns and metrics alike: what counts is the cell."""
    cells = [cell("a", "k", [60, 60], 70.0, reason="drawn by seed"), cell("b", "k", [50, 50], 65.0)]
    cells += [cell("a", "l", [60, 60]), cell("b", "l", [50, 50])]
    (judged,) = judge_claims([claim()], [table("t", cells)])
    assert (judged["verdict"], judged["here"], judged["comparable"]) == (ELSEWHERE, HOLDS, False)
    assert judged["elsewhere"] == ["k: drawn by seed"]
    assert (judged["parts"][0]["difference"], judged["parts"][0]["paper"]) == (10, 5)
    (below,) = judge_claims([claim(expect={"sign": "negative"})], [table("t", cells)])
    assert (below["verdict"], below["here"]) == (ELSEWHERE, FAILS)
    (other,) = judge_claims([claim(task="l")], [table("t", cells)])
    assert (other["verdict"], other["comparable"], other["elsewhere"]) == (HOLDS, True, [])
    (cited,) = judge_claims([claim()], [table("t", [cells[0], cell("b", "k", paper=50.0, mark="cited")])])
    assert cited["verdict"] == OPEN and "cited for the paper's data" in cited["parts"][0]["missing"][0]


@pytest.mark.parametrize(
    ("values", "expected", "here"),
    [
        ({"k": 60, "l": 60}, ELSEWHERE, HOLDS),
        ({"k": 40, "l": 60}, ELSEWHERE, FAILS),
        ({"k": 60, "l": 40}, FAILS, FAILS),  # l is comparable: one counterexample is enough
        ({"k": 60, "l": 50.2}, OPEN, OPEN),
    ],
)
def test_a_claim_about_every_task_is_judged_by_its_comparable_parts(values, expected, here):
    reasons = {"k": "drawn by seed", "l": ""}
    cells = [cell("a", task, [value], reason=reasons[task]) for task, value in values.items()]
    cells += [cell("b", task, [50], reason=reasons[task]) for task in values]
    every = {key: value for key, value in claim(each=["k", "l"]).items() if key != "task"}
    (judged,) = judge_claims([every], [table("t", cells)])
    assert (judged["verdict"], judged["here"]) == (expected, here)


def test_claims_about_blurb_say_what_they_rest_on():
    """With every score as published, on the declared tables, whose columns say what is comparable."""
    declared = yaml.safe_load((CONFIG / "tables.yaml").read_text(encoding="utf-8"))["tables"]
    documents = []
    for name, definition in declared.items():
        parts = {
            part: [{"title": next(iter(row.values())), **row} for row in definition[part]]
            for part in ("rows", "columns")
        }
        runs = [
            run
            for (table_, model, task), number in PUBLISHED.items()
            for run in runs_of_published(model, task, number)
            if table_ == name and task not in ("blurb", "average", "glue")
        ]
        documents.append(build(read_definition({"table": name, **definition, **parts}), runs, PUBLISHED))
    judged = {one["id"]: one for one in judge_claims(CLAIMS, documents)}
    tables = {document["table"]: document for document in documents}
    unlike = {one["task"] for one in tables["table7_blurb"]["cells"] if not one["comparable"]}
    assert {"ebm_pico", "hoc", "blurb"} <= unlike
    for name in ("blurb_base", "blurb_large", "blurb_total", "blurb_categories", "documents_more_than_sentences"):
        assert (judged[name]["verdict"], judged[name]["here"]) == (ELSEWHERE, HOLDS), name
    assert all("the mean holds" in reason for reason in judged["blurb_base"]["elsewhere"])
    parts = {part["tasks"][0]: part["verdict"] for part in judged["blurb_categories"]["parts"]}
    assert {task for task, verdict in parts.items() if verdict == ELSEWHERE} == parts.keys() & unlike
    assert judged["mrqa_base"]["verdict"] == judged["bioasq"]["verdict"] == HOLDS


def test_command_writes_pages_and_verdicts(tmp_path):
    numbers = table("t", [cell("a", "k", [60, 60]), cell("b", "k", [50])])
    document = {"stage": "tables", "stage_version": STAGE["tables"], **numbers}
    (tmp_path / "t.json").write_text(json.dumps(document))
    (tmp_path / "claims.yaml").write_text(yaml.safe_dump({"claims": [claim()]}))
    arguments = ["--claims", tmp_path / "claims.yaml", "--tables", tmp_path / "t.json", "--output", tmp_path / "o"]
    importlib.import_module("judge_claims").main([str(argument) for argument in arguments])
    result = json.loads((tmp_path / "o.json").read_text())
    assert result["counts"] == {HOLDS: 1, FAILS: 0, OPEN: 0, ELSEWHERE: 0}
    assert "one seed" in (tmp_path / "o.md").read_text() and "one seed" in (tmp_path / "o.html").read_text()


def test_every_claim_is_about_a_declared_cell():
    declared = yaml.safe_load((CONFIG / "tables.yaml").read_text(encoding="utf-8"))["tables"]
    cells = {
        f"{name} / {row['model']} / {column['id']}"
        for name, definition in declared.items()
        for row in definition["rows"]
        for column in definition["columns"]
    }
    missing = [name for claim in judge_claims(CLAIMS, []) for part in claim["parts"] for name in part["missing"]]
    assert {name.partition(":")[0] for name in missing} <= cells


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sectoin": "5"}, "unknown key 'sectoin'.*Did you mean 'section'"),
        ({"expect": {"sign": "up"}}, "unknown .*'up'"),
        ({"expect": {"tolerance": 1}}, "expect either 'sign' or 'difference'"),
        ({"expect": {"sign": "positive", "difference": 1}}, "expect either 'sign' or 'difference'"),
        ({"left": {"table": "t"}}, "a quantity has one of"),
        ({"left": {"model": "b"}}, "both sides are the same"),
        ({"left": {"minus": [{"model": "a"}, {"modle": "b"}]}}, "unknown key 'modle'"),
    ],
)
def test_wrong_claim_is_one_sentence(tmp_path, change, message):
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump({"claims": [claim(**change)]}))
    with pytest.raises(UserError, match=message):
        read_claims(path)


def test_claim_without_a_task_and_claim_twice(tmp_path):
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump({"claims": [{k: v for k, v in claim().items() if k != "task"}]}))
    with pytest.raises(UserError, match="no task for 'a'"):
        read_claims(path)
    path.write_text(yaml.safe_dump({"claims": [claim(), claim()]}))
    with pytest.raises(UserError, match="stands there twice"):
        read_claims(path)
    path.write_text("claims: [")
    with pytest.raises(UserError, match="not valid YAML"):
        read_claims(path)


# Over test examples ---------------------------------------------------------------------------------------------------


def sampled(model, task, values, examples="these"):
    """A cell with one seed, and the evidence of its answers: a score in [0, 1] for each example."""
    rows = np.stack([values, np.ones(len(values))], axis=1)
    sample = Sample(examples, {0: Statistics("share", rows)})
    found = cell(model, task, [100 * float(np.mean(values))])
    found["choice"] = {"runs": [{"seed": 0, "sha256": f"{model} {task}"}]}
    runs = {task: {"0": f"{model} {task}"}}
    return found, Evidence(model, {task: sample}, runs, {}, {}, None, "0")


def with_columns(name, cells, **columns):
    ids = dict.fromkeys([*(one["task"] for one in cells), *columns])
    return {**table(name, cells), "columns": [{"id": task, "mean": columns.get(task)} for task in ids]}


def judged_on(claim, cells, evidence, **columns):
    by_key = {(one.model, task): one for one in evidence for task in one.samples}
    (judged,) = judge_claims([claim], [with_columns("t", cells, **columns)], by_key)
    return judged["verdict"], judged["parts"][0]


ABOVE = {
    **{"id": "c", "section": "5", "claim": "c", "table": "t", "task": "one"},
    **{"left": {"model": "a"}, "right": {"model": "b"}, "expect": {"sign": "positive"}},
}


def test_a_difference_that_another_test_set_could_turn_is_open():
    """Ten answers more of a hundred, on examples where the models disagree often: seeds are sure, examples are not."""
    draws = np.random.default_rng(0)
    noisy = [
        sampled(model, "one", (draws.random(100) < share).astype(float)) for model, share in (("a", 0.55), ("b", 0.45))
    ]
    verdict, part = judged_on(ABOVE, *zip(*noisy, strict=True))
    assert part["interval"][0] > 0 > part["over_examples"][0] and verdict == OPEN
    base = (np.arange(2000) % 2).astype(float)
    better = base.copy()
    better[:400:2] = 1
    verdict, part = judged_on(ABOVE, *zip(sampled("a", "one", better), sampled("b", "one", base), strict=True))
    assert part["over_examples"][0] > 0 and verdict == HOLDS
    verdict, _ = judged_on(ABOVE, *zip(sampled("a", "one", base), sampled("b", "one", better), strict=True))
    assert verdict == FAILS


def test_the_interval_over_examples_is_that_of_the_paired_bootstrap():
    draws = np.random.default_rng(1)
    cells, evidence = zip(*(sampled(model, "one", draws.random(50)) for model in "ab"), strict=True)
    _, part = judged_on(ABOVE, cells, evidence)
    first, second = replicate([one.samples["one"] for one in evidence])
    assert part["over_examples"] == pytest.approx(interval(first.scores - second.scores), abs=1e-5)
    low, high = part["over_examples"]
    assert low < part["difference"] < high


def test_averages_are_resampled_through_their_tasks_and_constants_are_certain():
    draws = np.random.default_rng(2)
    made = [sampled("a", task, draws.random(60), task) for task in ("one", "two")]
    cells, evidence = zip(*made, strict=True)
    average = cell("a", "mean", [float(np.mean([one["mean"] for one in cells]))])
    claim = {**ABOVE, "task": "mean", "right": {"value": 50.0}}
    _, part = judged_on(claim, [*cells, average], evidence, mean=["one", "two"])
    samples = [item.samples[task] for item, task in zip(evidence, ("one", "two"), strict=True)]
    one, two = (found.scores for found in replicate(samples))
    assert part["over_examples"] == pytest.approx(interval((one + two) / 2 - 50), abs=1e-5)


def test_a_cited_number_is_certain_over_examples():
    found, evidence = sampled("a", "one", np.random.default_rng(3).random(60))
    cited = cell("b", "one", paper=40.0, mark="cited")
    _, part = judged_on(ABOVE, [found, cited], [evidence])
    (scores,) = (one.scores for one in replicate([evidence.samples["one"]]))
    assert part["over_examples"] == pytest.approx(interval(scores - 40), abs=1e-5)


def test_models_with_other_test_examples_are_not_paired():
    cells, evidence = zip(
        sampled("a", "one", np.ones(9), "these"), sampled("b", "one", np.zeros(9), "those"), strict=True
    )
    verdict, part = judged_on(ABOVE, cells, evidence)
    assert part["over_examples"] is None and "not tested on the same examples" in part["unsampled"]
    assert verdict == HOLDS  # by the interval over seeds alone, and the page says so
    judged = judge_claims([ABOVE], [with_columns("t", list(cells))], {(one.model, "one"): one for one in evidence})
    assert "No interval over examples: one: the models were not tested" in markdown(judged)


def test_statistics_of_other_runs_are_not_taken():
    (found, evidence), other = sampled("a", "one", np.ones(9)), sampled("b", "one", np.zeros(9))
    found["choice"]["runs"][0]["sha256"] = "another"
    _, part = judged_on(ABOVE, [found, other[0]], [evidence, other[1]])
    assert part["over_examples"] is None and "of other runs" in part["unsampled"]
