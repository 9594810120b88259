"""One entrance to all metrics: `score`. Everything is on the scale 0 to 100 and computed without a network.

Predictions are a dict from an example's id to, by kind:

| kind | prediction |
|---|---|
| span | the answer's text |
| classification | the label |
| multilabel | the list of labels |
| regression | a finite number |
| tagging | the list of tags; shorter than the tokens where the input was cut, and the tags that lack count as O |
| choice | the number of the choice |

A missing prediction (no id, None, a number that is not finite) is counted in ``missing`` and scored as wrong, never
skipped: no answer matches, the label is another one, every label of a multi-label example is inverted, the number is
the end of the gold range that lies farther away, all tags are O.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

from linkbert.errors import UserError, unknown
from linkbert.metrics import labels, tagging, text

Examples = Sequence[Mapping[str, Any]]
Predictions = Mapping[str, Any]
Scores = dict[str, float]


@dataclass(frozen=True)
class Metric:
    """A metric: what computes it, the kinds of task that it scores, and what it asks of them.

    `meant` says of a label whether the metric means it where no argument names one, `wanted` what that is in words;
    without them it takes no argument. `field` is one that every scored example must hold beside those of its kind.
    """

    compute: Callable[..., Scores]
    kinds: tuple[str, ...]
    meant: Callable[[str], bool] | None = None
    wanted: str = ""
    field: str = ""


def score(metric: str, examples: Examples, predictions: Predictions) -> Scores:
    """The scores of predictions for the examples of a split; the first is the main one, ``missing`` is a number.

    A metric is a name in `METRICS`, with an argument after a colon where it takes one (``relation_f1:none`` makes
    "none" the negative label). A UserError names an unknown metric and predictions that no example asks for.
    """
    found, argument = named_metric("score", metric)
    if not examples:
        raise UserError(f"score: no examples to score with {metric}.")
    ids = {example["id"] for example in examples}
    extra = predictions.keys() - ids
    if extra:
        raise UserError(
            f"score: {len(extra)} predictions are for no example of this split, such as '{sorted(extra)[0]}'."
        )
    scores = found.compute(examples, predictions, *([argument] if found.meant else []))
    return scores | {"missing": float(sum(_missing(predictions.get(example["id"])) for example in examples))}


def named_metric(where: str, metric: str) -> tuple[Metric, str]:
    """A metric and its argument by name; a UserError for an unknown one, and for an argument that it does not take."""
    name, _, argument = metric.partition(":")
    if name not in METRICS:
        raise unknown(where, "metric", name, METRICS)
    if argument and not METRICS[name].meant:
        raise UserError(f"{where}: the metric {name} takes no argument, found '{argument}'.")
    return METRICS[name], argument


def check_metric(where: str, metric: str, kind: str, known_labels: Collection[str] = ()) -> None:
    """Raise a UserError unless a metric scores tasks of a kind, and the label that it asks for is one of theirs.

    Without `known_labels`, as before a task's files are read, the label is not looked at.
    """
    found, argument = named_metric(where, metric)
    if kind not in found.kinds:
        others = ", ".join(sorted(name for name, other in METRICS.items() if kind in other.kinds))
        raise UserError(
            f"{where}: the metric {metric} scores tasks of kind {' or '.join(found.kinds)}, not '{kind}'. "
            f"Known for '{kind}': {others or 'none'}."
        )
    meant = (lambda label: label == argument) if argument else found.meant
    if meant and known_labels and not any(map(meant, known_labels)):
        wanted = f"the label '{argument}'" if argument else found.wanted
        raise UserError(
            f"{where}: the metric {metric} asks for {wanted}, which the task does not have. "
            f"Known: {', '.join(known_labels)}. Name one of them after a colon: {metric.partition(':')[0]}:LABEL."
        )


def _missing(prediction: Any) -> bool:
    return prediction is None or (isinstance(prediction, Real) and not math.isfinite(prediction))


def paired_labels(examples: Examples, predictions: Predictions) -> tuple[list[Any], list[Any]]:
    """Golds and predictions in order; a missing prediction becomes the first other label of the set."""
    golds = [example["label"] for example in examples]
    known = sorted(set(golds))
    predicted = []
    for example, gold in zip(examples, golds, strict=True):
        prediction = predictions.get(example["id"])
        predicted.append(next((name for name in known if name != gold), "") if _missing(prediction) else prediction)
    return golds, predicted


def _percent(**values: float) -> Scores:
    return {name: 100.0 * value for name, value in values.items()}


def _prf(values: tuple[float, float, float]) -> Scores:
    return _percent(f1=values[0], precision=values[1], recall=values[2])


def squad(examples: Examples, predictions: Predictions) -> Scores:
    """``f1`` and ``exact_match`` of SQuAD v1.1, the best over ``golds``; MRQA 2019 scores by the same rules."""
    f1 = exact = 0.0
    for example in examples:
        prediction = predictions.get(example["id"])
        if prediction is not None:
            f1 += text.token_f1(prediction, example["golds"])
            exact += text.exact_match(prediction, example["golds"])
    number = len(examples)
    return _percent(f1=f1 / number, exact_match=exact / number)


def accuracy(examples: Examples, predictions: Predictions) -> Scores:
    """``accuracy``."""
    golds, predicted = paired_labels(examples, predictions)
    return _percent(accuracy=labels.accuracy(golds, predicted))


def group_accuracy(examples: Examples, predictions: Predictions) -> Scores:
    """``accuracy``, the mean over groups (MNLI: matched and mismatched), and ``accuracy_<group>`` of each."""
    golds, predicted = paired_labels(examples, predictions)
    by_group: dict[str, float] = {}
    names = [example.get("group", "all") for example in examples]
    for group in sorted(set(names)):
        places = [place for place, name in enumerate(names) if name == group]
        by_group[f"accuracy_{group}"] = labels.accuracy([golds[p] for p in places], [predicted[p] for p in places])
    mean = sum(by_group.values()) / len(by_group)
    return _percent(accuracy=mean, **by_group)


def _is_positive(label: str) -> bool:
    return label == "1"


def _is_negative(label: str) -> bool:
    return label == "0" or "false" in label.lower()


def positives(seen: Collection[str], argument: str) -> set[str]:
    """The labels that a metric means by a positive one: the argument, or "1"."""
    return {argument} if argument else set(filter(_is_positive, seen))


def negatives(seen: Collection[str], argument: str) -> set[str]:
    """The labels that a metric leaves out as negative: the argument, or those that are "0" or contain "false"."""
    return {argument} if argument else set(filter(_is_negative, seen))


def accuracy_f1(examples: Examples, predictions: Predictions, argument: str = "") -> Scores:
    """``mean`` of ``f1`` of the positive label ("1", or the argument) and ``accuracy``: MRPC and QQP."""
    golds, predicted = paired_labels(examples, predictions)
    seen = {*golds, *predicted}
    f1 = labels.micro_f1(golds, predicted, seen - positives(seen, argument))[0]
    exact = labels.accuracy(golds, predicted)
    return _percent(mean=(f1 + exact) / 2, f1=f1, accuracy=exact)


def matthews(examples: Examples, predictions: Predictions) -> Scores:
    """``matthews``: CoLA."""
    golds, predicted = paired_labels(examples, predictions)
    return _percent(matthews=labels.matthews(golds, predicted))


def relation_f1(examples: Examples, predictions: Predictions, argument: str = "") -> Scores:
    """Micro ``f1`` without the negative label: the argument, or labels that are "0" or contain "false".

    ChemProt, DDI, and GAD, where it is the F1 of the positive class.
    """
    golds, predicted = paired_labels(examples, predictions)
    return _prf(labels.micro_f1(golds, predicted, negatives({*golds, *predicted}, argument)))


def multilabel_f1(examples: Examples, predictions: Predictions) -> Scores:
    """Micro ``f1`` over all (example, label) cells: HoC."""
    golds = [set(example["labels"]) for example in examples]
    known = set().union(*golds)
    predicted = []
    for example, gold in zip(examples, golds, strict=True):
        prediction = predictions.get(example["id"])
        predicted.append(known - gold if prediction is None else set(prediction))
    return _prf(labels.multilabel_f1(golds, predicted))


def paired_numbers(examples: Examples, predictions: Predictions) -> tuple[list[float], list[float]]:
    golds = [float(example["label"]) for example in examples]
    low, high = min(golds), max(golds)
    predicted = []
    for example, gold in zip(examples, golds, strict=True):
        prediction: Any = predictions.get(example["id"])
        predicted.append((low if gold - low > high - gold else high) if _missing(prediction) else float(prediction))
    return golds, predicted


def pearson(examples: Examples, predictions: Predictions) -> Scores:
    """``pearson``: BIOSSES."""
    return _percent(pearson=labels.pearson(*paired_numbers(examples, predictions)))


def pearson_spearman(examples: Examples, predictions: Predictions) -> Scores:
    """``mean`` of ``pearson`` and ``spearman``: STS-B."""
    golds, predicted = paired_numbers(examples, predictions)
    first, second = labels.pearson(golds, predicted), labels.spearman(golds, predicted)
    return _percent(mean=(first + second) / 2, pearson=first, spearman=second)


def paired_tags(examples: Examples, predictions: Predictions) -> tuple[list[list[str]], list[list[str]], Scores]:
    golds, predicted, lacking = [], [], 0
    for example in examples:
        gold, tags = list(example["tags"]), list(predictions.get(example["id"]) or [])
        if len(tags) > len(gold):
            raise UserError(f"score: {len(tags)} tags are predicted for the {len(gold)} tokens of '{example['id']}'.")
        lacking += len(gold) - len(tags)
        golds.append(gold)
        predicted.append(tags + ["O"] * (len(gold) - len(tags)))
    return golds, predicted, {"missing_tags": float(lacking)}


def entity_f1(examples: Examples, predictions: Predictions) -> Scores:
    """Micro ``f1`` of entities, seqeval's default mode: the NER sets."""
    golds, predicted, missing = paired_tags(examples, predictions)
    return _prf(tagging.entity_f1(golds, predicted)) | missing


def word_macro_f1(examples: Examples, predictions: Predictions) -> Scores:
    """``f1``, the mean over types of word-level F1, and ``f1_<type>`` of each: EBM PICO."""
    golds, predicted, missing = paired_tags(examples, predictions)
    by_type = tagging.word_f1s(golds, predicted)
    mean = labels.ratio(sum(by_type.values()), len(by_type))
    return _percent(f1=mean, **{f"f1_{kind}": value for kind, value in by_type.items()}) | missing


_SINGLE = ("classification", "choice")
METRICS: dict[str, Metric] = {
    "squad": Metric(squad, ("span",)),
    "accuracy": Metric(accuracy, _SINGLE),
    "group_accuracy": Metric(group_accuracy, _SINGLE, field="group"),
    "accuracy_f1": Metric(accuracy_f1, ("classification",), _is_positive, "the label '1'"),
    "matthews": Metric(matthews, ("classification",)),
    "relation_f1": Metric(
        relation_f1, ("classification",), _is_negative, "a negative label ('0', or one with 'false' in it)"
    ),
    "multilabel_f1": Metric(multilabel_f1, ("multilabel",)),
    "pearson": Metric(pearson, ("regression",)),
    "pearson_spearman": Metric(pearson_spearman, ("regression",)),
    "entity_f1": Metric(entity_f1, ("tagging",)),
    "word_macro_f1": Metric(word_macro_f1, ("tagging",)),
}
