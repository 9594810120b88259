"""Tagging: entity F1 as seqeval's default mode (conlleval), word-level macro F1 for PICO."""

from collections import Counter
from collections.abc import Sequence

from linkbert.metrics.labels import f1_of, ratio

Entity = tuple[str, int, int]


def _parts(tag: str) -> tuple[str, str]:
    """Prefix and type of a tag: "B-PER" is ("B", "PER"), "B" is ("B", "_")."""
    return tag[:1], tag[1:].split("-", 1)[-1] or "_"


def entities(tags: Sequence[str]) -> list[Entity]:
    """(type, first, last) of the entities in a tag sequence, in the schemes BIO, IOB and BIOES, leniently.

    An I that follows nothing, or another type, begins an entity, as conlleval has it.

    >>> entities(["I", "O", "B", "I", "B"])
    [('_', 0, 0), ('_', 2, 3), ('_', 4, 4)]
    """
    found: list[Entity] = []
    before, kind_before, start = "O", "", 0
    for place, tag in enumerate((*tags, "O")):
        prefix, kind = _parts(tag)
        changed = kind_before != kind
        if (
            before in ("E", "S")
            or (before in ("B", "I") and prefix in ("B", "S", "O"))
            or (before not in "O." and changed)
        ):
            found.append((kind_before, start, place - 1))
        if (
            prefix in ("B", "S")
            or (before in ("E", "S", "O") and prefix in ("E", "I"))
            or (prefix not in "O." and changed)
        ):
            start = place
        before, kind_before = prefix, kind
    return found


def entity_f1(golds: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> tuple[float, float, float]:
    """Micro F1, precision and recall over exactly matching entities."""
    correct = predicted = gold = 0
    for gold_tags, predicted_tags in zip(golds, predictions, strict=True):
        gold_found, predicted_found = set(entities(gold_tags)), set(entities(predicted_tags))
        correct += len(gold_found & predicted_found)
        gold += len(gold_found)
        predicted += len(predicted_found)
    return f1_of(correct, predicted, gold)


def word_counts(
    golds: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]
) -> tuple[Counter[str | None], Counter[str | None]]:
    """Words of each type (None is O) that are right, and that are of it on the gold side and on the predicted one."""
    correct: Counter[str | None] = Counter()
    sizes: Counter[str | None] = Counter()
    for gold_tags, predicted_tags in zip(golds, predictions, strict=True):
        for gold_tag, predicted_tag in zip(gold_tags, predicted_tags, strict=True):
            gold, predicted = (None if tag == "O" else _parts(tag)[1] for tag in (gold_tag, predicted_tag))
            correct[gold] += gold == predicted
            sizes[gold] += 1
            sizes[predicted] += 1
    return correct, sizes


def word_f1s(golds: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> dict[str, float]:
    """F1 of each type over single words, whatever the prefix; types that occur on either side, sorted."""
    correct, sizes = word_counts(golds, predictions)
    return {kind: ratio(2 * correct[kind], sizes[kind]) for kind in sorted(kind for kind in sizes if kind is not None)}
