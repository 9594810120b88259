"""The real model on real data: what benchmarks/minilm.py lays out is what its configuration asks for."""

import gzip
import json
import shlex
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.downloads.adopt import adopt
from linkbert.downloads.hub import download_hub
from linkbert.errors import UserError
from linkbert.files import read_meta, write_meta
from linkbert.model.weights import load_encoder, read_weights
from linkbert.planning.plan import Plan
from linkbert.text.tokenizer import SPECIAL_TOKENS, prepare_tokenizer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def minilm():
    spec = spec_from_file_location("minilm", ROOT / "benchmarks" / "minilm.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def planned(mirror: Path) -> Plan:
    config = load_configuration(ROOT / name for name in (*CONFIGURATION, "tests/real/minilm.yaml"))
    config["downloads"]["mirror"] = str(mirror)
    return Plan(config, ROOT)


def test_six_tasks_and_one_of_them_again_from_a_tuned_model(tmp_path):
    plan = planned(tmp_path)
    assert list(plan.tables) == ["minilm_tasks", "minilm_start"]
    jobs = [(model, list(runs)) for (model, _), runs in plan.jobs.items()]
    tuned = [("minilm-stsb", [task]) for task in ("biosses", "rte")]
    assert jobs == [*(("minilm", [task]) for task in plan.tasks), *tuned]
    assert len(plan.tasks) == 6 and {row["kind"] for row in plan.models.values()} == {"released"}
    # One recipe for RTE, wherever it begins.
    points = [runs["rte"]["recipes"] for runs in plan.jobs.values() if "rte" in runs]
    assert len(points) == 2 and points[0] == points[1]


def fetched(row: dict, mirror: Path, output: Path) -> Path:
    """What the rule download_hub makes of a row of the hub."""
    download_hub(row["repository"], row["revision"], row["kind"], output, mirror=str(mirror), allow_branch=True)
    return output


def test_the_model_lies_where_the_hub_would_have_it(minilm, tmp_path):
    (tmp_path / "real" / "glue").mkdir(parents=True)
    (tmp_path / "model").mkdir()
    for name in ("config.json", "model.safetensors", "vocab.txt", "modules.json"):
        (tmp_path / "model" / name).write_text("{}")
    row = planned(tmp_path / "mirror").hub["minilm"]
    models = {row["repository"]: tmp_path / "model"}
    minilm.lay_mirror(tmp_path / "mirror", tmp_path / "real", models)
    minilm.lay_mirror(tmp_path / "mirror", tmp_path / "real", models)  # again, over what stands
    assert {path.name for path in fetched(row, tmp_path / "mirror", tmp_path / "hub").iterdir()} == {
        *("config.json", "model.safetensors", "vocab.txt", "meta.json"),
    }
    with pytest.raises(UserError, match="nowhere: no such folder"):
        minilm.lay_mirror(tmp_path / "mirror", tmp_path / "nowhere", models)


@pytest.fixture
def results(tmp_path) -> Path:
    """A small model and a small STS-B where the workflow puts them."""
    from transformers import BertConfig, BertModel

    results = tmp_path / "results"
    model, task = results / "models" / "minilm", results / "tasks" / "stsb"
    words = [*SPECIAL_TOKENS, "a", "lake", "is", "deep", "cold", "old"]
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=128, **shape)).save_pretrained(model)
    (model / "vocab.txt").write_text("\n".join(words) + "\n")
    pair = {"text_a": "a lake is deep", "text_b": "a lake is cold"}
    examples = [json.dumps({"id": str(number), **pair, "label": number % 6}) for number in range(20)]
    task.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        (task / f"{split}.jsonl.gz").write_bytes(gzip.compress("\n".join(examples).encode()))
    write_meta(task, "tasks", kind="regression", labels=[], metric="pearson_spearman")
    return results


def test_the_tuned_model_is_kept_and_adopted_as_a_released_one(minilm, results, tmp_path):
    plan, mirror = planned(tmp_path / "mirror"), tmp_path / "mirror"
    kept = minilm.tune(plan, results)
    said = read_meta(kept)["parameters"]
    assert (said["task"], said["recipe"]["learning_rate"], said["recipe"]["epochs"]) == ("stsb", 1e-4, 2)
    assert minilm.tune(plan, results) == kept and [path.name for path in kept.parent.glob("stsb-*")] == [kept.name]
    (tmp_path / "real").mkdir()
    row = plan.hub["minilm-stsb"]
    minilm.lay_mirror(mirror, tmp_path / "real", {row["repository"]: kept})
    hub = fetched(row, mirror, results / "hub" / "minilm-stsb")
    prepare_tokenizer(results / "models" / "minilm", results / "tokenizers" / "minilm")
    minilm.check_current(results, kept)  # nothing is there yet
    adopted = results / "models" / "minilm-stsb"
    adopt(hub, results / "tokenizers" / "minilm", adopted)
    minilm.check_current(results, kept)
    loaded, first = (load_encoder(results / "models" / name) for name in ("minilm-stsb", "minilm"))
    own = read_weights(kept)
    for part, prefix in ((loaded[0], "encoder."), (loaded[1], "pooler.")):
        for name, tensor in part.state_dict().items():
            assert torch.equal(tensor, own[prefix + name]), name
    assert not torch.equal(loaded[1].dense.weight, first[1].dense.weight)
    write_meta(adopted, "pretrain", weights_sha256="of another")
    with pytest.raises(
        UserError, match=r"made from another model than .*Delete .*hub/minilm-stsb, .*scores/minilm-stsb"
    ):
        minilm.check_current(results, kept)


def test_the_second_table_is_made_from_what_was_kept(minilm, monkeypatch, tmp_path):
    """The order of the steps: table, tuning, the kept folder in the mirror, table."""
    steps = []
    (tmp_path / "real").mkdir()
    (tmp_path / "kept").mkdir()
    (tmp_path / "model").mkdir()
    monkeypatch.setattr(minilm, "ROOT", tmp_path)
    monkeypatch.setattr(minilm, "load_configuration", lambda _: None)
    monkeypatch.setattr(minilm, "Plan", lambda *_: planned(tmp_path / "mirror"))
    monkeypatch.setattr(minilm, "show", lambda table: steps.append(f"show {table}"))
    monkeypatch.setattr(minilm, "tune", lambda *_: steps.append("tune") or tmp_path / "kept")
    tuned = tmp_path / minilm.MIRROR / "hub" / "tuned" / "minilm-stsb"

    def snakemake(cores, *targets):
        steps.append((targets[0], tuned.is_symlink()))
        return failing if targets[0] == "minilm_tasks" else 0

    monkeypatch.setattr(minilm, "snakemake", snakemake)
    arguments = ["--real", str(tmp_path / "real"), "--model", str(tmp_path / "model")]
    failing = 3
    assert minilm.main(arguments) == 3 and steps == [("minilm_tasks", False)]
    steps.clear()
    failing = 0
    assert minilm.main(arguments) == 0
    assert steps == [
        *(("minilm_tasks", False), "show minilm_tasks", "tune"),
        *(("minilm_start", True), "show minilm_start"),
    ]
    assert tuned.resolve() == tmp_path / "kept"


def test_an_absent_package_is_named(minilm, monkeypatch):
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package_of_a_model")
    with pytest.raises(UserError, match="no package no-such-package-of-a-model: install it"):
        minilm.packaged()


@pytest.mark.real
def test_every_file_of_its_tasks_is_in_the_real_data(minilm, real, tmp_path):
    (tmp_path / "model").mkdir()
    minilm.lay_mirror(tmp_path / "mirror", real, {"some/model": tmp_path / "model"})
    plan = planned(tmp_path / "mirror")
    for task in plan.tasks:
        for file in (file for _, file in plan.task_files(task) if "/" not in file):  # else of this repository
            source = shlex.split(plan.download_source(SimpleNamespace(file=file)))
            assert Path(source[source.index("--url") + 1]).is_file(), file
