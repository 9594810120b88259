"""A copy of the repository in which `snakemake --profile slurm` runs, and the ways to disturb its jobs."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cluster import Slurm

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CONFIGURATION = ("config/demo.yaml", "tests/workflow/small.yaml", "tests/cluster/small.yaml")
PATIENCE = 1200  # seconds: the machine may be busy
HASH = "?" * 12  # which tells linkbert-tiny from linkbert-tiny-uniform
Found = TypeVar("Found")


def until(condition: Callable[[], Found], what: str, patience: float = PATIENCE) -> Found:
    """The first true value of a condition.

    Raises:
        AssertionError: where it does not come in time, or at once where the condition raises it.
    """
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if found := condition():
            return found
        time.sleep(0.3)
    raise AssertionError(f"waited {patience:.0f} s for {what}")


def copy_repository(folder: Path) -> Path:
    """The files under version control, and new ones that are not ignored."""
    listed = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


class Workplace:
    """A folder with the repository, the generated world and perhaps results; one Snakemake at a time runs in it."""

    def __init__(self, folder: Path, slurm: Slurm):
        self.folder, self.slurm = folder, slurm
        self.results = folder / "results" / "demo"
        self.said = folder / "said.txt"  # what Snakemake printed last
        self.process: subprocess.Popen | None = None
        tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {"PATH": tools, "PYTHONPATH": str(folder / "workflow"), "OMP_NUM_THREADS": "1"}
        self.environment = {**os.environ, **own}

    def run(self, *command: str) -> None:
        """A command, to its end."""
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    def start(self, *options: str, targets: tuple[str, ...] = ("tables",), **environment: str) -> None:
        """Start ``snakemake --profile slurm``; variables win over those of the workplace."""
        arguments = ["--profile", "slurm", *options, "--configfile", *CONFIGURATION, "--", *targets]
        with open(self.said, "w") as said:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "impatient.py"), *arguments],
                **{"cwd": self.folder, "env": {**self.environment, **environment}, "stdout": said, "stderr": said},
            )

    def running(self) -> bool:
        """Whether Snakemake still runs; an error, with what it said, where it failed."""
        status = self.process.poll()
        if status:
            logs = sorted(self.folder.glob("results/slurm-logs/**/*.log")) + sorted(self.results.glob("logs/**/*.log"))
            ends = "\n".join(f"== {log.relative_to(self.folder)}\n{log.read_text()[-800:]}" for log in logs[-12:])
            raise AssertionError(f"snakemake ended with {status}:\n{self.said.read_text()[-6000:]}\n{ends}")
        return status is None

    def finish(self) -> str:
        """Wait for Snakemake's good end; what it said."""
        until(lambda: not self.running(), "the end of snakemake")
        return self.said.read_text()

    def stop(self) -> None:
        """At the end of a test: no process and no job stays."""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for job in self.slurm.jobs():
            self.slurm.ask("scancel", job, check=False)
        until(lambda: not self.slurm.jobs(), "the end of all jobs", 60)

    # Jobs -------------------------------------------------------------------------------------------------------------

    def job(self, model: str) -> str:
        """The number of the job that pretrains a model, once it is in the middle: it has saved its state."""

        def found() -> str | None:
            assert self.running(), f"no pretraining of {model} was seen"
            rule = f"rule_pretrain_wildcards_{model}"
            jobs = [job for job, what in self.slurm.jobs("RUNNING").items() if what == rule]
            return jobs[0] if jobs and self.saved(model) and self.processes(jobs[0]) else None

        return until(found, f"a saved state of {model}")

    def saved(self, model: str) -> list[Path]:
        """The saved states of a training."""
        return sorted(self.results.glob(f"checkpoints/{model}-{HASH}/step-*.pt"))

    def processes(self, job: str, script: str = "scripts/pretrain.py") -> list[int]:
        """Processes of a job that run a script, and only those: neither srun nor torchrun that start them."""
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                mine = f"SLURM_JOB_ID={job}\0".encode() in (folder / "environ").read_bytes() + b"\0"
            except OSError:
                continue
            python = words[:1] and b"python" in Path(os.fsdecode(words[0])).name.encode()
            if mine and python and script.encode() in words[1:3]:
                found.append(int(folder.name))
        return found

    def hold(self, job: str) -> list[int]:
        """Make the training of a job stand still, so that it cannot end before it is disturbed."""
        held = self.processes(job)
        for process in held:
            os.kill(process, signal.SIGSTOP)
        return held

    def kill(self, job: str, script: str = "scripts/pretrain.py") -> None:
        """End processes of a job as the kernel does it when memory runs out."""
        for process in self.processes(job, script):
            os.kill(process, signal.SIGKILL)

    def queued_again(self, job: str) -> None:
        """Wait until SLURM has put a job back into the queue; then spare it the two minutes that it must wait there."""

        def back() -> bool:
            assert self.running(), "the job did not return"
            about = self.slurm.about(job)
            return about["JobState"] == "PENDING" and about["Restarts"] != "0"

        until(back, f"job {job} to queue again")
        time.sleep(3)  # at once, its nodes would still refuse the number of the job that has just ended
        self.slurm.ask("scontrol", "update", f"JobId={job}", "StartTime=now")

    # Results ----------------------------------------------------------------------------------------------------------

    def forget(self, *models: str) -> None:
        """Delete models, their scores, and all tables; finished fine-tuning runs stay."""
        for model in models:
            for path in (self.results / "models" / model, self.results / "scores" / model, *self.checkpoints(model)):
                shutil.rmtree(path)
        shutil.rmtree(self.results / "tables")

    def checkpoints(self, model: str) -> list[Path]:
        """The folders of a training's saved states."""
        return list(self.results.glob(f"checkpoints/{model}-{HASH}"))

    def log(self, rule: str, name: str) -> str:
        """The log of a rule's job, of its last attempt."""
        path = self.results / "logs" / rule / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def tables(self) -> dict[str, bytes]:
        """Table file -> its bytes."""
        return {path.name: path.read_bytes() for path in sorted(self.results.glob("tables/table*.*"))}

    def weights(self, model: str) -> bytes:
        return (self.results / "models" / model / "model.safetensors").read_bytes()

    def made(self) -> dict[str, int]:
        """When every folder of a stage but the models was made."""
        found = sorted(self.results.rglob("meta.json"))
        parts = {str(path.parent.relative_to(self.results)): path.stat().st_mtime_ns for path in found}
        return {part: time for part, time in parts.items() if not part.startswith("models/")}
