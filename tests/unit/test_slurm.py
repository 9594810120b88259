"""Talking to SLURM, to stand-ins for its commands; tests/cluster talks to a real one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from linkbert import cluster
from linkbert.cluster import EXIT_RETRY
from linkbert.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """A function that makes a command of SLURM: a shell script, which also writes down how it was called."""
    tools = tmp_path / "tools"
    tools.mkdir()
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)

    def make(name: str, script: str) -> None:
        (tools / name).write_text(f'#!/bin/sh\necho {name} "$@" >>{tmp_path}/calls\n{script}\n')
        (tools / name).chmod(0o755)

    return make


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls").read_text().splitlines()


def test_a_running_job_is_sent_back_to_the_queue(slurm, tmp_path):
    slurm("squeue", "echo RUNNING")
    slurm("scontrol", "true")
    assert cluster.requeue("7") and calls(tmp_path)[-1] == "scontrol requeue 7"


@pytest.mark.parametrize("state", ["COMPLETING", "CANCELLED", "PREEMPTED"])
def test_a_cancelled_job_does_not_come_back(slurm, tmp_path, state):
    slurm("squeue", f"echo {state}")
    slurm("scontrol", "true")
    assert not cluster.requeue("7") and "scontrol requeue 7" not in calls(tmp_path)


def test_a_site_that_forbids_it_is_respected(slurm):
    slurm("squeue", "echo RUNNING")
    slurm("scontrol", "echo 'Requested operation is presently disabled' >&2; exit 1")
    assert not cluster.requeue("7")


def test_only_jobs_of_snakemake_in_this_very_folder_are_orphans(slurm, tmp_path, monkeypatch):
    here = tmp_path / "with space"
    rows = [f"1|rule_pretrain_wildcards_a|{here}", f"2|rule_pretrain|{here}/other", f"3||{here}", f"4|group_x|{here}"]
    slurm("squeue", "\n".join(f"echo '{row}'" for row in [*rows, f"5|rule_me|{here}"]))
    monkeypatch.setenv("SLURM_JOB_ID", "5")
    assert cluster.orphans(here) == ["1", "4"]


def test_orphans_are_cancelled_and_waited_for(slurm, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    slurm("squeue", f'[ "$(grep -c squeue {tmp_path}/calls)" -gt 3 ] || echo "1|rule_pretrain|{tmp_path}"')
    slurm("scancel", "true")
    assert cluster.cancel_orphans(tmp_path) == ["1"]
    assert calls(tmp_path).count("scancel 1") == 1 and sum("squeue" in call for call in calls(tmp_path)) == 4


def test_without_slurm_there_are_no_orphans(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cluster.cancel_orphans(tmp_path) == []


def test_a_failing_command_is_a_sentence(slurm):
    slurm("scontrol", "exit 1")
    with pytest.raises(UserError, match="'scontrol show' failed"):
        cluster.ask("scontrol", "show")


# Starting -------------------------------------------------------------------------------------------------------------


def launch(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    variables = {**os.environ, "PYTHONPATH": str(ROOT / "workflow"), **environment}
    command = [sys.executable, str(ROOT / "scripts" / "launch.py"), *arguments]
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120)


@pytest.fixture
def script(tmp_path):
    """A script that ends with the status it is given."""
    path = tmp_path / "script.py"
    path.write_text("import os, sys\nprint(os.environ.get('RANK'), *sys.argv[1:])\nsys.exit(int(sys.argv[1]))\n")
    return str(path)


def test_one_process_is_simply_started_here(slurm, script, tmp_path):
    slurm("srun", "exit 1")
    done = launch("--gpus", "1", script, "3", SLURM_JOB_ID="7")
    assert (done.returncode, done.stdout) == (3, "None 3\n") and not (tmp_path / "calls").exists()


def test_several_processes_hand_on_the_status_of_the_one_that_failed(script):
    assert launch("--gpus", "2", script, str(EXIT_RETRY)).returncode == EXIT_RETRY


def test_a_step_runs_once_on_every_node_with_its_share_of_the_gpus(slurm, script, tmp_path):
    slurm("scontrol", 'case "$2" in hostnames) echo n1;; node) echo NodeName=n1 NodeAddr=10.0.0.1;; esac')
    slurm("squeue", "echo 'n[1-2]'")
    slurm("srun", "true")
    done = launch("--launcher", "srun", "--nodes", "2", "--gpus", "16", "--threads", "64", script, SLURM_JOB_ID="7")
    assert done.returncode == 0, done.stderr
    srun = calls(tmp_path)[-1]
    for option in ("--nodes=2", "--ntasks=2", "--cpus-per-task=64", "--gpus-per-node=8", "--nproc-per-node 8"):
        assert option in srun
    assert "--master-addr 10.0.0.1 --master-port 20007" in srun and srun.endswith(script)


def test_a_step_that_can_go_on_later_is_sent_back_to_the_queue(slurm, script, tmp_path):
    slurm("srun", f"exit {EXIT_RETRY}")
    slurm("squeue", "echo RUNNING")
    slurm("scontrol", 'kill -9 "$PPID"')  # the scheduler ends the job
    assert launch("--launcher", "srun", script, "0", SLURM_JOB_ID="7").returncode == -signal.SIGKILL
    assert calls(tmp_path)[-1] == "scontrol requeue 7"


def test_a_warned_process_leaves_only_where_it_is_worth_it():
    code = "import os, signal; from linkbert.cluster import leave_when_warned; leave_when_warned(lambda: {}); "
    code += "os.kill(os.getpid(), signal.SIGUSR1); print('went on')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}

    def run(worth: bool) -> subprocess.CompletedProcess:
        command = [sys.executable, "-c", code.format(worth)]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    assert run(True).returncode == EXIT_RETRY
    assert (run(False).returncode, run(False).stdout) == (0, "went on\n")
