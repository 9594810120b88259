"""The statistics of examples give the score of any resample, and the bootstrap is that of a plain loop."""

import random

import numpy as np
import pytest

from linkbert.evidence.bootstrap import Sample, draws, interval, replicate
from linkbert.evidence.statistics import Statistics, measure
from linkbert.metrics import METRICS, score

WORDS = ["the river", "a river bank", "two cities", "cities", ""]
TAGS = ["O", "O", "B-gene", "I-gene", "B-drug", "I-drug"]


def drawn(metric, number, seed, answers=""):
    """Examples of a metric's kind, drawn by seed, and predictions for all of them, drawn by seed and `answers`."""
    pick, say = random.Random(seed), random.Random(f"{seed} {answers}")
    examples, predictions = [], {}
    for index in range(number):
        example = {"id": f"example-{index}"}
        if metric == "squad":
            example["golds"], said = pick.sample(WORDS[:4], 2), say.choice(WORDS)
        elif metric == "multilabel_f1":
            example["labels"], said = pick.sample("abc", pick.randint(0, 3)), say.sample("abcd", say.randint(0, 2))
        elif metric.startswith("pearson"):
            example["label"], said = pick.randint(0, 5), say.choice([1.0, 2.0, 3.5, 4.0])
        elif metric in ("entity_f1", "word_macro_f1"):
            example["tags"] = [pick.choice(TAGS) for _ in range(pick.randint(1, 9))]
            said = [say.choice(TAGS) for _ in example["tags"]][: say.randint(0, 9)]
        else:
            example["label"], said = pick.choice("0112"), say.choice("0112")
            example["group"] = "abbc"[index % 4]  # three, so that no two can stand for one another
        examples.append(example)
        predictions[example["id"]] = said
    return examples, predictions


def repeated(examples, predictions, times):
    """The data of a resample, written out: an example that was drawn twice stands there twice."""
    copies = [(example, copy) for example, number in zip(examples, times, strict=True) for copy in range(number)]
    return (
        [{**example, "id": f"{example['id']}/{copy}"} for example, copy in copies],
        {f"{example['id']}/{copy}": predictions[example["id"]] for example, copy in copies},
    )


def main_score(metric, examples, predictions):
    return next(iter(score(metric, examples, predictions).values()))


@pytest.mark.parametrize("metric", [*METRICS, "relation_f1:2", "accuracy_f1:2"])
def test_statistics_give_the_score_of_every_resample(metric):
    """Against the metrics themselves, on resamples written out example by example."""
    examples, predictions = drawn(metric.partition(":")[0], 40, metric)
    lacking = {**predictions, "example-1": None}
    for said in (lacking, predictions):
        assert measure(metric, examples, said).score() == pytest.approx(main_score(metric, examples, said), abs=1e-9)
    statistics = measure(metric, examples, predictions)
    generator = np.random.default_rng(1)
    for _ in range(30):
        times = np.bincount(generator.integers(0, len(examples), len(examples)), minlength=len(examples))
        found = statistics.scores(times[None].astype(float))[0]
        assert found == pytest.approx(main_score(metric, *repeated(examples, predictions, times)), abs=1e-9)


def test_a_missing_prediction_is_wrong_in_the_same_way_in_every_resample():
    """The scorer takes the first other label of the set that it sees; a resample must not choose another one."""
    examples = [{"id": name, "label": label} for name, label in (("a", "0"), ("b", "1"), ("c", "2"))]
    statistics = measure("accuracy", examples, {"a": None, "b": "1", "c": "2"})
    assert statistics.scores(np.array([[3.0, 0, 0], [1, 1, 1]])).tolist() == pytest.approx([0, 200 / 3])


def test_a_resample_without_variation_has_no_correlation():
    pairs = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.5]])
    for form, rows in (("correlations", pairs), ("pearson", measure("pearson", *drawn("pearson", 9, 3)).rows)):
        weights = np.zeros((1, len(rows)))
        weights[0, 1] = len(rows)
        assert Statistics(form, rows).scores(weights).tolist() == [0.0]


@pytest.mark.parametrize("metric", ["pearson", "pearson_spearman"])
@pytest.mark.parametrize("constant", ["gold", "said"])
def test_a_resample_whose_one_side_is_constant_has_no_correlation(metric, constant):
    """What rounding leaves of a constant side, divided by itself, would be any number."""
    draw = np.random.default_rng(0)
    for _ in range(100):
        same, other = np.full(20, draw.normal() * 10 ** draw.uniform(-3, 3)), draw.normal(size=20)
        same[-1] = draw.normal()  # never drawn below
        golds, said = (same, other) if constant == "gold" else (other, same)
        examples = [{"id": str(place), "label": value} for place, value in enumerate(golds)]
        statistics = measure(metric, examples, {str(place): value for place, value in enumerate(said)})
        weights = draw.multinomial(20, [1 / 19] * 19 + [0]).astype(float)
        assert statistics.scores(weights[None]).tolist() == [0.0]


def test_a_resample_without_a_type_or_a_group_is_the_mean_of_the_others():
    tagged = [{"id": "a", "tags": ["B-gene"]}, {"id": "b", "tags": ["B-drug"]}]
    statistics = measure("word_macro_f1", tagged, {"a": ["B-gene"], "b": ["O"]})
    assert statistics.scores(np.array([[2.0, 0], [1, 1], [0, 2]])).tolist() == [100.0, 50.0, 0.0]
    grouped = [{"id": name, "label": "x", "group": name} for name in "abc"]
    statistics = measure("group_accuracy", grouped, {"a": "x", "b": "x", "c": "y"})
    assert statistics.scores(np.array([[1.0, 2, 0], [1, 0, 1]])).tolist() == [100.0, 50.0]


@pytest.mark.parametrize("metric", ["squad", "matthews", "pearson_spearman", "entity_f1"])
def test_the_bootstrap_is_that_of_a_plain_loop(metric):
    """The same draws, one resample at a time, each example looked up, every seed scored from its predictions."""
    examples, _ = drawn(metric, 25, metric)
    models = {
        model: {seed: drawn(metric, 25, metric, f"{model}, seed {seed}")[1] for seed in (0, 1)}
        for model in ("ours", "baseline")
    }
    samples = [
        Sample("these", {seed: measure(metric, examples, said) for seed, said in answers.items()})
        for answers in models.values()
    ]
    ours, baseline = replicate(samples, resamples=50)
    differences = []
    for times in np.concatenate(list(draws("these", 25, 50))).astype(int):
        means = {
            model: np.mean([main_score(metric, *repeated(examples, said, times)) for said in answers.values()])
            for model, answers in models.items()
        }
        differences.append(means["ours"] - means["baseline"])
    np.testing.assert_allclose(ours.scores - baseline.scores, differences, atol=1e-9)


def test_the_interval_has_the_width_that_theory_gives_and_covers_the_truth():
    """For a mean of n independent values: 1.96 standard errors on either side, and the truth inside 95 times in 100."""
    generator = np.random.default_rng(0)
    inside = 0
    for trial in range(200):
        values = generator.normal(0.3, 0.1, 150)
        sample = Sample(f"trial {trial}", {0: Statistics("share", np.stack([values, np.ones(150)], axis=1))})
        low, high = interval(replicate([sample], 2000)[0].scores)
        inside += low <= 30 <= high
        assert high - low == pytest.approx(2 * 1.96 * 100 * values.std() / np.sqrt(150), rel=0.12)
    assert 180 <= inside <= 199


def test_the_interval_leaves_a_fortieth_on_either_side():
    assert interval(np.arange(10_001.0)) == pytest.approx((250, 9_750))
    assert interval(np.arange(101.0), 0.5) == pytest.approx((25, 75))


def test_pairing_removes_what_two_models_have_in_common():
    """Two models that differ in one answer of a hundred: the difference is certain to a point, the scores are not."""
    right = (np.arange(100) % 2).astype(float)
    better = right.copy()
    better[0] = 1
    ours, baseline = (
        Sample("these", {0: Statistics("share", np.stack([values, np.ones(100)], axis=1))})
        for values in (better, right)
    )
    first, second = replicate([ours, baseline])
    low, high = interval(first.scores - second.scores)
    assert (low, high) == pytest.approx((0.0, 3.0))
    alone = interval(first.scores)
    assert alone[1] - alone[0] > 18


def test_draws_depend_on_the_examples_alone():
    values = np.random.default_rng(0).random(30)
    one = Sample("these", {0: Statistics("share", np.stack([values, np.ones(30)], axis=1))})
    other = Sample("those", one.by_seed)
    alone, beside, elsewhere = replicate([one])[0], replicate([other, one])[1], replicate([other])[0]
    assert (alone.scores == beside.scores).all() and (alone.scores != elsewhere.scores).any()
    assert sum(len(rows) for rows in draws("these", 400_000, 5)) == 5
    assert all((rows.sum(1) == 30).all() for rows in draws("these", 30, 100))
