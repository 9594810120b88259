"""Checks of what readers return: nothing unusable passes, nothing is left out without a counted reason."""

import math
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from itertools import combinations

from linkbert.errors import UserError
from linkbert.tasks.base import SPLITS, Dataset, Example, Source, line_of

LONG_TEXT = 100_000  # characters; longer inputs are kept, and named


def check(source: Source, dataset: Dataset) -> None:
    """Check every example of a data set in place: its fields, its label, its answers' offsets, its id.

    Ids that occur twice in a split get a suffix, so that no prediction can stand for two examples.
    """
    for split, examples in dataset.splits.items():
        kept = []
        for example in examples:
            reason = _PROBLEM[dataset.kind](source, split, example, dataset) or _unwritable(example)
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


def refuse_equal_splits(source: Source, dataset: Dataset) -> None:
    """Raise a UserError where two splits are the same list of examples and no one has said that they are."""
    for one, other in combinations(SPLITS, 2):
        if (one, other) == ("dev", "test") and dataset.test_is_dev:
            continue
        first, second = dataset.splits[one], dataset.splits[other]
        if len(first) == len(second) and all(map(_equal, first, second)):
            raise UserError(
                f"{source.task}: {one} and {other} are the same {len(first):,} examples. Give each a file of its own, "
                "or cut them from one with the option divide. Only test may be dev, by naming its file twice."
            )


def _equal(one: Example, other: Example) -> bool:
    names = (one.keys() | other.keys()) - {"id", "unit"}
    return all(one.get(name) == other.get(name) for name in names)


def count_seen_inputs(source: Source, dataset: Dataset) -> dict[str, int]:
    """How many inputs of dev and of test stand in train too, whatever their case and spacing; they stay, and are named.

    Publishers' own sets have some, so that leaving them out would make another set of it.
    """
    known = {_digest(example) for example in dataset.splits["train"]}
    counts = {}
    for split in ("dev", "test"):
        examples = dataset.splits[split]
        seen = counts[f"{split}_inputs_in_train"] = sum(_digest(example) in known for example in examples)
        if seen and not (split == "test" and dataset.test_is_dev):
            source.warn(f"{split}: {seen:,} of {len(examples):,} inputs stand in train too")
    return counts


def _digest(example: Example) -> bytes:
    parts = [*texts(example), *example.get("choices", ()), *example.get("tokens", ())]
    normalized = "\0".join(" ".join(part.lower().split()) for part in parts)
    return blake2b(normalized.encode(), digest_size=16).digest()


def require_field(source: Source, dataset: Dataset, metric: str, field: str) -> None:
    """Raise a UserError where examples that are scored lack a field that the metric reads."""
    for split in ("dev", "test"):
        lacking = [example["id"] for example in dataset.splits[split] if field and field not in example]
        if lacking:
            raise UserError(
                f"{source.task}, {split}: {len(lacking)} of {len(dataset.splits[split])} examples have no '{field}', "
                f"which the metric {metric} averages over; the first is {lacking[0]}."
            )


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


def _unwritable(example: Example) -> str:
    if not isinstance(example.get("group", ""), str):
        return "broken_row"
    try:
        line_of(example)
    except UnicodeEncodeError:
        return "broken_row"
    return ""


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
    written = [gold for gold in example["golds"] if gold.strip()]
    source.drop(split, "empty_gold_answer", len(example["golds"]) - len(written), where=f"example {example['id']}")
    example["golds"] = written
    if split == "train":
        # What is trained on is what a distractor must not hold.
        example["golds"] = written or list(dict.fromkeys(answer["text"] for answer in placed))
        return "" if placed else "no_answer_in_context"
    # A wrong offset takes nothing from the score: predictions are compared with the golds' text.
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
