"""``scripts/pretrain.py`` in processes of its own: several ranks, kills and signals."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from linkbert.cluster import EXIT_RETRY
from linkbert.files import read_json
from linkbert.pretraining.checkpoint import Checkpoints
from linkbert.pretraining.recipe import Recipe
from linkbert.pretraining.run import Paths, pretrain

ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "pretrain.py"


def arguments(paths: Paths, recipe: dict) -> list[str]:
    pairs = [f"{tokens}={instances}" for tokens, instances in paths.sources]
    chosen = ["--name", "small", "--recipe", json.dumps(recipe), "--tokenizer", paths.tokenizer, "--sources", *pairs]
    chosen += ["--evaluation", *pairs, "--checkpoints", paths.checkpoints, "--output", paths.output, "--threads", "1"]
    return [str(argument) for argument in chosen]


SCARCE = """
import os, sys
import torch
import pretrain
from linkbert.pretraining.loop import Trainer
backward, failures = Trainer.backward, [1] * (os.environ["RANK"] == "1")

def scarce(self, micro, hidden):
    if failures:
        failures.pop()
        raise torch.OutOfMemoryError("no room")
    return backward(self, micro, hidden)

Trainer.backward = scarce
sys.exit(pretrain.main(sys.argv[1:]))
"""


HARNESS = """
import os, random, signal, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
import pretrain
options, kills, checkpoints = sys.argv[3:], int(sys.argv[1]), Path(sys.argv[sys.argv.index("--checkpoints") + 1])
steps, draw, killed, torn = int(sys.argv[2]), random.Random(0), 0, 0

def start():
    child = os.fork()
    if not child:
        try:
            status = pretrain.main(options) or 0
        except BaseException:
            import traceback
            traceback.print_exc()
            status = 9
        os._exit(status)
    return child

while killed < kills:
    # Each dies in its own part of the training: at any moment, every other one while a checkpoint is being written.
    child, wanted, moment = start(), steps * killed // (kills + 1), None
    while True:
        if os.waitpid(child, os.WNOHANG)[0]:
            print("finished early", killed, torn)
            sys.exit(0)
        if max((int(file.stem.split("-")[1]) for file in checkpoints.glob("step-*.pt")), default=0) >= wanted:
            moment = moment or time.monotonic() + draw.uniform(0, 0.02)
            if list(checkpoints.glob(".*.pt")) if killed % 2 else time.monotonic() >= moment:
                break
        time.sleep(0.0005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    killed += 1
    torn += bool(list(checkpoints.glob(".*.pt")))
status = os.waitstatus_to_exitcode(os.waitpid(start(), 0)[1])
print("killed", killed, torn)
sys.exit(status)
"""


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_do_not_matter(undisturbed, paths, ranks, small, curve):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks), SCRIPT]
    done = subprocess.run([*command, *arguments(paths, small.recipe)], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    training = read_json(paths.output / "training.json")
    assert training["processes"] == ranks
    assert [line["loss"] for line in training["curve"]] == pytest.approx(curve(undisturbed), abs=5e-5)


@pytest.mark.slow
def test_memory_that_fails_one_rank_shrinks_the_micro_batches_of_all(undisturbed, paths, tmp_path, small, curve):
    (tmp_path / "scarce.py").write_text(SCARCE)
    environment = ENVIRONMENT | {"PYTHONPATH": f"{SCRIPT.parent}{os.pathsep}{ENVIRONMENT['PYTHONPATH']}"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [str(tmp_path / "scarce.py"), *arguments(paths, small.recipe)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Out of memory with") == 2, done.stderr
    losses = [line["loss"] for line in read_json(paths.output / "training.json")["curve"]]
    assert losses == pytest.approx(curve(undisturbed), abs=5e-5)


BLIND = """
import os, sys
from pathlib import Path
import torch
import pretrain
glob = Path.glob

def stale(self, pattern):
    found = sorted(glob(self, pattern))
    return found[:-1] if pattern.startswith("step-") and os.environ["RANK"] == "1" else found

Path.glob = stale
sys.exit(pretrain.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_ranks_that_see_different_checkpoints_do_not_train(paths, tmp_path, small):
    """The listing of a shared folder may lag on another machine."""
    recipe = small.recipe | {"keep": 3}
    assert pretrain("small", Recipe.parse(recipe | {"steps": 12}), paths, threads=1, device="cpu") == 0
    before = sorted(paths.checkpoints.glob("step-*.pt"))
    shutil.rmtree(paths.output)
    (tmp_path / "blind.py").write_text(BLIND)
    environment = ENVIRONMENT | {"PYTHONPATH": f"{SCRIPT.parent}{os.pathsep}{ENVIRONMENT['PYTHONPATH']}"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [str(tmp_path / "blind.py"), *arguments(paths, recipe)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode
    assert "one process reads a checkpoint of step 9, another one of step 12" in done.stderr
    assert not paths.output.exists()
    assert sorted(paths.checkpoints.glob("step-*.pt")) == before


@pytest.mark.slow
def test_killed_many_times_it_ends_with_the_same_bits(paths, tmp_path, small, weights):
    recipe = small.recipe | {"steps": 200, "checkpoint_every": 1, "evaluate_every": 50}
    assert pretrain("small", Recipe.parse(recipe), paths, threads=1, device="cpu") == 0
    whole = weights(paths.output)
    again = replace(paths, checkpoints=tmp_path / "again", output=tmp_path / "model_again")
    environment = ENVIRONMENT | {"PYTHONPATH": f"{SCRIPT.parent}{os.pathsep}{ENVIRONMENT['PYTHONPATH']}"}
    command = [sys.executable, "-c", HARNESS, "12", "200", *arguments(again, recipe)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    word, killed, torn = done.stdout.split()[-3:]
    assert (word, int(killed)) == ("killed", 12), done.stdout
    assert int(torn) >= 1  # at least one died while it wrote
    assert weights(again.output) == whole
    first, second = (read_json(folder / "training.json") for folder in (paths.output, again.output))
    for one, other in zip(first["curve"], second["curve"], strict=True):
        del one["tokens_per_second"], other["tokens_per_second"]
        assert one == other
    assert first["evaluation"] == second["evaluation"]
    assert len(Checkpoints(again.checkpoints, "").files()) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_signal_saves_and_asks_for_a_retry(paths, folders, number, small):
    recipe = small.recipe | {"steps": 100_000, "checkpoint_every": 100_000}
    command = [sys.executable, SCRIPT, *arguments(paths, recipe | {"evaluate_every": 1})]
    running = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    limit = time.monotonic() + 300
    while not (paths.checkpoints / "lock").exists() and time.monotonic() < limit:
        time.sleep(0.05)
    running.send_signal(number)
    _, errors = running.communicate(timeout=300)
    assert running.returncode == EXIT_RETRY, errors
    assert "run again to continue" in errors
    assert len(list(paths.checkpoints.glob("step-*.pt"))) == 1
    assert not paths.output.exists()
