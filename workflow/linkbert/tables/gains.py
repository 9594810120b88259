"""What a model gains over its baseline, with the interval of a paired bootstrap over the test examples."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from linkbert.evidence.bootstrap import RESAMPLES, interval, replicate
from linkbert.evidence.record import ABSENT, Evidence
from linkbert.tables.definition import Mean, Row

Key = tuple[str, str]  # model, task
Cell = dict[str, Any]


class Resamples:
    """The resampled scores of cells, made when they are first asked for.

    Args:
        evidence: by (model, task).
        runs: seed -> SHA-256 of the runs that a cell takes, by (model, task).
    """

    def __init__(self, evidence: Mapping[Key, Evidence], runs: Mapping[Key, Mapping[str, str]]):
        self.evidence, self._runs = evidence, runs
        self._made: dict[Key, np.ndarray] = {}

    def problem(self, keys: Iterable[Key]) -> str:
        """Why some cells cannot be resampled together; empty where they can."""
        examples: dict[str, set[str]] = {}
        for model, task in keys:
            evidence, runs = self.evidence.get((model, task)), self._runs.get((model, task))
            sample = evidence.sample(task, runs) if evidence and runs else ABSENT
            if isinstance(sample, str):
                return f"{model}, {task}: {sample}"
            examples.setdefault(task, set()).add(sample.examples)
        mixed = [task for task, found in examples.items() if len(found) > 1]
        return f"{mixed[0]}: the models were not tested on the same examples" if mixed else ""

    def scores(self, keys: Sequence[Key]) -> list[np.ndarray]:
        """The resampled scores of cells without a problem, float64 [resamples] each, in percent."""
        missing = [key for key in dict.fromkeys(keys) if key not in self._made]
        samples = [self.evidence[key].samples[key[1]] for key in missing]
        self._made |= {key: one.scores for key, one in zip(missing, replicate(samples), strict=True)}
        return [self._made[key] for key in keys]

    def examples(self, keys: Iterable[Key]) -> int:
        """Test examples behind some cells, each task's once."""
        return sum({task: self.evidence[model, task].samples[task].number for model, task in keys}.values())


def runs_of(cell: Cell) -> dict[str, str]:
    """Seed -> SHA-256 of the runs of a cell."""
    return {str(run["seed"]): run.get("sha256", "") for run in (cell["choice"] or {"runs": []})["runs"]}


def weights_of(task: str, mean: Mean | None) -> dict[str, float]:
    """The weight of each task in a column: one task, or the tasks of a (nested) mean.

    >>> weights_of("blurb", (("bc5_chem", "bc2gm"), ("hoc",)))
    {'bc5_chem': 0.25, 'bc2gm': 0.25, 'hoc': 0.5}
    """
    if mean is None:
        return {task: 1.0}
    weights: dict[str, float] = {}
    for entry in mean:
        inside = {entry: 1.0} if isinstance(entry, str) else weights_of("", entry)
        weights |= {name: weight / len(mean) for name, weight in inside.items()}
    return weights


def gain(cell: Cell, baseline: Cell, mean: Mean | None, resamples: Resamples) -> Cell | None:
    """Ours less the baseline's; None where either has no score. `interval` is None where `problem` says why."""
    if cell["mean"] is None or baseline["mean"] is None:
        return None
    sides = ((1.0, cell["model"]), (-1.0, baseline["model"]))
    weights = {
        (model, task): sign * weight for sign, model in sides for task, weight in weights_of(cell["task"], mean).items()
    }
    problem, found = resamples.problem(weights), None
    if not problem:
        parts = zip(weights.values(), resamples.scores(list(weights)), strict=True)
        found = [round(edge, 6) + 0.0 for edge in interval(sum(weight * scores for weight, scores in parts))]
    paper = cell["published"] and baseline["published"]
    return {
        "over": baseline["model"],
        "value": round(cell["mean"] - baseline["mean"], 10) + 0.0,
        "interval": found,
        "resamples": RESAMPLES if found else None,
        "examples": resamples.examples(weights) if found else None,
        "paper": round(cell["published"]["value"] - baseline["published"]["value"], 10) + 0.0 if paper else None,
        "problem": problem,
    }


def baselines(rows: Iterable[Row]) -> dict[str, str]:
    """Model -> the row that it is held against: the one it names, else the first of its group."""
    first: dict[str, str] = {}
    found: dict[str, str] = {}
    for row in rows:
        if row.external:
            continue
        other = row.baseline or first.setdefault(row.group, row.model)
        if other != row.model:
            found[row.model] = other
    return found
