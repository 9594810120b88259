"""Whole jobs: every kind end to end, restart, what is refused."""

import gzip
import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from linkbert import STAGE
from linkbert.errors import UserError
from linkbert.files import read_json, sha256_of, write_json
from linkbert.finetune import runs as module
from linkbert.finetune.runs import run_batch, worth_compiling
from linkbert.finetune.sequences import Classification
from linkbert.metrics import score
from linkbert.model import bert

POINT = {"learning_rate": 1e-3, "batch_size": 8, "epochs": 1, "length": 64}

ROOT = Path(__file__).resolve().parents[3]


def wanted(*tasks: str, points=(POINT,), seeds=(0,)) -> dict:
    return {task: {"tests": [task], "recipes": list(points), "seeds": list(seeds)} for task in tasks}


@pytest.fixture
def job(world, tmp_path):
    """Run a batch into this test's folder."""

    def start(runs, model=world.model, tasks=world.tasks, output="scores.json"):
        return run_batch(
            "small", model, "batch", runs, tasks, tmp_path / "runs", tmp_path / output, device="cpu", threads=1
        )

    return start


def stored(path) -> dict:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)


def without_times(entry: dict) -> dict:
    return {key: value for key, value in entry.items() if key not in ("seconds", "sha256")}


def test_every_kind_end_to_end(world, job, tmp_path):
    scores = job(wanted(*world.kinds))
    assert read_json(tmp_path / "scores.json") == scores
    assert (scores["model"], scores["batch"], scores["stage_version"]) == ("small", "batch", STAGE["finetune"])
    assert [entry["task"] for entry in scores["runs"]] == world.kinds
    for entry in scores["runs"]:
        path = tmp_path / "runs" / entry["run"]
        assert sha256_of(path) == entry["sha256"]
        assert "predictions" not in entry and entry["counts"]["train"] == 40
        result = stored(path)
        meta = read_json(world.tasks / entry["task"] / "meta.json")
        for split in ("dev", "test"):
            with gzip.open(world.tasks / entry["task"] / f"{split}.jsonl.gz", "rt") as file:
                examples = [json.loads(line) for line in file]
            predictions = result["predictions"][split]
            assert predictions.keys() == {example["id"] for example in examples}
            assert score(meta["metric"], examples, predictions) == entry[split]
            assert entry["metric"] == next(iter(entry[split])) and entry["counts"][split] == 12
        if entry["task"] in ("classification", "multilabel", "choice"):
            assert result["scores"]["test"].keys() == result["predictions"]["test"].keys()


def test_grid_and_seeds_and_equal_results_in_another_folder(job, tmp_path):
    runs = wanted("classification", points=[POINT, {**POINT, "learning_rate": 5e-3}], seeds=[0, 7])
    first = job(runs)
    assert [(entry["recipe"]["learning_rate"], entry["seed"]) for entry in first["runs"]] == [
        (1e-3, 0),
        (1e-3, 7),
        (5e-3, 0),
        (5e-3, 7),
    ]
    assert len({entry["point"] for entry in first["runs"]}) == 2
    assert len({entry["run"] for entry in first["runs"]}) == 4
    assert all(entry["run"].endswith(f"-seed{entry['seed']}.json.gz") for entry in first["runs"])
    predictions = [stored(tmp_path / "runs" / entry["run"])["predictions"] for entry in first["runs"]]
    shutil.rmtree(tmp_path / "runs")
    second = job(runs)
    assert [without_times(entry) for entry in second["runs"]] == [without_times(entry) for entry in first["runs"]]
    assert [stored(tmp_path / "runs" / entry["run"])["predictions"] for entry in second["runs"]] == predictions


def test_the_score_file_says_which_test_sets_are_development_sets(world, job, tmp_path):
    for name, on_dev in (("plain", {}), ("hidden", {"test_is_dev": True})):
        world.make_task(tmp_path / "tasks", "classification", name, **on_dev)
    scores = job(wanted("plain", "hidden"), tasks=tmp_path / "tasks")
    assert [entry["test_is_dev"] for entry in scores["runs"]] == [False, True]


def test_a_restart_computes_only_what_is_missing_or_broken(job, tmp_path, monkeypatch):
    runs = wanted("classification", "tagging", seeds=[0, 1])
    first = job(runs)
    paths = [tmp_path / "runs" / entry["run"] for entry in first["runs"]]
    trained = []
    original = module.train
    monkeypatch.setattr(module, "train", lambda *args: trained.append(args[4:2:-1]) or original(*args))
    assert job(runs, output="again.json") == first
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "scores.json").read_bytes()
    assert trained == []
    paths[0].unlink()
    paths[2].write_bytes(paths[2].read_bytes()[:-20])
    with gzip.open(paths[3], "wt") as file:
        file.write('{"identity": {}}')
    repaired = job(runs)
    assert [(name, seed) for name, seed in trained] == [("classification", 0), ("tagging", 0), ("tagging", 1)]
    assert [without_times(entry) for entry in repaired["runs"]] == [without_times(entry) for entry in first["runs"]]
    assert repaired["runs"][1] == first["runs"][1]


def test_features_are_made_once_for_all_runs_of_a_task(job, monkeypatch):
    made = []
    original = Classification.features
    monkeypatch.setattr(Classification, "features", lambda *args: made.append(len(args[1])) or original(*args))
    points = [POINT, {**POINT, "learning_rate": 5e-3}, {**POINT, "length": 32}]
    scores = job(wanted("classification", points=points, seeds=[0, 1]))
    assert len(scores["runs"]) == 6
    assert made == [40, 12, 12, 40, 12, 12]  # train, dev and test for each of the two lengths


def test_a_finished_job_reads_neither_weights_nor_examples(world, job, tmp_path, monkeypatch):
    first = job(wanted("classification"))
    monkeypatch.setattr(module, "Checkpoint", None)
    assert job(wanted("classification")) == first


def test_a_killed_job_keeps_its_finished_runs(job, tmp_path, monkeypatch):
    original = module.train

    def killed(*args):
        if args[3] == 1:
            raise KeyboardInterrupt
        return original(*args)

    monkeypatch.setattr(module, "train", killed)
    with pytest.raises(KeyboardInterrupt):
        job(wanted("classification", seeds=[0, 1]))
    left = [path.name for path in (tmp_path / "runs").rglob("*") if path.is_file()]
    assert len(left) == 1 and left[0].endswith("-seed0.json.gz") and not left[0].startswith(".")
    assert not (tmp_path / "scores.json").exists()


def test_a_tuned_model_is_applied_to_another_task(world, job, tmp_path):
    shutil.copytree(world.tasks / "choice", tmp_path / "tasks" / "choice")
    world.make_task(tmp_path / "tasks", "choice", "other", sizes=(1, 5, 9), seed=3)
    runs = {"choice": {"tests": ["choice", "other"], "recipes": [POINT], "seeds": [0]}}
    scores = job(runs, tasks=tmp_path / "tasks")
    assert [(entry["task"], entry["train_task"]) for entry in scores["runs"]] == [
        ("choice", "choice"),
        ("other", "choice"),
    ]
    assert scores["runs"][1]["counts"]["test"] == 9
    (tmp_path / "runs" / scores["runs"][1]["run"]).unlink()
    again = job(runs, tasks=tmp_path / "tasks")
    assert [without_times(entry) for entry in again["runs"]] == [without_times(entry) for entry in scores["runs"]]
    assert again["runs"][0] == scores["runs"][0]


def test_the_hash_covers_recipe_task_and_model(world, job, tmp_path):
    def path(**more):
        return job(wanted("classification"), **more)["runs"][0]["run"]

    first = path()
    tasks, model = tmp_path / "tasks", tmp_path / "model"
    shutil.copytree(world.tasks / "classification", tasks / "classification")
    assert path(tasks=tasks) == first
    meta = read_json(tasks / "classification" / "meta.json")
    write_json(tasks / "classification" / "meta.json", {**meta, "counts": {"train": 41}})
    assert path(tasks=tasks) != first
    shutil.copytree(world.model, model)
    assert path(model=model) == first
    write_json(model / "meta.json", {"stage": "pretrain", "parameters": {"steps": 10}})
    scores = job(wanted("classification"), model=model)
    assert scores["runs"][0]["run"] != first
    assert scores["model_meta"] == {"steps": 10}
    assert job(wanted("classification", points=[{**POINT, "clip": 2}]))["runs"][0]["run"] != first


def test_the_command(world, tmp_path):
    script = importlib.import_module("finetune")
    arguments = {
        "name": "small",
        "model": world.model,
        "batch": "b",
        "runs": json.dumps(wanted("regression")),
        "tasks": world.tasks,
        "run-folder": tmp_path / "runs",
        "output": tmp_path / "scores" / "b.json",
        "threads": 1,
        "device": "cpu",
    }
    script.main([text for name, value in arguments.items() for text in (f"--{name}", str(value))])
    assert read_json(tmp_path / "scores" / "b.json")["runs"][0]["task"] == "regression"


def test_a_long_job_on_a_gpu_is_compiled_and_computes_the_same(job, tmp_path, monkeypatch):
    points = [POINT, {**POINT, "learning_rate": 2e-3}]
    plain = job(wanted("tagging", points=points))
    shutil.rmtree(tmp_path / "runs")
    planned, compiled, real = [], [], bert.compile_rows

    def asked(runs, device):
        planned.extend(runs)
        return True

    def compile_rows(encoder):
        compiled.append(encoder)
        real(encoder, "aot_eager")

    monkeypatch.setattr("linkbert.finetune.runs.worth_compiling", asked)
    monkeypatch.setattr("linkbert.finetune.runs.compile_rows", compile_rows)
    again = job(wanted("tagging", points=points))
    assert len(compiled) == 1
    for entry, other in zip(again["runs"], plain["runs"], strict=True):
        assert entry["loss"] == pytest.approx(other["loss"], rel=1e-4)
    steps = sum(run.recipe.steps(len(run.train.train)) for run in planned)
    monkeypatch.undo()
    monkeypatch.setattr("linkbert.finetune.runs.COMPILED_STEPS", steps)
    assert worth_compiling(planned, torch.device("cuda"))
    assert not worth_compiling(planned, torch.device("cpu"))
    assert not worth_compiling(planned[:-1], torch.device("cuda"))


def test_the_command_does_not_load_the_compiler(world, tmp_path):
    """torch.optim would: five seconds of a core in each of a hundred processes."""
    code = (
        "import sys, finetune; finetune.main(sys.argv[1:]); "
        "print([name for name in ('torch._dynamo', 'transformers', 'pandas') if name in sys.modules])"
    )
    arguments = ["--name", "x", "--model", world.model, "--batch", "b", "--runs", json.dumps(wanted("multilabel"))]
    arguments += ["--tasks", world.tasks, "--run-folder", tmp_path, "--output", tmp_path / "b.json", "--device", "cpu"]
    paths = os.pathsep.join(str(ROOT / name) for name in ("workflow", "scripts"))
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("runs", "sentence"),
    [
        ({}, "expected JSON"),
        (wanted("classificaton"), "unknown task 'classificaton'.*Did you mean 'classification'"),
        ({"span": {"tests": ["choice"], "recipes": [POINT], "seeds": [0]}}, "must be of one kind"),
        ({"span": {"recipes": [], "seeds": [0]}}, "'recipes' is missing or empty"),
        ({"span": {"recipes": [POINT]}}, "'seeds' is missing or empty"),
        (wanted("span", points=[{**POINT, "length": 500}]), "only 128 positions"),
        (wanted("span", points=[{**POINT, "lenght": 50}]), "Did you mean 'length'"),
    ],
)
def test_wrong_runs_are_refused_before_anything_is_written(job, tmp_path, runs, sentence):
    with pytest.raises(UserError, match=sentence):
        job(runs)
    assert not list(tmp_path.rglob("*.json*"))


def test_tasks_with_other_labels_are_refused(world, job, tmp_path):
    shutil.copytree(world.tasks / "tagging", tmp_path / "tasks" / "tagging")
    world.make_task(tmp_path / "tasks", "tagging", "other")
    meta = read_json(tmp_path / "tasks" / "other" / "meta.json")
    write_json(tmp_path / "tasks" / "other" / "meta.json", {**meta, "labels": ["I", "O"]})
    with pytest.raises(UserError, match="are not those of 'other'"):
        job({"tagging": {"tests": ["other"], "recipes": [POINT], "seeds": [0]}}, tasks=tmp_path / "tasks")


def rewritten(world, tmp_path, kind: str, change) -> None:
    """A copy of a task whose first training example is changed."""
    folder = tmp_path / "tasks" / kind
    shutil.copytree(world.tasks / kind, folder)
    with gzip.open(folder / "train.jsonl.gz", "rt") as file:
        examples = [json.loads(line) for line in file]
    with gzip.open(folder / "train.jsonl.gz", "wt") as file:
        for number, example in enumerate(examples):
            file.write(json.dumps(change(example) if number == 0 else example) + "\n")


@pytest.mark.parametrize(
    ("kind", "change", "sentence"),
    [
        ("span", lambda e: {**e, "answers": [{"text": "zzz", "start": 3}]}, "'zzz' is not at offset 3"),
        ("span", lambda e: {**e, "context": None}, "needs 'context'"),
        ("classification", lambda e: {**e, "label": "maybe"}, "unknown label 'maybe'"),
        ("classification", lambda e: {**e, "id": "train-1"}, "the id 'train-1' occurs twice"),
        ("multilabel", lambda e: {**e, "labels": ["blue"]}, "unknown label 'blue'"),
        ("regression", lambda e: {**e, "label": "high"}, "needs 'label'"),
        ("tagging", lambda e: {**e, "tags": e["tags"][1:]}, "there must be as many"),
        ("choice", lambda e: {**e, "label": 7}, "the label 7 is none of"),
        ("choice", lambda e: [e], "must be an object"),
    ],
)
def test_bad_examples_are_named(world, job, tmp_path, kind, change, sentence):
    rewritten(world, tmp_path, kind, change)
    with pytest.raises(UserError, match=rf"train.jsonl.gz, line [12].*{sentence}"):
        job(wanted(kind), tasks=tmp_path / "tasks")
    assert not (tmp_path / "scores.json").exists()


def test_empty_broken_and_missing_splits_are_named(world, job, tmp_path):
    folder = tmp_path / "tasks" / "span"
    shutil.copytree(world.tasks / "span", folder)
    whole = (folder / "dev.jsonl.gz").read_bytes()
    with gzip.open(folder / "dev.jsonl.gz", "wt"):
        pass
    with pytest.raises(UserError, match="the split is empty"):
        job(wanted("span"), tasks=tmp_path / "tasks")
    (folder / "dev.jsonl.gz").write_bytes(whole[:-30])
    with pytest.raises(UserError, match="cannot be read after line"):
        job(wanted("span"), tasks=tmp_path / "tasks")
    (folder / "dev.jsonl.gz").unlink()
    with pytest.raises(UserError, match="has no dev split"):
        job(wanted("span"), tasks=tmp_path / "tasks")


def test_a_vocabulary_larger_than_the_embeddings_is_refused(world, job, tmp_path):
    world.save_model(tmp_path / "model", vocabulary=50)
    with pytest.raises(UserError, match="embeddings for 50; they do not belong together"):
        job(wanted("span"), model=tmp_path / "model")


def test_a_folder_that_is_no_model_is_refused(job, tmp_path):
    with pytest.raises(UserError, match="not a model"):
        job(wanted("span"), model=tmp_path)
