"""The real model on real data: what benchmarks/minilm.py lays out is what its configuration asks for."""

import shlex
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import pytest

from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.downloads.hub import download_hub
from linkbert.errors import UserError
from linkbert.planning.plan import Plan

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


def test_one_released_model_six_tasks_and_one_table(tmp_path):
    plan = planned(tmp_path)
    assert list(plan.tables) == ["minilm_tasks"]
    assert [list(runs) for runs in plan.jobs.values()] == [[task] for task in plan.tasks]
    assert len(plan.tasks) == 6 and plan.models["minilm"]["kind"] == "released"


def test_the_model_lies_where_the_hub_would_have_it(minilm, tmp_path):
    (tmp_path / "real" / "glue").mkdir(parents=True)
    (tmp_path / "model").mkdir()
    for name in ("config.json", "model.safetensors", "vocab.txt", "modules.json"):
        (tmp_path / "model" / name).write_text("{}")
    minilm.lay_mirror(tmp_path / "mirror", tmp_path / "real", tmp_path / "model")
    minilm.lay_mirror(tmp_path / "mirror", tmp_path / "real", tmp_path / "model")  # again, over what stands
    row = planned(tmp_path / "mirror").hub["minilm"]
    mirror = str(tmp_path / "mirror")
    download_hub(row["repository"], row["revision"], row["kind"], tmp_path / "hub", mirror=mirror, allow_branch=True)
    assert {path.name for path in (tmp_path / "hub").iterdir()} == {
        *("config.json", "model.safetensors", "vocab.txt", "meta.json"),
    }
    with pytest.raises(UserError, match="nowhere: no such folder"):
        minilm.lay_mirror(tmp_path / "mirror", tmp_path / "nowhere", tmp_path / "model")


def test_an_absent_package_is_named(minilm, monkeypatch):
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package_of_a_model")
    with pytest.raises(UserError, match="no package no-such-package-of-a-model: install it"):
        minilm.packaged()


@pytest.mark.real
def test_every_file_of_its_tasks_is_in_the_real_data(minilm, real, tmp_path):
    (tmp_path / "model").mkdir()
    minilm.lay_mirror(tmp_path / "mirror", real, tmp_path / "model")
    plan = planned(tmp_path / "mirror")
    for task in plan.tasks:
        for _, file in plan.task_files(task):
            source = shlex.split(plan.download_source(SimpleNamespace(file=file)))
            assert Path(source[source.index("--url") + 1]).is_file(), file
