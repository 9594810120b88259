"""A job that is killed again and again, whatever it is doing, ends with the files of an undisturbed one."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from linkbert.files import read_json
from linkbert.finetune.runs import run_batch

ROOT = Path(__file__).resolve().parents[3]
POINT = {"learning_rate": 1e-3, "batch_size": 4, "epochs": 4, "length": 64}
SEEDS = list(range(8))
KILLS = 4
RUNS = {name: {"tests": [name], "recipes": [POINT], "seeds": SEEDS} for name in ("tagging", "classification")}


def command(world, folder: Path) -> subprocess.Popen:
    """The job as the workflow starts it."""
    arguments = ["--name", "x", "--model", world.model, "--batch", "b", "--runs", json.dumps(RUNS), "--device", "cpu"]
    arguments += ["--tasks", world.tasks, "--run-folder", folder / "runs", "--output", folder / "b.json"]
    return subprocess.Popen(
        [sys.executable, ROOT / "scripts" / "finetune.py", *map(str, arguments), "--threads", "1"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow"), "OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
    )


@pytest.fixture
def undisturbed(world) -> Iterator[Callable[[Path], None]]:
    """A function that does the same job, or what is left of it, in this process: a start costs more than the job."""
    threads = torch.get_num_threads()
    yield lambda folder: run_batch(
        "x", world.model, "b", RUNS, world.tasks, folder / "runs", folder / "b.json", device="cpu", threads=1
    )
    torch.set_num_threads(threads)


def finished(folder: Path) -> dict[str, bytes]:
    """The file of each finished run; a hidden one is being written."""
    paths = [path for path in folder.glob("runs/*/*.json.gz") if not path.name.startswith(".")]
    return {path.name: path.read_bytes() for path in paths}


def without_times(scores: dict) -> list[dict]:
    return [
        {key: value for key, value in entry.items() if key not in ("seconds", "sha256")} for entry in scores["runs"]
    ]


def test_killed_at_random_a_job_goes_on_where_it_was(world, undisturbed, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    undisturbed(whole)
    draw, killed = random.Random(0), 0
    before: dict[str, bytes] = {}
    for _ in range(KILLS):
        process, wanted = command(world, broken), len(before) + draw.randint(1, 2)
        while process.poll() is None and len(finished(broken)) < wanted:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.15))
        process.send_signal(signal.SIGKILL)
        killed += process.wait() == -signal.SIGKILL
        after = finished(broken)
        assert before.items() <= after.items()  # nothing finished is done again
        assert not (broken / "b.json").exists() or process.returncode == 0
        before = after
    assert killed >= KILLS - 1
    assert 0 < len(before) < 2 * len(SEEDS)
    undisturbed(broken)
    assert before.items() <= finished(broken).items()
    results = [read_json(folder / "b.json") for folder in (broken, whole)]
    assert without_times(results[0]) == without_times(results[1])
    # A kill while a file is written may leave a hidden one behind, which nobody takes for it.
    assert finished(broken).keys() == finished(whole).keys()
