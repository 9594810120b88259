"""The entrance to the metrics: the main score first, missing predictions wrong and counted, BLURB's average."""

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from linkbert.errors import UserError
from linkbert.metrics import METRICS, score
from linkbert.metrics.score import paired_labels, paired_numbers

LABELLED = [{"id": str(i), "label": label} for i, label in enumerate(["1", "0", "1", "1"])]


def perfect(metric):
    """Examples on which a perfect prediction is possible, and that prediction."""
    if metric == "squad":
        examples = [{"id": "a", "golds": ["x y"]}, {"id": "b", "golds": ["z"]}]
        return examples, {"a": "x y", "b": "z"}
    if metric in ("entity_f1", "word_macro_f1"):
        examples = [{"id": "a", "tags": ["B-X", "O"]}, {"id": "b", "tags": ["B-Y"]}]
        return examples, {example["id"]: example["tags"] for example in examples}
    if metric == "multilabel_f1":
        examples = [{"id": "a", "labels": ["x", "y"]}, {"id": "b", "labels": ["z"]}]
        return examples, {example["id"]: example["labels"] for example in examples}
    if metric.startswith("pearson"):
        examples = [{"id": str(i), "label": float(i)} for i in range(4)]
        return examples, {example["id"]: 2 * example["label"] + 1 for example in examples}
    return LABELLED, {example["id"]: example["label"] for example in LABELLED}


@pytest.mark.parametrize("metric", METRICS)
def test_a_perfect_prediction_has_100_and_a_missing_one_costs(metric):
    examples, predictions = perfect(metric)
    full = score(metric, examples, predictions)
    main = next(iter(full))
    assert full[main] == pytest.approx(100)
    assert full["missing"] == 0
    gone = examples[-1]["id"]
    for absent in ({key: value for key, value in predictions.items() if key != gone}, predictions | {gone: None}):
        found = score(metric, examples, absent)
        assert found["missing"] == 1
        assert found[main] < 100
    assert score(metric, examples, {})[main] <= 1e-9
    assert score(metric, examples, {})["missing"] == len(examples)


@pytest.mark.parametrize("metric", METRICS)
def test_predictions_of_another_split_are_refused(metric):
    examples, predictions = perfect(metric)
    with pytest.raises(UserError, match="for no example"):
        score(metric, examples, predictions | {"elsewhere": next(iter(predictions.values()))})


def test_unknown_metric_empty_split_and_stray_argument():
    with pytest.raises(UserError, match="Did you mean 'accuracy'"):
        score("acuracy", LABELLED, {})
    with pytest.raises(UserError, match="no examples"):
        score("accuracy", [], {})
    with pytest.raises(UserError, match="takes no argument"):
        score("accuracy:1", LABELLED, {})


def test_what_stands_for_a_missing_prediction_does_not_depend_on_the_order_of_a_set():
    """The first other label, the end of the range that is farther away: of any number of labels and any range."""
    letters = "hgfedcba"
    examples = [{"id": letter, "label": letter} for letter in letters]
    golds, said = paired_labels(examples, {})
    assert said == ["b" if gold == "a" else "a" for gold in golds]
    numbers = [{"id": str(place), "label": label} for place, label in enumerate((2.0, 5.0, 6.0, 9.0))]
    assert paired_numbers(numbers, {})[1] == [9.0, 9.0, 2.0, 2.0]


def test_groups_are_averaged_whatever_their_sizes():
    examples = [{"id": str(i), "label": "x", "group": "big" if i < 8 else "small"} for i in range(10)]
    predictions = {str(i): "x" if i < 8 else "y" for i in range(10)}
    found = score("group_accuracy", examples, predictions)
    assert list(found) == ["accuracy", "accuracy_big", "accuracy_small", "missing"]
    assert (found["accuracy"], found["accuracy_big"], found["accuracy_small"]) == (50, 100, 0)


def test_relations_know_their_negative_label():
    examples = [{"id": str(i), "label": label} for i, label in enumerate(["DDI-false", "DDI-int", "DDI-effect"])]
    predictions = {"0": "DDI-false", "1": "DDI-int", "2": "DDI-false"}
    assert score("relation_f1", examples, predictions)["f1"] == pytest.approx(100 * 2 / 3)
    named = [{"id": str(i), "label": label} for i, label in enumerate(["none", "causes", "none"])]
    predictions = {"0": "none", "1": "causes", "2": "causes"}
    assert score("relation_f1:none", named, predictions)["f1"] == pytest.approx(100 * 2 / 3)
    assert score("relation_f1", named, predictions)["f1"] == pytest.approx(100 * 2 / 3)  # micro F1 over both classes


def test_a_missing_relation_is_wrong_for_negatives_too():
    examples = [{"id": "0", "label": "0"}, {"id": "1", "label": "1"}]
    assert score("relation_f1", examples, {"1": "1"})["precision"] == 50


def test_pairs_of_metrics_are_averaged():
    predictions = {"0": "1", "1": "1", "2": "1", "3": "0"}
    found = score("accuracy_f1", LABELLED, predictions)
    assert found["accuracy"] == 50
    assert found["f1"] == pytest.approx(100 * 2 / 3)
    assert found["mean"] == pytest.approx((50 + 200 / 3) / 2)
    rng = np.random.default_rng(0)
    gold, predicted = rng.normal(size=(2, 30))
    examples = [{"id": str(i), "label": value} for i, value in enumerate(gold)]
    found = score("pearson_spearman", examples, {str(i): value for i, value in enumerate(predicted)})
    assert found["pearson"] == pytest.approx(100 * pearsonr(gold, predicted).statistic)
    assert found["spearman"] == pytest.approx(100 * spearmanr(gold, predicted).statistic)
    assert found["mean"] == pytest.approx((found["pearson"] + found["spearman"]) / 2)


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), np.float64("nan"), np.float32("inf")])
def test_a_number_that_is_none_is_missing(bad):
    examples = [{"id": str(i), "label": float(i)} for i in range(5)]
    predictions = {str(i): float(i) for i in range(4)} | {"4": bad}
    found = score("pearson", examples, predictions)
    assert found["missing"] == 1
    assert found["pearson"] == pytest.approx(100 * pearsonr(range(5), [0, 1, 2, 3, 0]).statistic)


def test_tags_lost_to_truncation_count_as_o():
    examples = [{"id": "a", "tags": ["B", "I", "O", "B"]}, {"id": "b", "tags": ["B"]}]
    found = score("entity_f1", examples, {"a": ["B", "I"], "b": ["B"]})
    assert found["missing_tags"] == 2
    assert found["missing"] == 0
    assert (found["precision"], found["recall"]) == (100, pytest.approx(200 / 3))
    with pytest.raises(UserError, match="2 tags are predicted for the 1 tokens of 'b'"):
        score("entity_f1", examples, {"b": ["B", "O"]})
