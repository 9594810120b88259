"""What a ``training.json`` holds, read for figures and for the report, without drawing."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from linkbert.errors import UserError
from linkbert.files import read_json

Record = Mapping[str, Any]  # a training.json
RELATIONS = ("contiguous", "random", "linked")  # as `linkbert.model.bert` numbers them, without importing torch


def read_training(path: Path) -> Record:
    """A ``training.json``; a UserError for a file that holds no curve."""
    record = read_json(path)
    if not isinstance(record, dict) or not isinstance(record.get("curve"), list):
        raise UserError(f"{path}: not a training record: it has no 'curve'.")
    return record


def series(entries: Sequence[Record], *keys: str) -> tuple[list[float], list[float]]:
    """Steps and values of a nested key, for the entries that have a number there.

    >>> series([{"step": 1, "mlm": {"loss": 9.5}}, {"step": 2}, {"step": 3, "mlm": {"loss": None}}], "mlm", "loss")
    ([1], [9.5])
    """
    steps, values = [], []
    for entry in entries:
        value: Any = entry
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, int | float) and math.isfinite(value) and "step" in entry:
            steps.append(entry["step"])
            values.append(value)
    return steps, values


def recalls(entries: Sequence[Record]) -> dict[str, tuple[list[float], list[float], list[float]]]:
    """Steps, accuracy in percent and its standard error, by true relation, from the confusion matrices.

    The error is the binomial's. A relation that the objective does not know, or that never occurs, is left out.
    """
    curves: dict[str, tuple[list[float], list[float], list[float]]] = {}
    for entry in entries:
        confusion = (entry.get("relation") or {}).get("confusion") or []
        for name, line, right in zip(RELATIONS, confusion, range(len(confusion)), strict=False):
            total = sum(line)
            if total:
                steps, values, errors = curves.setdefault(name, ([], [], []))
                share = line[right] / total
                steps.append(entry["step"])
                values.append(100 * share)
                errors.append(100 * math.sqrt(share * (1 - share) / total))
    return curves
