"""Checks of what readers return: nothing unusable passes, nothing is left out without a counted reason."""

import math
from collections import Counter
from collections.abc import Callable

from linkbert.tasks.base import Dataset, Example, Source

LONG_TEXT = 100_000  # characters; longer inputs are kept, and named


def check(source: Source, dataset: Dataset) -> None:
    """Check every example of a data set in place: its fields, its label, its answers' offsets, its id.

    Ids that occur twice in a split get a suffix, so that no prediction can stand for two examples.
    """
    for split, examples in dataset.splits.items():
        kept = []
        for example in examples:
            reason = _PROBLEM[dataset.kind](source, split, example, dataset)
            if reason:
                source.drop(split, reason, where=f"example {example['id']}")
            else:
                kept.append(example)
        dataset.splits[split] = kept
        _unique_ids(source, split, kept)
        empty = sum(not text.strip() for example in kept for text in texts(example))
        if empty:
            source.warn(f"{split}: {empty} empty texts are kept")
        long = sum(any(len(text) > LONG_TEXT for text in texts(example)) for example in kept)
        if long:
            source.warn(f"{split}: {long} examples hold a text of more than {LONG_TEXT:,} characters")


def name_unseen_labels(source: Source, dataset: Dataset) -> None:
    """Warn of labels in dev and test that training lacks: no model can know them, and a misspelling looks like that."""
    if not dataset.labels:
        return
    known = {label for example in dataset.splits["train"] for label in labels(example)}
    for split in ("dev", "test"):
        seen = Counter(label for example in dataset.splits[split] for label in set(labels(example)) - known)
        if seen:
            named = ", ".join(f"{label} ({number})" for label, number in sorted(seen.items()))
            source.warn(f"{split}: examples with labels that train lacks: {named}")


def labels(example: Example) -> list[str]:
    """The labels or tags of an example."""
    for name in ("labels", "tags"):
        if name in example:
            return example[name]
    return [example["label"]]


def texts(example: Example) -> list[str]:
    """The texts of an example that a model reads, without the choices."""
    return [example[name] for name in ("question", "context", "text_a", "text_b") if name in example]


def _unique_ids(source: Source, split: str, examples: list[Example]) -> None:
    seen: Counter[str] = Counter()
    renamed = 0
    taken = {example["id"] for example in examples}
    for example in examples:
        name = example["id"]
        seen[name] += 1
        if seen[name] > 1:
            renamed += 1
            suffix = seen[name]
            while f"{name}-{suffix}" in taken:
                suffix += 1
            example["id"] = f"{name}-{suffix}"
            taken.add(example["id"])
    if renamed:
        source.warn(f"{split}: {renamed} examples repeat an id; a number is added to theirs")


def _texts_are_strings(example: Example) -> bool:
    return isinstance(example.get("id"), str) and all(isinstance(text, str) for text in texts(example))


def _span(source: Source, split: str, example: Example, dataset: Dataset) -> str:
    if not _texts_are_strings(example) or not {"question", "context"} <= example.keys():
        return "broken_row"
    if not isinstance(example["golds"], list) or not all(isinstance(gold, str) for gold in example["golds"]):
        return "broken_row"
    context = example["context"]
    placed = [
        answer
        for answer in example["answers"]
        if answer["text"] and answer["start"] >= 0 and context.startswith(answer["text"], answer["start"])
    ]
    misplaced = len(example["answers"]) - len(placed)
    source.drop(split, "answer_not_at_offset", misplaced, where=f"example {example['id']}")
    example["answers"] = placed
    if split == "train":
        return "" if placed else "no_answer_in_context"
    # A wrong offset takes nothing from the score: predictions are compared with the golds' text.
    written = [gold for gold in example["golds"] if gold.strip()]
    source.drop(split, "empty_gold_answer", len(example["golds"]) - len(written), where=f"example {example['id']}")
    example["golds"] = written
    return "" if written else "no_gold_answer"


def _classification(source: Source, split: str, example: Example, dataset: Dataset) -> str:
    if not _texts_are_strings(example) or "text_a" not in example:
        return "broken_row"
    return "" if example["label"] in dataset.labels else "unknown_label"


def _multilabel(source: Source, split: str, example: Example, dataset: Dataset) -> str:
    if not _texts_are_strings(example) or "text_a" not in example:
        return "broken_row"
    return "" if set(example["labels"]) <= set(dataset.labels) else "unknown_label"


def _regression(source: Source, split: str, example: Example, dataset: Dataset) -> str:
    if not _texts_are_strings(example) or "text_a" not in example:
        return "broken_row"
    if isinstance(example["label"], bool):
        return "label_not_a_number"
    try:
        example["label"] = float(example["label"])
    except (TypeError, ValueError):
        return "label_not_a_number"
    return "" if math.isfinite(example["label"]) else "label_not_a_number"


def _tagging(source: Source, split: str, example: Example, dataset: Dataset) -> str:
    tokens, tags = example["tokens"], example["tags"]
    if not tokens or len(tokens) != len(tags) or not all(isinstance(token, str) and token for token in tokens):
        return "broken_row"
    return "" if set(tags) <= set(dataset.labels) else "unknown_label"


def _choice(source: Source, split: str, example: Example, dataset: Dataset) -> str:
    choices = example["choices"]
    if not _texts_are_strings(example) or "question" not in example or len(choices) < 2:
        return "broken_row"
    if not all(isinstance(choice, str) for choice in choices):
        return "broken_row"
    return "" if isinstance(example["label"], int) and 0 <= example["label"] < len(choices) else "unknown_label"


_PROBLEM: dict[str, Callable[[Source, str, Example, Dataset], str]] = {
    "span": _span,
    "classification": _classification,
    "multilabel": _multilabel,
    "regression": _regression,
    "tagging": _tagging,
    "choice": _choice,
}
