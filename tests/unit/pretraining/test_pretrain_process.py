"""Pretraining as a process: killed five times in the middle of the demo's own recipe; its memory over a long run."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from linkbert.files import read_json
from linkbert.instances.format import INSTANCE
from linkbert.pretraining.synthetic import write_instances, write_tokenizer, write_tokens

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
WORDS, TOKENS, LENGTH = 1500, 200_000, 128

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Tokenizer, tokens and instances of made-up words."""
    folder = tmp_path_factory.mktemp("world")
    write_tokenizer(folder / "tokenizer", WORDS)
    write_tokens(folder / "tokens", WORDS, TOKENS)
    write_instances(folder / "instances", [3000, 3000], TOKENS, LENGTH)
    return folder


def start(folder: Path, recipe: dict, name: str) -> subprocess.Popen:
    """``scripts/pretrain.py`` as the rule calls it."""
    arguments = ["--name", name, "--recipe", json.dumps(recipe), "--tokenizer", folder / "tokenizer"]
    arguments += ["--sources", f"{folder / 'tokens'}={folder / 'instances'}", "--threads", "1", "--device", "cpu"]
    arguments += ["--checkpoints", folder / f"{name}-checkpoints", "--output", folder / name]
    command = [sys.executable, ROOT / "scripts" / "pretrain.py", *arguments]
    return subprocess.Popen([str(part) for part in command], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen) -> None:
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0, said


def demo_recipe() -> dict:
    """The demo's tiny LinkBERT."""
    demo = yaml.safe_load((ROOT / "config" / "demo.yaml").read_text(encoding="utf-8"))
    recipe = {"objective": "mlm_drp", "size": demo["sizes"]["tiny"], "length": LENGTH, **demo["pretraining"]["tiny"]}
    return recipe | {"checkpoint_every": 10, "log_every": 10}


def test_the_demos_tiny_model_killed_five_times_has_the_undisturbed_runs_hash(folder):
    recipe, draw = demo_recipe(), random.Random(0)
    finish(start(folder, recipe, "undisturbed"))
    checkpoints, died_at = folder / "killed-checkpoints", []
    for part in range(1, 6):
        # Somewhere in this sixth of the training: past a checkpoint that is not there yet, and a moment more.
        wanted = recipe["steps"] * part // 6 // 10 * 10
        process = start(folder, recipe, "killed")
        while not any(int(path.stem.split("-")[1]) >= wanted for path in checkpoints.glob("step-*.pt")):
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.005)
        time.sleep(draw.uniform(0, 0.2))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        died_at.append(max(int(path.stem.split("-")[1]) for path in checkpoints.glob("step-*.pt")))
    assert died_at == sorted(died_at) and died_at[-1] < recipe["steps"]
    assert not (folder / "killed").exists()
    finish(start(folder, recipe, "killed"))
    first, second = (read_json(folder / name / "training.json") for name in ("undisturbed", "killed"))
    assert first["weights_sha256"] == second["weights_sha256"]
    assert [line["loss"] for line in first["curve"]] == [line["loss"] for line in second["curve"]]


WATCH = """
import sys
from pathlib import Path
import torch
from linkbert.pretraining.data import Corpus, open_source
from linkbert.pretraining.loop import Trainer
from linkbert.pretraining.recipe import Recipe
from linkbert.pretraining.run import build_model
from linkbert.text.vocabulary import read_vocabulary

folder, recipe = Path(sys.argv[1]), Recipe.parse(eval(sys.argv[2]))
torch.set_num_threads(1)

def private():
    fields = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1024

vocabulary = read_vocabulary(folder / "tokenizer")
files = sorted((folder / "instances").glob("epoch-*.npy"))
source = open_source(folder / "tokens", files, vocabulary, recipe.length, 3)
trainer = Trainer(build_model(recipe, vocabulary, None), recipe, Corpus([source], 0), vocabulary, torch.device("cpu"))
data, seen = trainer.prefetch(), {}
for trainer.step in range(1, 1001):
    trainer.update(next(data), 0.5)
    if trainer.step in (100, 1000):
        seen[trainer.step] = private()
data.close()
print(seen[100], seen[1000])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to tell private from mapped memory")
def test_host_memory_is_flat_over_a_run_and_does_not_grow_with_the_corpus(folder, tmp_path):
    """Private memory of the process, in MiB, with a corpus of 0.2 and of 300 million tokens (600 MB on disk)."""
    recipe = demo_recipe() | {"batch_size": 4, "steps": 1000}
    recipe["size"] = {"num_layers": 1, "hidden_size": 16, "num_heads": 2, "intermediate_size": 32, "max_positions": 128}
    (tmp_path / "tokenizer").symlink_to(folder / "tokenizer")
    for name in ("tokens", "instances"):
        (tmp_path / name).mkdir()
    large = np.lib.format.open_memmap(tmp_path / "tokens" / "tokens.npy", "w+", np.uint16, (300_000_000,))
    large[::1000] = 7  # the rest of the file is a hole; reading it costs memory all the same
    rows = np.zeros(3000, INSTANCE)
    rows["a_start"], rows["a_length"] = np.arange(3000) * 99_000, 60
    rows["b_start"], rows["b_length"] = np.arange(3000) * 99_000 + 500, 60
    np.save(tmp_path / "instances" / "epoch-000.npy", rows)
    seen = []
    for corpus in (folder, tmp_path):
        command = [sys.executable, "-c", WATCH, str(corpus), repr(recipe)]
        done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        early, late = map(float, done.stdout.split())
        assert late - early < 30, f"grew from {early:.0f} to {late:.0f} MiB"
        seen.append(late)
    assert seen[1] - seen[0] < 60, f"{seen[0]:.0f} MiB with the small corpus, {seen[1]:.0f} MiB with the large one"
