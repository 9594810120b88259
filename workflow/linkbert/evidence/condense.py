"""The evidence of a batch: per-example statistics of the runs that its cells take, and what their tasks are.

Runs hold the predictions of every example and are large; tables must be drawn without them. For each (model, task) of
a score file only the grid point that its cell takes is kept, and of each example only what its score needs. The file
is a ``.npz``: an array of rows for each task and seed, and ``about``, JSON that says what they are.
"""

import gzip
import json
import logging
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from linkbert import __version__
from linkbert.errors import UserError
from linkbert.evidence.record import VERSION
from linkbert.evidence.statistics import Statistics, measure
from linkbert.files import atomic_file, fingerprint, sha256_of
from linkbert.finetune.tasks import Task, read_task
from linkbert.tables.scores import load_scores, select

log = logging.getLogger(__name__)


def condense(scores: Path, runs: Path, tasks: Path, output: Path, commit: str | None = None) -> dict[str, str]:
    """Write the evidence of a score file; tasks whose runs are gone are left out and named with the reason.

    Args:
        scores: a score file.
        runs: the folder of its model's runs.
        tasks: the folder of task folders.
        output: the evidence file.
        commit: of the code that made the scores, where it is known.

    Returns:
        Task -> why it was left out.

    Raises:
        UserError: predictions do not give the score that the score file has.
    """
    arrays: dict[str, np.ndarray] = {}
    cells: dict[str, Any] = {}
    problems: dict[str, str] = {}
    known: dict[str, Task] = {}
    choices = select(load_scores([scores]))
    for (_, name), choice in choices.items():
        task = known[name] = read_task(tasks, name)
        try:
            by_seed = {run.seed: _measured(runs, task, run.record) for run in choice.runs}
        except _Gone as gone:
            problems[name] = str(gone)
            continue
        for run in choice.runs:
            _compare(f"{scores}: {name}, seed {run.seed}", by_seed[run.seed].score(), run.test)
        examples = [example["id"] for example in task.test]
        cells[name] = {
            "form": next(iter(by_seed.values())).form,
            "examples": fingerprint(examples, 16),
            "number": len(examples),
            "runs": {str(run.seed): run.record["sha256"] for run in choice.runs},
        }
        arrays |= {f"{name}/{seed}": _narrow(one.rows) for seed, one in by_seed.items()}
    about = {
        "version": VERSION,
        "linkbert": __version__,
        "commit": commit,
        "model": next(iter(choices))[0] if choices else "",
        "cells": cells,
        "problems": problems,
        "tasks": {name: task.meta for name, task in sorted(known.items())},
    }
    text = json.dumps(about, ensure_ascii=False, sort_keys=True)
    with atomic_file(output) as temporary:
        np.savez_compressed(temporary, about=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)
    for name, problem in problems.items():
        log.warning("%s: %s", name, problem)
    return problems


class _Gone(Exception):
    """The predictions of a run cannot be had."""


def _measured(folder: Path, task: Task, record: Mapping[str, Any]) -> Statistics:
    path = folder / record.get("run", "")
    try:
        if sha256_of(path) != record.get("sha256"):
            raise _Gone("the predictions in the folder of runs are of other runs than the scores")
        result = json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, zlib.error, ValueError):
        raise _Gone("its predictions are no longer in the folder of runs") from None
    if result["identity"]["test"][1] != task.fingerprint:
        raise _Gone("the task was prepared again, differently, after its runs were scored")
    return measure(task.metric, task.test, result["predictions"]["test"])


def _compare(where: str, found: float, score: float | None) -> None:
    if score is not None and abs(found - score) > 1e-6:
        raise UserError(
            f"{where}: the predictions give {found}, but the score is {score}. Delete the score file to score the runs "
            "again."
        )


def _narrow(rows: np.ndarray) -> np.ndarray:
    """The same numbers in the smallest whole type that holds them all, where they are whole."""
    whole = rows.astype(np.int64)
    if (rows < 0).any() or (whole != rows).any():
        return rows
    return whole.astype(np.min_scalar_type(int(whole.max(initial=0))))
