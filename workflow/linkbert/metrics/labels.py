"""Classification and correlation: accuracy, F1s, Matthews, Pearson, Spearman. All return shares or correlations."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

Numbers = Sequence[float] | np.ndarray


def ratio(part: float, whole: float) -> float:
    """`part` / `whole`, and 0 where nothing is there to divide by."""
    return part / whole if whole else 0.0


def f1_of(correct: float, predicted: float, gold: float) -> tuple[float, float, float]:
    """F1, precision and recall from counts."""
    return ratio(2 * correct, predicted + gold), ratio(correct, predicted), ratio(correct, gold)


def accuracy(golds: Sequence[Any], predictions: Sequence[Any]) -> float:
    """The share of equal pairs."""
    return ratio(sum(gold == prediction for gold, prediction in zip(golds, predictions, strict=True)), len(golds))


def micro_f1(
    golds: Sequence[str], predictions: Sequence[str], negatives: Collection[str]
) -> tuple[float, float, float]:
    """Micro F1, precision and recall over all classes that are not negative; with one such class, that class' F1."""
    correct = sum(g == p and g not in negatives for g, p in zip(golds, predictions, strict=True))
    return f1_of(correct, sum(p not in negatives for p in predictions), sum(g not in negatives for g in golds))


def multilabel_f1(
    golds: Sequence[Collection[str]], predictions: Sequence[Collection[str]]
) -> tuple[float, float, float]:
    """Micro F1, precision and recall over all (example, label) cells."""
    correct = sum(len(set(g) & set(p)) for g, p in zip(golds, predictions, strict=True))
    return f1_of(correct, sum(len(set(p)) for p in predictions), sum(len(set(g)) for g in golds))


def matthews(golds: Sequence[str], predictions: Sequence[str]) -> float:
    """Matthews' correlation for any number of classes (Gorodkin, 2004); 0 where either side holds one class only."""
    names, codes = np.unique([*golds, *predictions], return_inverse=True)
    gold, predicted = codes[: len(golds)], codes[len(golds) :]
    gold_sizes = np.bincount(gold, minlength=len(names)).astype(float)
    predicted_sizes = np.bincount(predicted, minlength=len(names)).astype(float)
    number = float(len(gold))
    covariance = number * (gold == predicted).sum() - gold_sizes @ predicted_sizes
    spread = (number**2 - gold_sizes @ gold_sizes) * (number**2 - predicted_sizes @ predicted_sizes)
    return float(covariance / np.sqrt(spread)) if spread > 0 else 0.0


def pearson(golds: Numbers, predictions: Numbers) -> float:
    """Pearson's correlation; 0 where it is undefined, with a constant side or fewer than two pairs."""
    x, y = np.asarray(golds, dtype=float), np.asarray(predictions, dtype=float)
    if len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    x, y = x - x.mean(), y - y.mean()
    # Scaled first, so that neither tiny nor huge values lose the sum of squares.
    x, y = x / np.abs(x).max(), y / np.abs(y).max()
    return float(np.clip(x @ y / np.sqrt((x @ x) * (y @ y)), -1.0, 1.0))


def ranks(values: Numbers) -> np.ndarray:
    """Ranks from 1, float64 [n]; equal values share the mean of their ranks.

    >>> ranks([10.0, 20.0, 10.0])
    array([1.5, 3. , 1.5])
    """
    _, codes, sizes = np.unique(np.asarray(values, dtype=float), return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    return (last - (sizes - 1) / 2)[codes]


def spearman(golds: Numbers, predictions: Numbers) -> float:
    """Spearman's correlation: Pearson's of the ranks; 0 where undefined."""
    return pearson(ranks(golds), ranks(predictions))
