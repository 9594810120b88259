"""What a score needs of each test example, so that it can be computed for any weighting of them.

Most metrics are functions of sums over examples: entity F1 of the numbers of right, found and true entities, a
correlation of five moments. Resampling the rows of such a table is therefore resampling the examples, and exact for
metrics that are no means. Spearman's correlation is the exception: its ranks are made anew for each weighting.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linkbert.errors import unknown
from linkbert.metrics import tagging, text
from linkbert.metrics.score import METRICS, negatives, paired_labels, paired_numbers, paired_tags, positives

Array = np.ndarray
Examples = Sequence[Mapping[str, Any]]
Predictions = Mapping[str, Any]


@dataclass(frozen=True)
class Statistics:
    """One row an example, float64 [n, k], and the name in `FORMS` of what turns the rows into a score."""

    form: str
    rows: Array

    def scores(self, weights: Array) -> Array:
        """The main metric in percent, float64 [r], for weights of the examples [r, n]: how often each was drawn."""
        return next(Joint([self]).scores(weights))

    def score(self) -> float:
        """The main metric in percent, each example once."""
        return float(self.scores(np.ones((1, len(self.rows))))[0])


class Joint:
    """Several statistics of the same examples, whose rows are summed in one product."""

    def __init__(self, statistics: Sequence[Statistics]):
        self.statistics = statistics
        self._rows = np.concatenate([one.rows for one in statistics], axis=1)
        self._ends = np.cumsum([one.rows.shape[1] for one in statistics])

    def scores(self, weights: Array) -> Iterator[Array]:
        """The main metric of each in percent, float64 [r]; see `Statistics.scores`."""
        sums = weights @ self._rows
        for one, end in zip(self.statistics, self._ends, strict=True):
            if one.form == "correlations":
                yield _correlations(one.rows, weights)
            else:
                yield 100.0 * FORMS[one.form](sums[:, end - one.rows.shape[1] : end])


def _ratio(parts: Array, wholes: Array) -> Array:
    return np.divide(parts, wholes, out=np.zeros_like(parts), where=wholes != 0)


def _share(sums: Array) -> Array:
    """[right, 1]"""
    return _ratio(sums[:, 0], sums[:, 1])


def _shares(sums: Array) -> Array:
    """[right, 1] for each group: the mean over groups that occur."""
    return _ratio(_ratio(sums[:, ::2], sums[:, 1::2]).sum(1), (sums[:, 1::2] > 0).sum(1).astype(float))


def _f1(sums: Array) -> Array:
    """[right, found + true]"""
    return _ratio(2 * sums[:, 0], sums[:, 1])


def _f1s(sums: Array) -> Array:
    """[right, found + true] for each type: the mean over types that occur."""
    return _ratio(_ratio(2 * sums[:, ::2], sums[:, 1::2]).sum(1), (sums[:, 1::2] > 0).sum(1).astype(float))


def _share_and_f1(sums: Array) -> Array:
    """[right, 1, right positives, found + true positives]"""
    return (_share(sums[:, :2]) + _f1(sums[:, 2:])) / 2


def _matthews(sums: Array) -> Array:
    """[right, gold is class 1, ..., gold is class c, prediction is class 1, ...] (Gorodkin, 2004)"""
    right, (gold, predicted) = sums[:, 0], np.split(sums[:, 1:], 2, axis=1)
    number = gold.sum(1)
    spread = (number**2 - (gold**2).sum(1)) * (number**2 - (predicted**2).sum(1))
    return _ratio(number * right - (gold * predicted).sum(1), np.sqrt(np.maximum(spread, 0.0)))


def _pearson(sums: Array) -> Array:
    """[1, x, y, xx, yy, xy]"""
    n, x, y, xx, yy, xy = sums.T
    variances = (n * xx - x**2) * (n * yy - y**2)
    # What rounding leaves of a constant side is no variance.
    variances[(n * xx - x**2 <= 1e-12 * n * xx) | (n * yy - y**2 <= 1e-12 * n * yy)] = 0
    return np.clip(_ratio(n * xy - x * y, np.sqrt(np.maximum(variances, 0.0))), -1.0, 1.0)


FORMS: dict[str, Callable[[Array], Array]] = {
    "share": _share,
    "shares": _shares,
    "f1": _f1,
    "f1s": _f1s,
    "share_and_f1": _share_and_f1,
    "matthews": _matthews,
    "pearson": _pearson,
}


def _moments(pairs: Array) -> Array:
    """[1, x, y, xx, yy, xy] of pairs [n, 2], centred and scaled, which a correlation does not see."""
    pairs = pairs - pairs.mean(0)
    x, y = (pairs / np.maximum(np.abs(pairs).max(0), 1e-300)).T
    return np.stack([np.ones(len(x)), x, y, x * x, y * y, x * y], axis=1)


def _correlations(pairs: Array, weights: Array) -> Array:
    """The mean of Pearson's and Spearman's correlation of pairs [n, 2], in percent, for weights [r, n]."""
    pearson = _pearson(weights @ _moments(pairs))
    x, y = (_weighted_ranks(pairs[:, side], weights) for side in (0, 1))
    number = weights.sum(1, keepdims=True)
    x, y = (ranks - (number + 1) / 2 for ranks in (x, y))  # the mean rank, ties or not
    covariance, *variances = ((weights * left * right).sum(1) for left, right in ((x, y), (x, x), (y, y)))
    return 50.0 * (pearson + _ratio(covariance, np.sqrt(variances[0] * variances[1])))


def _weighted_ranks(values: Array, weights: Array) -> Array:
    """The rank of each value [r, n] where value i occurs ``weights[:, i]`` times; equals share their mean rank."""
    _, codes, sizes = np.unique(values, return_inverse=True, return_counts=True)
    order, first = np.argsort(codes, kind="stable"), np.cumsum(sizes) - sizes
    of_value = np.add.reduceat(weights[:, order], first, axis=1)
    return (np.cumsum(of_value, axis=1) - (of_value - 1) / 2)[:, codes]


def measure(metric: str, examples: Examples, predictions: Predictions) -> Statistics:
    """The statistics of predictions for the examples of a split, in their order.

    `linkbert.metrics.score` says what a metric's name, an example and a prediction are; the score of the statistics is
    the main one of `score`.
    """
    name, _, argument = metric.partition(":")
    if name not in _MEASURES:
        raise unknown("measure", "metric", name, METRICS)
    return _MEASURES[name](examples, predictions, argument)


def _with_ones(values: Sequence[float] | Array) -> Array:
    return np.stack([np.asarray(values, dtype=float), np.ones(len(values))], axis=1)


def _squad(examples: Examples, predictions: Predictions, _: str) -> Statistics:
    answers = [predictions.get(example["id"]) for example in examples]
    f1s = [
        0.0 if answer is None else text.token_f1(answer, example["golds"])
        for answer, example in zip(answers, examples, strict=True)
    ]
    return Statistics("share", _with_ones(f1s))


def _equal(examples: Examples, predictions: Predictions) -> tuple[Array, Array, Array]:
    golds, predicted = (np.array(side, dtype=object) for side in paired_labels(examples, predictions))
    return golds, predicted, (golds == predicted).astype(float)


def _accuracy(examples: Examples, predictions: Predictions, _: str) -> Statistics:
    return Statistics("share", _with_ones(_equal(examples, predictions)[2]))


def _group_accuracy(examples: Examples, predictions: Predictions, _: str) -> Statistics:
    right = _equal(examples, predictions)[2]
    groups = np.array([example.get("group", "all") for example in examples])
    inside = [(groups == group).astype(float) for group in np.unique(groups)]
    return Statistics("shares", np.stack([row for group in inside for row in (right * group, group)], axis=1))


def _of_classes(golds: Array, predicted: Array, classes: set[Any]) -> Array:
    """[right, found + true] of the classes that count."""
    gold, found = (np.array([label in classes for label in side], dtype=float) for side in (golds, predicted))
    return np.stack([gold * (golds == predicted), gold + found], axis=1)


def _accuracy_f1(examples: Examples, predictions: Predictions, argument: str) -> Statistics:
    golds, predicted, right = _equal(examples, predictions)
    found = _of_classes(golds, predicted, positives({*golds, *predicted}, argument))
    return Statistics("share_and_f1", np.concatenate([_with_ones(right), found], axis=1))


def _relation_f1(examples: Examples, predictions: Predictions, argument: str) -> Statistics:
    golds, predicted, _ = _equal(examples, predictions)
    seen = {*golds, *predicted}
    return Statistics("f1", _of_classes(golds, predicted, seen - negatives(seen, argument)))


def _matthews_rows(examples: Examples, predictions: Predictions, _: str) -> Statistics:
    golds, predicted, right = _equal(examples, predictions)
    classes = sorted({*golds, *predicted})
    sides = [(side == label).astype(float) for side in (golds, predicted) for label in classes]
    return Statistics("matthews", np.stack([right, *sides], axis=1))


def _multilabel_f1(examples: Examples, predictions: Predictions, _: str) -> Statistics:
    known = set().union(*(example["labels"] for example in examples))
    rows = []
    for example in examples:
        gold, said = set(example["labels"]), predictions.get(example["id"])
        found = known - gold if said is None else set(said)
        rows.append((len(gold & found), len(gold) + len(found)))
    return Statistics("f1", np.array(rows, dtype=float))


def _pairs(examples: Examples, predictions: Predictions) -> Array:
    return np.array(paired_numbers(examples, predictions), dtype=float).T


def _entity_f1(examples: Examples, predictions: Predictions, _: str) -> Statistics:
    golds, predicted, _missing = paired_tags(examples, predictions)
    rows = []
    for sides in zip(golds, predicted, strict=True):
        gold, found = (set(tagging.entities(side)) for side in sides)
        rows.append((len(gold & found), len(gold) + len(found)))
    return Statistics("f1", np.array(rows, dtype=float))


def _word_macro_f1(examples: Examples, predictions: Predictions, _: str) -> Statistics:
    golds, predicted, _missing = paired_tags(examples, predictions)
    counts = [tagging.word_counts([gold], [found]) for gold, found in zip(golds, predicted, strict=True)]
    kinds = sorted({kind for _, sizes in counts for kind in sizes if kind is not None})
    rows = [
        [number for kind in kinds for number in (correct[kind], sizes[kind])]  # a Counter: 0 where absent
        for correct, sizes in counts
    ]
    return Statistics("f1s", np.array(rows, dtype=float).reshape(len(rows), 2 * len(kinds)))


_MEASURES: dict[str, Callable[[Examples, Predictions, str], Statistics]] = {
    "squad": _squad,
    "accuracy": _accuracy,
    "group_accuracy": _group_accuracy,
    "accuracy_f1": _accuracy_f1,
    "matthews": _matthews_rows,
    "relation_f1": _relation_f1,
    "multilabel_f1": _multilabel_f1,
    "pearson": lambda examples, predictions, _: Statistics("pearson", _moments(_pairs(examples, predictions))),
    "pearson_spearman": lambda examples, predictions, _: Statistics("correlations", _pairs(examples, predictions)),
    "entity_f1": _entity_f1,
    "word_macro_f1": _word_macro_f1,
}
