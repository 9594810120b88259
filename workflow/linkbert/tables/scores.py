"""Score files: reading runs, choosing a grid point by its dev score, averaging over seeds."""

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Any

from linkbert.errors import UserError, unknown
from linkbert.files import fingerprint, read_json, sha256_of
from linkbert.tables.definition import Mean, members

REQUIRED = ("task", "seed", "point", "metric", "dev", "test")
# What must be of one type to be sorted, counted and averaged.
TYPES = {"task": str, "train_task": str, "seed": int, "metric": str, "scorer": str}


@dataclass(frozen=True)
class ScoreFile:
    """A score file's identity; `name` is its last two path components, the same on every machine."""

    name: str
    sha256: str
    model: str
    batch: str
    about: Mapping[str, Any] = field(default_factory=dict)  # what else the file says of itself, e.g. fingerprints


@dataclass(frozen=True)
class Run:
    """One fine-tuning run; `dev` and `test` are its main metric in percent, None where it is undefined.

    `test_is_dev`: the task's test set is its development set, because the publisher keeps the test labels.
    """

    model: str
    task: str
    train_task: str
    seed: int
    recipe: Any
    point: Any
    metric: str
    dev: float | None
    test: float | None
    file: ScoreFile
    record: Mapping[str, Any]  # the run as the file has it
    test_is_dev: bool = False

    @property
    def candidate(self) -> str:
        """What runs of the same grid point share."""
        return fingerprint([self.recipe, self.point])


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds; `spread` is the sample standard deviation, None for a single seed."""

    mean: float
    spread: float | None
    by_seed: Mapping[int, float]


@dataclass(frozen=True)
class Candidate:
    """A grid point that was tried: one of its runs, its mean dev score, its number of seeds."""

    run: Run
    dev: float | None
    seeds: int


@dataclass(frozen=True)
class Choice:
    """The grid point taken for (model, task): its runs by seed, and what it was taken from and by."""

    runs: tuple[Run, ...]
    chosen_on: str  # the task whose dev score decided
    dev: float | None
    candidates: tuple[Candidate, ...]
    estimate: Estimate | None
    problem: str = ""  # why there is no estimate


def load_scores(paths: Iterable[Path]) -> list[Run]:
    """All runs of some score files, in order; a UserError for what is not a score file or contradicts another."""
    runs: dict[tuple[str, str, str, int], Run] = {}
    for path in paths:
        content = read_json(path)
        if not isinstance(content, dict) or not isinstance(content.get("runs"), list):
            raise UserError(f"{path}: not a score file: it must be an object with 'model' and 'runs'.")
        if not isinstance(content.get("model"), str):
            raise UserError(f"{path}: not a score file: 'model' must be a name.")
        about = {key: value for key, value in content.items() if key not in ("runs", "model", "batch")}
        name = "/".join(path.absolute().parts[-2:])
        file = ScoreFile(name, sha256_of(path), content["model"], str(content.get("batch", "")), about)
        for number, record in enumerate(content["runs"]):
            run = _run(f"{path}: run {number}", file, record)
            key = (run.model, run.task, run.candidate, run.seed)
            other = runs.setdefault(key, run)
            if (other.dev, other.test) != (run.dev, run.test):
                raise UserError(
                    f"{run.model} / {run.task}, seed {run.seed}: {other.file.name} and {file.name} hold the same run "
                    f"with different scores ({other.test} and {run.test}). Delete the one that is out of date."
                )
    return list(runs.values())


def _run(where: str, file: ScoreFile, record: Any) -> Run:
    absent = [key for key in REQUIRED if not isinstance(record, dict) or key not in record]
    if absent:
        raise UserError(f"{where}: '{absent[0]}' is missing; the score file is of another version or damaged.")
    for key, kind in TYPES.items():
        if key in record and (not isinstance(record[key], kind) or isinstance(record[key], bool)):
            expected = "a whole number" if kind is int else "a text"
            raise UserError(f"{where}: '{key}' must be {expected}, found {record[key]!r:.60}.")
    return Run(
        model=file.model,
        task=record["task"],
        train_task=record.get("train_task", record["task"]),
        seed=record["seed"],
        recipe=record.get("recipe"),
        point=record["point"],
        metric=record.get("scorer", record["metric"]),
        dev=_score(f"{where}: dev", record["dev"], record["metric"]),
        test=_score(f"{where}: test", record["test"], record["metric"]),
        file=file,
        record=record,
        test_is_dev=bool(record.get("test_is_dev")),
    )


def _score(where: str, metrics: Mapping[str, float | None] | None, metric: str) -> float | None:
    if not metrics:
        return None
    if not isinstance(metrics, Mapping):
        raise UserError(f"{where}: expected scores by metric, found {metrics!r:.60}.")
    if metric not in metrics:
        raise unknown(where, "metric", metric, metrics)
    value = metrics[metric]
    if value is not None and (not isinstance(value, Real) or isinstance(value, bool)):
        raise UserError(f"{where}: {metric} must be a number, found {value!r:.60}.")
    # An undefined score (the correlation of a constant) is a missing number, not a zero.
    if value is None or not math.isfinite(value):
        return None
    if abs(value) > 100:
        raise UserError(f"{where}: {metric} is {value}; scores are percentages.")
    return float(value)


def average(values: Mapping[int, float]) -> Estimate:
    """Mean and sample standard deviation of values by seed."""
    numbers = list(values.values())
    spread = statistics.stdev(numbers) if len(numbers) > 1 else None
    return Estimate(statistics.fmean(numbers), spread, dict(values))


def select(runs: Iterable[Run]) -> dict[tuple[str, str], Choice]:
    """For each (model, task), the grid point with the best mean dev score over its seeds; the first of equals.

    A model that is tested on a task it was not tuned on (MMLU, section 6.2) is chosen by the dev score of the task it
    was tuned on, where that is among the runs. A point with an undefined dev score loses to every other. Test scores
    are not looked at.
    """
    grouped: dict[tuple[str, str], dict[str, list[Run]]] = {}
    for run in runs:
        grouped.setdefault((run.model, run.task), {}).setdefault(run.candidate, []).append(run)
    choices = {}
    for (model, task), points in grouped.items():
        tuned_on = next(iter(points.values()))[0].train_task
        judges = grouped.get((model, tuned_on), {})
        if not points.keys() <= judges.keys():
            tuned_on, judges = task, points
        scores = [_dev(judges[candidate]) for candidate in points]
        choices[model, task] = _choose(list(points.values()), scores, tuned_on)
    return choices


def _dev(runs: list[Run]) -> float | None:
    scores = [run.dev for run in runs if run.dev is not None]
    return statistics.fmean(scores) if len(scores) == len(runs) else None


def _choose(points: list[list[Run]], scores: list[float | None], chosen_on: str) -> Choice:
    ranks = [-math.inf if score is None else score for score in scores]
    best = ranks.index(max(ranks))
    runs = tuple(sorted(points[best], key=lambda run: run.seed))
    candidates = tuple(Candidate(at[0], score, len(at)) for at, score in zip(points, scores, strict=True))
    if len(points) > 1 and scores[best] is None:
        return Choice(runs, chosen_on, None, candidates, None, "no dev score to choose a grid point by")
    undefined = [run.seed for run in runs if run.test is None]
    if undefined:
        return Choice(runs, chosen_on, scores[best], candidates, None, f"test score undefined for seed {undefined[0]}")
    estimate = average({run.seed: run.test for run in runs if run.test is not None})
    return Choice(runs, chosen_on, scores[best], candidates, estimate)


def mean_of(mean: Mean, estimates: Mapping[str, Estimate]) -> Estimate | None:
    """The (nested) mean of tasks' estimates; None where a member is missing.

    The mean is that of the members' means. The spread is that of the means computed seed by seed, over the seeds
    that all members have; None where fewer than two are common.
    """
    tasks = list(members(mean))
    if any(task not in estimates for task in tasks):
        return None

    def nested(entries: Mean, values: Mapping[str, float]) -> float:
        return statistics.fmean(values[entry] if isinstance(entry, str) else nested(entry, values) for entry in entries)

    common = sorted(set.intersection(*(set(estimates[task].by_seed) for task in tasks)))
    by_seed = {seed: nested(mean, {task: estimates[task].by_seed[seed] for task in tasks}) for seed in common}
    overall = nested(mean, {task: estimates[task].mean for task in tasks})
    return Estimate(overall, statistics.stdev(by_seed.values()) if len(by_seed) > 1 else None, by_seed)
