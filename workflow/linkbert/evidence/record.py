"""Reading evidence files, which `condense` writes; without torch, because tables read them."""

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from linkbert.errors import UserError
from linkbert.evidence.bootstrap import Sample
from linkbert.evidence.statistics import FORMS, Statistics

VERSION = 1
ABSENT = "no statistics of its examples were kept"


@dataclass(frozen=True)
class Evidence:
    """What an evidence file says: the statistics of its cells, the runs they are of, and the tasks' ``meta.json``."""

    model: str
    samples: Mapping[str, Sample]  # by task
    runs: Mapping[str, Mapping[str, str]]  # task -> seed -> SHA-256 of the run's file
    tasks: Mapping[str, Any]
    problems: Mapping[str, str]  # task -> why it has no statistics
    commit: str | None
    linkbert: str

    def sample(self, task: str, runs: Mapping[str, str]) -> Sample | str:
        """The statistics of a cell with these runs (seed -> SHA-256), or why there are none."""
        if task not in self.samples:
            return self.problems.get(task, ABSENT)
        if runs != self.runs[task]:
            return "the statistics of its examples are of other runs; delete them to make them again"
        return self.samples[task]


def read_evidence(path: Path) -> Evidence:
    """The evidence in a file; a UserError for a file that is something else, damaged, or of another version."""
    try:
        with np.load(path, allow_pickle=False) as content:
            about = json.loads(bytes(content["about"]))
            if about["version"] != VERSION:
                raise UserError(f"{path}: evidence of version {about['version']}; this is version {VERSION}.")
            samples = {
                task: Sample(
                    cell["examples"],
                    {
                        int(seed): Statistics(cell["form"], content[f"{task}/{seed}"].astype(float))
                        for seed in cell["runs"]
                    },
                )
                for task, cell in about["cells"].items()
            }
        for task, sample in samples.items():
            _check(task, sample)
        runs = {task: cell["runs"] for task, cell in about["cells"].items()}
        return Evidence(
            about["model"], samples, runs, about["tasks"], about["problems"], about["commit"], about["linkbert"]
        )
    except FileNotFoundError:
        raise UserError(f"{path}: no such file.") from None
    except (OSError, EOFError, BadZipFile, zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: not an evidence file, or damaged ({error}). Delete it to make it again.") from None


def _check(task: str, sample: Sample) -> None:
    """Raise a ValueError where the statistics of a cell cannot be resampled."""
    found = list(sample.by_seed.values())
    if len({one.rows.shape for one in found}) != 1 or found[0].rows.ndim != 2:
        raise ValueError(f"{task}: the statistics of its seeds are not of the same examples")
    if any(one.form not in (*FORMS, "correlations") for one in found) or not isinstance(sample.examples, str):
        raise ValueError(f"{task}: its statistics are of no known form")


def read_all(paths: Iterable[Path]) -> dict[tuple[str, str], Evidence]:
    """The evidence of several files by (model, task)."""
    found = [read_evidence(path) for path in paths]
    return {(evidence.model, task): evidence for evidence in found for task in (*evidence.samples, *evidence.problems)}
