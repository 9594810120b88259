"""What jobs ask for: by rule, by a model's size, by attempt, and of SLURM."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from linkbert.planning.hardware import Hardware, minutes, site

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = {"account": "", "cpu_partition": "cpu", "gpu_partition": "gpu", "gpu_type": "", "gpus_per_node": 8}
CLUSTER |= {"scratch": "", "warning": 600}
NEEDS = {
    "build_graph": {"threads": 8, "mem_mb": 1000, "runtime": "2h"},
    "prepare_task": {"mem_mb": 500, "runtime": 7},
    "pretrain": {
        "tiny": {"gpus": 0, "threads": 2, "mem_mb": 1000, "runtime": "1d"},
        "base": {"gpus": 8, "threads": 4, "mem_mb": 2000, "runtime": "1d"},
        "large": {"gpus": 16, "threads": 4, "mem_mb": 4000, "runtime": "2d"},
    },
}


def job(size: str = "") -> SimpleNamespace:
    return SimpleNamespace(model=size)


@pytest.fixture
def hardware(monkeypatch) -> Hardware:
    """Models are called like their sizes."""
    return Hardware({"hardware": NEEDS, "cluster": CLUSTER}, lambda model: model)


def asked(hardware: Hardware, size: str) -> dict:
    """What SLURM is asked for; Snakemake leaves out what is None."""
    answers = {key: answer(job(size)) for key, answer in hardware.slurm("pretrain").items()}
    return {key: value for key, value in answers.items() if value is not None}


@pytest.mark.parametrize(("time", "expected"), [(7, 7), ("7", 7), ("30m", 30), ("4h", 240), ("2d", 2880)])
def test_times(time, expected):
    assert minutes(time) == expected


def test_the_environment_wins_over_the_declaration_and_keeps_its_type():
    said = site(CLUSTER, {"LINKBERT_ACCOUNT": "nlp", "LINKBERT_GPUS_PER_NODE": "4", "LINKBERT_OTHER": "x"})
    assert said == CLUSTER | {"account": "nlp", "gpus_per_node": 4}


def test_what_begins_anew_gets_more_memory_and_time_with_every_attempt(hardware):
    memory, time = hardware.mem_mb("build_graph"), hardware.runtime("build_graph")
    assert [memory(job(), attempt) for attempt in (1, 2, 3)] == [1000, 1500, 2000]
    assert [time(job(), attempt) for attempt in (1, 2, 3)] == [120, 240, 360]
    assert (hardware.threads("build_graph")(job()), hardware.threads("prepare_task")(job())) == (8, 1)


def test_what_continues_gets_more_memory_but_no_more_time(hardware):
    assert [hardware.mem_mb("pretrain")(job("base"), attempt) for attempt in (1, 2)] == [2000, 3000]
    assert [hardware.runtime("pretrain")(job("base"), attempt) for attempt in (1, 2)] == [1440, 1440]


def test_a_training_without_gpus_goes_to_the_other_partition(hardware):
    assert hardware.gpu("pretrain")(job("tiny")) == 0
    signal = "--signal=USR1@600"
    assert asked(hardware, "tiny") == {"slurm_partition": "cpu", "nodes": 1, "mpi": "", "slurm_extra": signal}


def test_a_training_on_one_node_has_a_kind_of_gpu_where_one_is_declared(hardware):
    assert "gpu_model" not in asked(hardware, "base")
    hardware.cluster["gpu_type"] = "h100"
    said = asked(hardware, "base")
    assert (said["slurm_partition"], said["gpu_model"], said["nodes"], said["mpi"]) == ("gpu", "h100", 1, "")


def test_a_training_with_more_gpus_than_a_node_has_takes_several_with_as_many_on_each(hardware):
    said = asked(hardware, "large")
    assert (said["nodes"], said["tasks"], said["tasks_per_gpu"], said["mpi"]) == (2, 2, 0, "srun")
    assert said["slurm_extra"] == "--signal=USR1@600 --gpus-per-node=8"
    hardware.cluster |= {"gpus_per_node": 4, "gpu_type": "a100"}
    said = asked(hardware, "large")
    assert said["nodes"] == 4 and said["slurm_extra"].endswith(" --gpus-per-node=a100:4")


@pytest.mark.parametrize("name", ["paper", "demo", "simplewiki"])
def test_every_rule_that_asks_is_declared(name):
    """Rule files ask by the rule's own name, and the paper's configuration answers for every one."""
    declared = yaml.safe_load((ROOT / "config" / "paper.yaml").read_text())["hardware"]
    own = yaml.safe_load((ROOT / "config" / f"{name}.yaml").read_text())["hardware"]
    assert own.keys() <= declared.keys()
    text = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    assert all(f'hardware.mem_mb("{rule}")' in text and f"rule {rule}:" in text for rule in declared)
