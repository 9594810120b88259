import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from linkbert.cluster import EXIT_RETRY
from linkbert.errors import UserError
from linkbert.files import read_json
from linkbert.pretraining.checkpoint import Checkpoints
from linkbert.pretraining.data import Corpus, heldout_rows, open_source
from linkbert.pretraining.distributed import World
from linkbert.pretraining.evaluation import Heldout, evaluate, ratio
from linkbert.pretraining.loop import Trainer
from linkbert.pretraining.objective import Techniques
from linkbert.pretraining.prefetch import Prefetch
from linkbert.pretraining.recipe import Recipe
from linkbert.pretraining.run import Paths, build_model, pretrain
from linkbert.pretraining.synthetic import write_instances, write_tokenizer, write_tokens
from linkbert.text.vocabulary import read_vocabulary

WORDS, TOKENS, LENGTH = 120, 5000, 32
RECIPE = {
    "objective": "mlm_drp",
    "size": {"num_layers": 2, "hidden_size": 16, "num_heads": 2, "intermediate_size": 32, "max_positions": 32},
    "length": LENGTH,
    "steps": 12,
    "batch_size": 10,
    "learning_rate": 5e-3,
    "warmup": 3,
    "seed": 1,
    "log_every": 1,
    "checkpoint_every": 3,
}
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "pretrain.py"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Models this small gain nothing from more, and on a busy machine wait for them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_tokenizer(folder / "tokenizer", WORDS)
    write_tokens(folder / "tokens", WORDS, TOKENS)
    write_instances(folder / "instances", [25, 23], TOKENS, LENGTH, full=0.5, heldout=40)
    write_instances(folder / "pairs", [25], TOKENS, LENGTH, relations=2, full=0.5)
    return folder


@pytest.fixture
def paths(folders, tmp_path) -> Paths:
    source = [(folders / "tokens", folders / "instances")]
    return Paths(folders / "tokenizer", source, source, None, tmp_path / "checkpoints", tmp_path / "model")


def arguments(paths: Paths, recipe: dict) -> list[str]:
    pairs = [f"{tokens}={instances}" for tokens, instances in paths.sources]
    chosen = ["--name", "small", "--recipe", json.dumps(recipe), "--tokenizer", paths.tokenizer, "--sources", *pairs]
    chosen += ["--evaluation", *pairs, "--checkpoints", paths.checkpoints, "--output", paths.output, "--threads", "1"]
    return [str(argument) for argument in chosen]


def trainer(folders, techniques=None, checkpoints=None, instances="instances", **settings) -> Trainer:
    recipe = Recipe.parse(RECIPE | settings)
    vocabulary = read_vocabulary(folders / "tokenizer")
    files = sorted((folders / instances).glob("epoch-*.npy"))
    source = open_source(folders / "tokens", files, vocabulary, LENGTH, recipe.relations)
    model = build_model(recipe, vocabulary, None, pad_vocabulary=techniques is None or techniques.padded_vocabulary)
    corpus = Corpus([source], recipe.seed)
    return Trainer(model, recipe, corpus, vocabulary, torch.device("cpu"), None, checkpoints, None, techniques)


def curve(one: Trainer) -> list[float]:
    return [line["loss"] for line in one.curve]


def weights(path: Path) -> str:
    return read_json(path / "training.json")["weights_sha256"]


@pytest.fixture(scope="module")
def undisturbed(folders) -> Trainer:
    one = trainer(folders)
    one.train()
    return one


def test_recorded_losses(undisturbed):
    """Losses of this recipe as first trained; a change of them is a change of the science."""
    recorded = [5.9219, 5.8646, 5.8814, 5.8479, 5.8582, 5.7814, 5.7476, 5.7146, 5.7591, 5.7614, 5.7857, 5.6512]
    assert curve(undisturbed) == pytest.approx(recorded, abs=2e-3)
    assert undisturbed.tokens == 3539


@pytest.mark.parametrize("tokens", [64, 100, 1000])
def test_micro_batches_do_not_matter(folders, undisturbed, tokens):
    one = trainer(folders, micro_batch_tokens=tokens)
    one.train()
    assert curve(one) == pytest.approx(curve(undisturbed), abs=2e-5)


@pytest.mark.parametrize(
    "techniques",
    [
        Techniques(packed=False),
        Techniques(masked_only=False),
        Techniques(last_layer_subset=False),
        Techniques(chunked_loss=False),
        Techniques(padded_vocabulary=True, fused_optimizer=False),
        Techniques(prefetch=False),
    ],
    ids=str,
)
def test_techniques_change_nothing(folders, undisturbed, techniques):
    one = trainer(folders, techniques, dropout=0.0, attention_dropout=0.0)
    other = trainer(folders, dropout=0.0, attention_dropout=0.0)
    one.train()
    other.train()
    assert curve(one) == pytest.approx(curve(other), abs=2e-4)
    assert curve(one) != pytest.approx(curve(undisturbed), abs=2e-4)  # dropout does something


def test_the_seed_decides(folders, undisturbed):
    again, other = trainer(folders), trainer(folders, seed=2)
    again.train()
    other.train()
    assert curve(again) == curve(undisturbed)
    assert curve(other) != curve(undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_do_not_matter(undisturbed, paths, ranks):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks), SCRIPT]
    done = subprocess.run([*command, *arguments(paths, RECIPE)], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    training = read_json(paths.output / "training.json")
    assert training["processes"] == ranks
    assert [line["loss"] for line in training["curve"]] == pytest.approx(curve(undisturbed), abs=5e-5)


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


@pytest.mark.slow
def test_memory_that_fails_one_rank_shrinks_the_micro_batches_of_all(undisturbed, paths, tmp_path):
    (tmp_path / "scarce.py").write_text(SCARCE)
    environment = ENVIRONMENT | {"PYTHONPATH": f"{SCRIPT.parent}{os.pathsep}{ENVIRONMENT['PYTHONPATH']}"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += [str(tmp_path / "scarce.py"), *arguments(paths, RECIPE)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Out of memory: micro-batches now have 4096 tokens.") == 2, done.stderr
    losses = [line["loss"] for line in read_json(paths.output / "training.json")["curve"]]
    assert losses == pytest.approx(curve(undisturbed), abs=5e-5)


@pytest.mark.parametrize("stop", [1, 3, 5, 11])
def test_a_continued_run_has_the_same_bits(folders, undisturbed, tmp_path, stop):
    first = trainer(folders, checkpoints=Checkpoints(tmp_path, "x"), log_every=2)
    first.make_step, make = lambda step: make(step) if step < stop else 1 / 0, first.make_step
    with pytest.raises(ZeroDivisionError):
        first.train()
    first.save()
    first.checkpoints.wait()
    second = trainer(folders, checkpoints=Checkpoints(tmp_path, "x"), log_every=2)
    second.restore(second.checkpoints.load())
    assert second.step == stop
    second.train()
    for name, tensor in undisturbed.model.state_dict().items():
        assert torch.equal(tensor, second.model.state_dict()[name]), name
    assert second.tokens == undisturbed.tokens
    pairs = np.array(curve(undisturbed)).reshape(-1, 2).mean(1)
    assert curve(second) == pytest.approx(pairs.tolist(), abs=1e-6)


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
def test_killed_many_times_it_ends_with_the_same_bits(paths, tmp_path):
    recipe = RECIPE | {"steps": 200, "checkpoint_every": 1, "evaluate_every": 50}
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
def test_a_signal_saves_and_asks_for_a_retry(paths, folders, number):
    recipe = RECIPE | {"steps": 100_000, "checkpoint_every": 100_000}
    command = [sys.executable, SCRIPT, *arguments(paths, recipe | {"evaluate_every": 1})]
    running = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    limit = time.monotonic() + 60
    while not (paths.checkpoints / "lock").exists() and time.monotonic() < limit:
        time.sleep(0.05)
    running.send_signal(number)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == EXIT_RETRY, errors
    assert "run again to continue" in errors
    assert len(list(paths.checkpoints.glob("step-*.pt"))) == 1
    assert not paths.output.exists()


def test_it_learns_eight_instances_by_heart(folders, tmp_path):
    write_instances(tmp_path / "eight", [8], TOKENS, LENGTH)
    files = [tmp_path / "eight" / "epoch-000.npy"]
    recipe = Recipe.parse(
        RECIPE
        | {
            "steps": 250,
            "batch_size": 8,
            "learning_rate": 1e-2,
            "dropout": 0.0,
            "attention_dropout": 0.0,
            "log_every": 10,
        }
        | {"size": RECIPE["size"] | {"hidden_size": 32}}
    )
    vocabulary = read_vocabulary(folders / "tokenizer")
    corpus = Corpus([open_source(folders / "tokens", files, vocabulary, LENGTH, 3)], 0)
    one = Trainer(build_model(recipe, vocabulary, None), recipe, corpus, vocabulary, torch.device("cpu"))
    one.train()
    assert one.curve[0]["mlm_loss"] > 4
    assert one.curve[-1]["mlm_loss"] < 1.5
    assert one.curve[-1]["relation_loss"] < 0.1


def test_output_folder(paths):
    assert pretrain("small", Recipe.parse(RECIPE), paths, threads=1, device="cpu") == 0
    names = {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt", "training.json", "meta.json"}
    assert names <= {file.name for file in paths.output.iterdir()}
    training, meta = (read_json(paths.output / f"{name}.json") for name in ("training", "meta"))
    assert training["steps"] == 12
    assert [line["step"] for line in training["curve"]] == list(range(1, 13))
    report = training["evaluation"][-1]
    assert report["step"] == 12
    assert np.array(report["relation"]["confusion"]).sum() == 40
    assert meta["parameters"]["name"] == "small"
    assert meta["weights_sha256"] == training["weights_sha256"]
    assert str(paths.output.parent) not in (paths.output / "meta.json").read_text()

    # A second call has nothing left to train and writes the same bytes.
    before = weights(paths.output)
    assert pretrain("small", Recipe.parse(RECIPE), paths, threads=1, device="cpu") == 0
    assert weights(paths.output) == before
    other = Recipe.parse(RECIPE | {"learning_rate": 1e-3})
    with pytest.raises(UserError, match="another configuration"):
        pretrain("small", other, paths, threads=1, device="cpu")
    # How a run is watched is no part of what it computes.
    watched = Recipe.parse(RECIPE | {"log_every": 5, "micro_batch_tokens": 64, "checkpoint_every": 7})
    assert pretrain("small", watched, paths, threads=1, device="cpu") == 0


def test_continuing_a_released_model(paths, folders):
    assert pretrain("first", Recipe.parse(RECIPE), paths, threads=1, device="cpu") == 0
    vocabulary = read_vocabulary(folders / "tokenizer")
    drp, nsp = (Recipe.parse(RECIPE | {"objective": name}) for name in ("mlm_drp", "mlm_nsp"))
    same, fresh = build_model(drp, vocabulary, paths.output), build_model(nsp, vocabulary, paths.output)
    scratch = build_model(nsp, vocabulary, None)
    for name in ("encoder.words.weight", "pooler.dense.weight", "mlm.bias"):
        assert torch.equal(same.state_dict()[name], fresh.state_dict()[name])
        assert not torch.equal(fresh.state_dict()[name], scratch.state_dict()[name])
    assert torch.equal(fresh.relation.weight, scratch.relation.weight)
    small = Recipe.parse(RECIPE | {"size": RECIPE["size"] | {"num_layers": 1}})
    with pytest.raises(UserError, match="num_layers is 2, the recipe says 1"):
        build_model(small, vocabulary, paths.output)
    with pytest.raises(UserError, match="120 words, the tokenizer 121"):
        build_model(drp, replace(vocabulary, size=121), paths.output)


@pytest.mark.parametrize(("objective", "instances"), [("mlm_nsp", "pairs"), ("mlm", "instances")])
def test_other_objectives(folders, objective, instances):
    one = trainer(folders, objective=objective, instances=instances)
    start = one.model.relation.weight.clone()
    one.train()
    assert one.curve[-1]["mlm_loss"] < one.curve[0]["mlm_loss"]
    assert (one.curve[0]["relation_loss"] is None) == (objective == "mlm")
    assert torch.equal(one.model.relation.weight, start) == (objective == "mlm")


def test_nsp_refuses_linked_instances(folders):
    with pytest.raises(UserError, match="holds relation 2"):
        trainer(folders, objective="mlm_nsp")


def test_a_loss_that_explodes_stops_and_spares_the_checkpoint(folders, tmp_path):
    one = trainer(folders, checkpoints=Checkpoints(tmp_path, "x"), checkpoint_every=2)
    make = one.make_step

    def poisoned(step):
        if step == 5:
            with torch.no_grad():
                one.model.encoder.norm.weight.fill_(float("nan"))
        return make(step)

    one.make_step = poisoned
    one.techniques = Techniques(prefetch=False)
    with pytest.raises(UserError, match="not finite"):
        one.train()
    one.checkpoints.wait()
    state = one.checkpoints.load()
    assert state["step"] == 4
    assert all(tensor.isfinite().all() for tensor in state["model"].values())


def test_too_little_memory_shrinks_micro_batches(folders, undisturbed):
    one = trainer(folders, micro_batch_tokens=2048)
    backward, failed = one.backward, []

    def scarce(micro, hidden):
        if len(failed) < 2:
            failed.append(one.micro_tokens)
            raise torch.OutOfMemoryError("no room")
        return backward(micro, hidden)

    one.backward = scarce
    one.train()
    assert failed == [2048, 1024]
    assert curve(one) == pytest.approx(curve(undisturbed), abs=2e-5)
    one = trainer(folders, micro_batch_tokens=64)
    one.backward = scarce
    failed.clear()
    with pytest.raises(UserError, match="Memory does not suffice"):
        one.train()


def test_a_budget_of_time_decays_to_nothing(folders):
    one = trainer(folders, steps=None, max_minutes=0.02, warmup=0.2)
    one.train()
    rates = [line["learning_rate"] for line in one.curve]
    assert one.step > 10
    assert 1.2 <= one.seconds < 10
    assert max(rates) > 4e-3
    assert rates[-1] < 1e-3
    peak = int(np.argmax(rates))
    assert (np.diff(rates[peak:]) < 0).all()


def test_evaluation_is_that_of_single_instances(folders):
    vocabulary = read_vocabulary(folders / "tokenizer")
    held = [open_source(folders / "tokens", [folders / "instances" / "heldout.npy"], vocabulary, LENGTH, 3)]
    model = build_model(Recipe.parse(RECIPE), vocabulary, None)
    heldout = Heldout(held, heldout_rows(held), vocabulary)
    device = torch.device("cpu")
    whole = evaluate(model, heldout, 3, 10_000, device, World())
    single = evaluate(model, heldout, 3, 1, device, World())
    assert model.training
    assert whole["relation"] == single["relation"]
    for part in ("loss", "accuracy"):
        assert whole["mlm"][part]["value"] == pytest.approx(single["mlm"][part]["value"], abs=1e-5)
        by_relation = whole["mlm_by_relation"].values()
        total = sum(one[part]["value"] * one[part]["count"] for one in by_relation)
        assert total / whole["mlm"][part]["count"] == pytest.approx(whole["mlm"][part]["value"])
    # Untrained, the model guesses: about log V.
    assert whole["mlm"]["loss"]["value"] == pytest.approx(np.log(WORDS), abs=0.3)
    pairs = evaluate(
        build_model(Recipe.parse(RECIPE | {"objective": "mlm_nsp"}), vocabulary, None), heldout, 2, 500, device, World()
    )
    contiguous, random = (int((heldout.rows.relation == number).sum()) for number in (0, 1))
    assert np.array(pairs["relation"]["confusion"]).sum(1).tolist() == [contiguous, random]
    assert "relation" not in evaluate(model, heldout, 0, 500, device, World())


def test_ratio_and_its_error():
    found = ratio(np.array([2.0, 0.0, 1.0]), np.array([2.0, 1.0, 1.0]))
    assert found == {"value": 0.75, "error": pytest.approx(np.sqrt(0.25 + 0.5625 + 0.0625) / 4), "count": 4}
    assert ratio(np.zeros(0), np.zeros(0))["value"] is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"objective": "rtd"}, "unknown objective 'rtd'"),
        ({"stepz": 3}, "Did you mean 'steps'"),
        ({"steps": None}, "either steps or max_minutes"),
        ({"max_minutes": 3}, "either steps or max_minutes"),
        ({"steps": 0}, "steps must be positive"),
        ({"warmup": 13}, "shorten the warm-up"),
        ({"dropout": 1.0}, "dropout"),
        ({"masking": {"probability": 0}}, "masking"),
        ({"masking": {"share": 0.5}}, "unknown key of masking"),
        ({"size": {"num_layers": 2}}, "size.hidden_size"),
        ({"length": 64}, "max_positions"),
        ({"precision": "fp8"}, "precision"),
    ],
)
def test_recipes_with_mistakes(change, sentence):
    with pytest.raises(UserError, match=sentence):
        Recipe.parse(RECIPE | change)


def test_a_missing_key_of_a_recipe():
    with pytest.raises(UserError, match="'batch_size' is missing"):
        Recipe.parse({key: value for key, value in RECIPE.items() if key != "batch_size"})


def test_prefetch_keeps_order_and_tells_errors():
    for ahead in (0, 2):
        batches = Prefetch(lambda number: number if number < 7 else 1 / 0, 3, ahead)
        assert [next(batches) for _ in range(4)] == [3, 4, 5, 6]
        with pytest.raises(ZeroDivisionError):
            next(batches)
        batches.close()
