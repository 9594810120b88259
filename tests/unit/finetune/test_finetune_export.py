"""Tuned models that are kept: the same logits in Hugging Face's classes, a start for another fine-tuning, no halves."""

import gzip
import importlib
import json
import logging
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from linkbert.errors import UserError
from linkbert.files import meta_fingerprint, read_json, sha256_of
from linkbert.finetune import export
from linkbert.finetune import runs as module
from linkbert.finetune.loop import train
from linkbert.finetune.methods import METHODS
from linkbert.finetune.network import Checkpoint
from linkbert.finetune.recipe import recipe_of
from linkbert.finetune.runs import run_batch
from linkbert.finetune.tasks import read_task
from linkbert.model.weights import read_weights

ROOT = Path(__file__).resolve().parents[3]
CPU = torch.device("cpu")
POINT = {"learning_rate": 3e-3, "batch_size": 8, "epochs": 2, "length": 64, "weight_decay": 0.1}
AUTO = {
    "span": "AutoModelForQuestionAnswering",
    "classification": "AutoModelForSequenceClassification",
    "multilabel": "AutoModelForSequenceClassification",
    "regression": "AutoModelForSequenceClassification",
    "tagging": "AutoModelForTokenClassification",
    "choice": "AutoModelForMultipleChoice",
}


def wanted(*tasks: str, seeds=(0,)) -> dict:
    return {task: {"tests": [task], "recipes": [POINT], "seeds": list(seeds)} for task in tasks}


@pytest.fixture
def job(world, tmp_path):
    """Run a batch into this test's folder, keeping its models in `kept`."""

    def start(runs, model=world.model, keep="kept", output="scores.json"):
        return run_batch(
            *("small", model, "batch", runs, world.tasks, tmp_path / "runs", tmp_path / output, "cpu", 1),
            keep=tmp_path / keep if keep else None,
        )

    return start


def tune(world, folder: Path, kind: str, model: Path | None = None):
    """A small model tuned on a task, and kept: its network, method and the features of the test set."""
    checkpoint = Checkpoint(model or world.model, CPU)
    method = METHODS[kind](world.makers[kind][1], recipe_of("test", POINT, kind))
    random = np.random.default_rng(3)
    examples = [world.makers[kind][0](random, str(number)) for number in range(16)]
    features = method.features(examples, checkpoint.tokenizer)
    network = checkpoint.network(method, seed=1)
    train(network, method, features, 1, kind, CPU)
    export.write_tuned(folder, network, method, checkpoint)
    return network.eval(), method, features


def load(name: str, folder: Path):
    """The model as Hugging Face loads it, and what it found missing or too much."""
    model, report = getattr(transformers, name).from_pretrained(folder, output_loading_info=True)
    return model.eval(), report


def alone(features, row: int) -> dict[str, torch.Tensor]:
    """One input as Hugging Face takes it."""
    packed = features.pack(np.array([row]))
    return {"input_ids": packed.tokens[None].long(), "token_type_ids": packed.segments[None].long()}


@pytest.mark.parametrize("kind", AUTO)
@torch.inference_mode()
def test_logits_are_those_of_hugging_faces_class(world, tmp_path, kind):
    with torch.inference_mode(False):
        network, method, features = tune(world, tmp_path / "tuned", kind)
    theirs, report = load(AUTO[kind], tmp_path / "tuned")
    assert not report["missing_keys"] and not report["mismatched_keys"]
    assert set(report["unexpected_keys"]) <= {"bert.pooler.dense.weight", "bert.pooler.dense.bias"}
    assert bool(report["unexpected_keys"]) == (kind in ("span", "tagging"))
    for unit in range(6):
        inputs = method.inputs(features, np.array([unit]))
        ours = network(inputs)
        rows = features.rows(np.array([unit]))
        if kind == "choice":
            parts = [alone(features, row) for row in rows]
            longest = max(part["input_ids"].shape[1] for part in parts)
            padded = {
                name: torch.cat(
                    [torch.nn.functional.pad(part[name], (0, longest - part[name].shape[1])) for part in parts]
                )
                for name in parts[0]
            }
            mask = torch.cat([(torch.arange(longest) < part["input_ids"].shape[1])[None] for part in parts])
            expected = theirs(**{name: value[None] for name, value in padded.items()}, attention_mask=mask[None].long())
            expected = expected.logits[0][:, None]
        else:
            output = theirs(**alone(features, rows[0]))
            if kind == "span":
                expected = torch.stack([output.start_logits[0], output.end_logits[0]], 1)
            elif kind == "tagging":
                expected = output.logits[0][inputs.rows]
            else:
                expected = output.logits
        assert ours.shape == expected.shape
        assert torch.allclose(ours, expected, atol=1e-5), (ours - expected).abs().max()


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("classification", ("single_label_classification", {0: "no", 1: "yes"})),
        ("multilabel", ("multi_label_classification", {0: "cold", 1: "green", 2: "old"})),
        ("regression", ("regression", {0: "LABEL_0"})),
        ("tagging", (None, {0: "B", 1: "O"})),
        ("span", (None, {0: "LABEL_0", 1: "LABEL_1"})),
    ],
)
def test_labels_are_named_as_hugging_face_knows_them(world, tmp_path, kind, settings):
    tune(world, tmp_path, kind)
    config = transformers.AutoConfig.from_pretrained(tmp_path)
    assert (config.problem_type, config.id2label) == settings
    assert config.num_labels == len(settings[1])
    assert config.label2id == {name: number for number, name in settings[1].items()}
    assert config.architectures == [type(load(AUTO[kind], tmp_path)[0]).__name__]


def test_a_pipeline_says_what_the_run_predicted(world, job, tmp_path):
    """From text to label through their tokenizer, head and label names alone."""
    (entry,) = job(wanted("classification"))["runs"]
    classify = transformers.pipeline("text-classification", model=str(tmp_path / "kept" / entry["kept"]), device="cpu")
    with gzip.open(tmp_path / "runs" / entry["run"], "rt") as file:
        result = json.load(file)
    with gzip.open(world.tasks / "classification" / "test.jsonl.gz", "rt") as file:
        examples = [json.loads(line) for line in file]
    assert len({result["predictions"]["test"][example["id"]] for example in examples}) == 2
    for example in examples:
        text = {"text": example["text_a"], **({"text_pair": example["text_b"]} if "text_b" in example else {})}
        said = classify(text, truncation="longest_first", max_length=64, function_to_apply="none", top_k=None)
        logits = {one["label"]: one["score"] for one in said}
        assert max(logits, key=logits.get) == result["predictions"]["test"][example["id"]]
        assert [logits["no"], logits["yes"]] == pytest.approx(
            result["scores"]["test"][example["id"]], rel=1e-3, abs=1e-4
        )


def test_all_words_are_kept_those_that_were_not_trained_too(world, tmp_path):
    network, _, features = tune(world, tmp_path, "regression")
    before, after = (read_weights(folder)["encoder.words.weight"] for folder in (world.model, tmp_path))
    assert after.shape == before.shape
    assert torch.equal(after, network.encoder.words.weight)
    absent = np.setdiff1d(np.arange(128), features.pieces)
    # Weight decay shrinks a word that never occurs; nothing else moves it.
    kept = after[absent].norm() / before[absent].norm()
    assert kept < 0.9999 and torch.allclose(after[absent], kept * before[absent], atol=1e-6)
    present = np.unique(features.pieces)
    assert not torch.allclose(after[present], kept * before[present], atol=1e-3)


@pytest.mark.parametrize("kind", ["regression", "span", "tagging"])
def test_a_kept_model_is_the_start_of_another(world, job, tmp_path, kind, caplog):
    (first,) = job(wanted(kind))["runs"]
    kept = tmp_path / "kept" / first["kept"]
    scores = job(wanted("classification"), model=kept, keep="second")
    assert scores["model_meta"]["task"] == kind
    tuned, second = Checkpoint(kept, CPU), tmp_path / "second" / scores["runs"][0]["kept"]
    assert not tuned.fresh_pooler and "has no pooler" not in caplog.text
    # It begins with the tuned encoder and pooler; one that knows neither task kind's head begins with a new one.
    original = Checkpoint(world.model, CPU)
    assert not torch.equal(tuned.encoder.layers[0].up.weight, original.encoder.layers[0].up.weight)
    same = torch.equal(tuned.pooler.dense.weight, original.pooler.dense.weight)
    assert same == (kind != "regression")  # spans and tags leave the pooler alone
    about = read_json(second / "meta.json")
    assert about["inputs"]["model"] == meta_fingerprint(kept)
    assert about["parameters"]["task"] == "classification" and about["parameters"]["base"]["task"] == kind
    (from_scratch,) = job(wanted("classification"), keep=None, output="other.json")["runs"]
    assert from_scratch["run"] != scores["runs"][0]["run"] and from_scratch["loss"] != scores["runs"][0]["loss"]
    assert "kept" not in from_scratch


def test_a_pooler_that_was_never_trained_is_left_out(world, tmp_path):
    shutil.copytree(world.model, tmp_path / "model")
    model = transformers.BertModel.from_pretrained(world.model, add_pooling_layer=False)
    model.save_pretrained(tmp_path / "model")
    tune(world, tmp_path / "span", "span", tmp_path / "model")
    tune(world, tmp_path / "regression", "regression", tmp_path / "model")
    assert Checkpoint(tmp_path / "span", CPU).fresh_pooler
    assert not Checkpoint(tmp_path / "regression", CPU).fresh_pooler


def test_meta_says_what_it_is_tuned_on(world, job, tmp_path):
    entries = job(wanted("multilabel", seeds=[0, 7]))["runs"]
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == sorted(entry["kept"] for entry in entries)
    hashes = {entry["kept"].removesuffix(f"-seed{entry['seed']}") for entry in entries}
    assert len(hashes) == 1 and hashes.pop().startswith("multilabel-")
    folder = tmp_path / "kept" / entries[1]["kept"]
    names = ("config.json", "meta.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt")
    assert {path.name for path in folder.iterdir()} == {*names}
    meta = read_json(folder / "meta.json")
    assert (meta["stage"], meta["inputs"]["task"]) == ("finetune", read_task(world.tasks, "multilabel").fingerprint)
    assert meta["inputs"]["model"] == module.model_identity(world.model)[0]
    about = meta["parameters"]
    assert (about["task"], about["task_kind"], about["seed"]) == ("multilabel", "multilabel", 7)
    assert about["labels"] == ["cold", "green", "old"] and about["recipe"] == entries[1]["recipe"]
    assert about["base"]["files"]["model.safetensors"] == sha256_of(world.model / "model.safetensors")
    assert meta["weights_sha256"] == sha256_of(folder / "model.safetensors")
    assert meta["counts"] == {"train": 40, "steps": entries[1]["counts"]["steps"]}


def test_a_finished_run_that_is_not_kept_is_trained_again(job, tmp_path, monkeypatch, caplog):
    runs = wanted("classification", "tagging")
    first = job(runs, keep=None)
    assert not (tmp_path / "kept").exists()
    trained = []
    original = module.train
    monkeypatch.setattr(module, "train", lambda *args: trained.append(args[4]) or original(*args))
    with caplog.at_level(logging.INFO, "linkbert.finetune"):
        second = job(runs)
    assert trained == ["classification", "tagging"]
    assert "classification seed 0 is finished, but not kept in" in caplog.text
    # What was finished stays as it is, and the folders are those that one go makes.
    assert [{k: v for k, v in entry.items() if k != "kept"} for entry in second["runs"]] == first["runs"]
    weights = tmp_path / "kept" / second["runs"][0]["kept"] / "model.safetensors"
    digest = sha256_of(weights)
    shutil.rmtree(weights.parent)
    trained.clear()
    caplog.clear()
    assert job(runs) == second and trained == ["classification"]
    assert sha256_of(weights) == digest
    trained.clear()
    assert job(runs) == second and trained == []
    assert job(runs, keep=None) == first and trained == []


def test_a_kind_without_a_class_is_refused_before_training(job, tmp_path, monkeypatch):
    monkeypatch.delitem(export.CLASSES, "choice")
    with pytest.raises(UserError, match="--keep: unknown kind with a class of Hugging Face's 'choice'"):
        job(wanted("regression", "choice"))
    assert not list(tmp_path.rglob("*.json*"))
    job(wanted("choice"), keep=None)


def test_an_error_while_writing_leaves_nothing(world, job, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError("No space left on device")

    monkeypatch.setattr(export, "write_meta", full)
    with pytest.raises(OSError, match="No space left"):
        job(wanted("regression"))
    assert list((tmp_path / "kept").iterdir()) == [] and not (tmp_path / "scores.json").exists()


def test_killed_while_writing_no_half_folder_stands_under_its_name(world, job, tmp_path):
    """The process dies with the weights on disk and before meta.json; the next start trains and keeps it whole."""
    code = (
        "import json, os, signal, sys; import finetune; from linkbert.finetune import export\n"
        "export.write_meta = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "finetune.main(sys.argv[1:])"
    )
    runs = wanted("regression")
    arguments = ["--name", "small", "--model", world.model, "--batch", "batch", "--runs", json.dumps(runs)]
    arguments += ["--tasks", world.tasks, "--run-folder", tmp_path / "runs", "--output", tmp_path / "scores.json"]
    arguments += ["--device", "cpu", "--threads", "1", "--keep", tmp_path / "kept"]
    environment = {"PYTHONPATH": f"{ROOT / 'workflow'}:{ROOT / 'scripts'}", "PATH": "/usr/bin:/bin"}
    killed = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], env=environment, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert any(path.name == "model.safetensors" for path in (tmp_path / "kept").rglob("*"))
    assert [path for path in (tmp_path / "kept").iterdir() if not path.name.startswith(".")] == []
    importlib.import_module("finetune").main([str(argument) for argument in arguments])
    (entry,) = read_json(tmp_path / "scores.json")["runs"]
    load(AUTO["regression"], tmp_path / "kept" / entry["kept"])
