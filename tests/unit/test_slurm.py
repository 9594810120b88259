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


@pytest.mark.parametrize(
    ("gpus", "threads", "each"), [(2, ["--threads", "8"], 4), (1, ["--threads", "8"], 8), (2, [], 6)]
)
def test_the_cores_of_a_node_are_shared_by_its_processes(tmp_path, gpus, threads, each):
    """Snakemake has set the variables to all cores of the node."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    script = tmp_path / "script.py"
    script.write_text(f"import os\nos.write(1, ' '.join([*map(os.environ.get, {names}), '\\n']).encode())\n")
    told = dict.fromkeys(names, "8" if threads else "6")
    done = launch("--gpus", str(gpus), *threads, str(script), **told)
    assert done.stdout == f"{each} {each} \n" * gpus, done.stderr


def test_the_rule_leaves_the_share_of_cores_to_the_launcher():
    rule = (ROOT / "rules" / "pretrain.smk").read_text().split("\nrule ")[1]
    launcher, script = rule.split("scripts/pretrain.py")
    assert "--threads {threads}" in launcher and "--threads" not in script


LISTENS = """
import os, signal, sys, time
from pathlib import Path
asked, here = [], Path(sys.argv[1], os.environ["RANK"])
signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
here.touch()
while not asked:
    time.sleep(0.01)
time.sleep(1)
here.with_suffix(".saved").touch()
sys.exit(75)
"""


@pytest.mark.parametrize("times", [1, 3])
def test_processes_that_are_asked_to_stop_can_go_on(tmp_path, times):
    """Whoever ends the launcher ends the processes with it; they have the time to save, and the status is theirs."""
    (tmp_path / "script.py").write_text(LISTENS)
    (tmp_path / "ready").mkdir()
    command = [sys.executable, str(ROOT / "scripts" / "launch.py"), "--gpus", "2", str(tmp_path / "script.py")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow")}
    process = subprocess.Popen([*command, str(tmp_path / "ready")], env=environment, stderr=subprocess.PIPE, text=True)
    while len(list((tmp_path / "ready").iterdir())) < 2:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.05)
    for _ in range(times):
        process.terminate()
        time.sleep(0.3)
    process.wait(300)
    assert sorted(path.name for path in (tmp_path / "ready").glob("*.saved")) == ["0.saved", "1.saved"]
    said = process.communicate()[1]
    assert process.returncode == EXIT_RETRY and "Traceback" not in said, said


WARNED = """
import os, sys

class Warning:
    \"""The scheduler's signal comes while torch is imported.\"""

    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            os.kill(os.getpid(), int(sys.argv[1]))

sys.meta_path.insert(0, Warning())
"""
ARGUMENTS = "--name x --recipe {} --tokenizer x --sources x=x --checkpoints x --output x"
PRETRAIN = f"import pretrain; pretrain.main({ARGUMENTS.split()})"


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (PRETRAIN, signal.SIGTERM),
        (PRETRAIN, signal.SIGUSR1),
        ("from linkbert.cluster import torchrun; torchrun()", signal.SIGTERM),
    ],
)
def test_a_job_that_is_warned_before_it_began_can_begin_later(code, number):
    places = os.pathsep.join(str(ROOT / name) for name in ("workflow", "scripts"))
    command = [sys.executable, "-c", WARNED + code, str(int(number))]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": places}, capture_output=True, text=True)
    assert done.returncode == EXIT_RETRY and "before the work began" in done.stderr, done.stderr


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
