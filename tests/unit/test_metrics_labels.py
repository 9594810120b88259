"""Classification and correlation metrics against scikit-learn and SciPy."""

import warnings

import numpy as np
import pytest
from scipy.stats import pearsonr, rankdata, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef, precision_recall_fscore_support

from linkbert.metrics import labels


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def random_labels(rng, names):
    number = rng.integers(1, 40)
    # Skewed draws give sets without a positive, without a negative, and with one class only.
    weights = rng.dirichlet(np.full(len(names), 0.4))
    return [rng.choice(names, size=number, p=weights).tolist() for _ in range(2)]


def test_accuracy_and_matthews_equal_sklearn():
    rng = np.random.default_rng(1)
    for names in (["0", "1"], ["a", "b", "c", "d"]):
        for _ in range(400):
            gold, predicted = random_labels(rng, names)
            assert labels.accuracy(gold, predicted) == pytest.approx(accuracy_score(gold, predicted))
            assert labels.matthews(gold, predicted) == pytest.approx(matthews_corrcoef(gold, predicted), abs=1e-12)


def test_micro_f1_without_the_negative_class_equals_sklearn():
    rng = np.random.default_rng(2)
    names = ["false", "CPR:3", "CPR:4", "CPR:9"]
    for _ in range(500):
        gold, predicted = random_labels(rng, names)
        precision, recall, f1, _ = precision_recall_fscore_support(
            gold, predicted, labels=names[1:], average="micro", zero_division=0
        )
        assert labels.micro_f1(gold, predicted, {"false"}) == pytest.approx((f1, precision, recall))


def test_with_two_classes_it_is_the_f1_of_the_positive_class():
    rng = np.random.default_rng(3)
    for _ in range(300):
        gold, predicted = random_labels(rng, ["0", "1"])
        expected = f1_score(gold, predicted, pos_label="1", labels=["0", "1"], average="binary", zero_division=0)
        assert labels.micro_f1(gold, predicted, {"0"})[0] == pytest.approx(expected)


def test_multilabel_f1_equals_sklearn_over_all_cells():
    rng = np.random.default_rng(4)
    for _ in range(300):
        gold, predicted = (rng.random((2, rng.integers(1, 30), 10)) < rng.random()).astype(int)
        expected = f1_score(gold.ravel(), predicted.ravel(), zero_division=0)
        sets = [[{str(i) for i in np.flatnonzero(row)} for row in matrix] for matrix in (gold, predicted)]
        assert labels.multilabel_f1(*sets)[0] == pytest.approx(expected)


def test_correlations_equal_scipy_with_and_without_ties():
    rng = np.random.default_rng(5)
    for trial in range(500):
        number = rng.integers(3, 40)
        gold, predicted = rng.normal(size=(2, number)) * 10.0 ** rng.integers(-3, 4)
        if trial % 2:
            gold, predicted = np.round(gold), np.round(predicted * 2) / 2
        if np.ptp(gold) == 0 or np.ptp(predicted) == 0:
            continue
        assert labels.ranks(predicted) == pytest.approx(rankdata(predicted))
        assert labels.pearson(gold, predicted) == pytest.approx(pearsonr(gold, predicted).statistic, abs=1e-9)
        assert labels.spearman(gold, predicted) == pytest.approx(spearmanr(gold, predicted).statistic, abs=1e-9)


def test_correlation_is_0_where_it_is_undefined_and_exact_where_it_is_perfect():
    assert labels.pearson([1, 2, 3], [5, 5, 5]) == 0
    assert labels.spearman([1, 1, 1], [1, 2, 3]) == 0
    assert labels.pearson([1.0], [2.0]) == 0
    assert labels.pearson([1e-200, 2e-200, 3e-200], [1e200, 2e200, 3e200]) == pytest.approx(1)
    assert labels.pearson([1, 2, 3], [-2, -4, -6]) == -1


def test_two_pairs_lie_on_a_line_and_one_on_none():
    assert labels.pearson([1, 2], [3, 5]) == pytest.approx(1) and labels.pearson([1, 2], [5, 3]) == pytest.approx(-1)
    assert labels.pearson([1], [3]) == 0
