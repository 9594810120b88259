"""Averages over tasks: GLUE's, MRQA's, and BLURB's over task types."""

from collections.abc import Mapping
from statistics import fmean


def macro_average(scores: Mapping[str, float | None], groups: Mapping[str, str] | None = None) -> float | None:
    """The mean of scores, or the mean over groups of the means within them; None where a score is missing.

    `groups` is task -> group. With BLURB's task types (NER, PICO, relations, similarity, document classification,
    question answering) this is the BLURB score (Gu et al., 2021, section 2.3).

    >>> macro_average({"a": 50.0, "b": 70.0, "c": 90.0}, {"a": "x", "b": "x", "c": "y"})
    75.0
    """
    if not scores or any(score is None for score in scores.values()):
        return None
    members: dict[str, list[float]] = {}
    for task, score in scores.items():
        members.setdefault(groups[task] if groups else task, []).append(float(score))  # type: ignore[arg-type]
    return fmean(fmean(values) for values in members.values())
