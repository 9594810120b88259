"""Start a training script: here, on all GPUs of this machine, or on all nodes of this SLURM job.

    python scripts/launch.py --nodes 2 --gpus 16 --threads 64 --launcher srun scripts/pretrain.py --name linkbert-large

`--launcher srun` makes the script a step of the SLURM job that this runs in, so that the warning before a time limit
reaches it. Where it then stops with its state saved (status 75), the job is sent back to the queue and goes on later.
"""

import argparse
import os
import signal
import subprocess
import sys
import time

from linkbert.cluster import EXIT_RETRY, first_node_address, leave_before_it_begins, requeue
from linkbert.command import run
from linkbert.errors import UserError

# Snakemake sets all of these to the cores of the node.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
TORCHRUN = [sys.executable, "-c", "from linkbert.cluster import torchrun; torchrun()"]


def processes(nodes: int, gpus: int, job: str | None, script: list[str]) -> list[str]:
    """The command of one node: plain Python, or torchrun with a process for each of its GPUs."""
    if gpus <= 1 and nodes == 1:
        return [sys.executable, *script]
    meeting = ["--standalone"]
    if nodes > 1:
        port = 20000 + int(job or 0) % 20000
        meeting = ["--nnodes", str(nodes), "--master-addr", first_node_address(job or "0"), "--master-port", str(port)]
    ranks = ["--nproc-per-node", str(max(gpus // nodes, 1)), "--shutdown-timeout", "300"]
    return [*TORCHRUN, *ranks, *meeting, *script]


def step(nodes: int, gpus: int, threads: int) -> list[str]:
    """The command that starts another one as a step of this SLURM job, once on every node."""
    command = ["srun", f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", f"--cpus-per-task={threads}"]
    return [*command, "--kill-on-bad-exit=1", *([f"--gpus-per-node={gpus // nodes}"] if gpus else [])]


def in_step(command: list[str], job: str) -> int:
    """Run a step to its end; its exit status. A step that asks for more time is sent back to the queue."""
    # A cancelled job's signals go to the step as well: this process waits for what becomes of it.
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, lambda number, frame: None)
    status = subprocess.run(command).returncode
    if status == EXIT_RETRY and requeue(job):
        print(f"launch: job {job} stopped with its state saved and waits in the queue to go on", file=sys.stderr)
        time.sleep(600)  # the scheduler ends this job before
    return status


def share_threads(threads: int | None, processes: int) -> None:
    """Give each of a node's processes its part of the cores; not told how many there are, what the user set, or one."""
    if threads is None:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    else:
        os.environ.update(dict.fromkeys(THREADS, str(max(threads // processes, 1))))


def main(arguments: list[str] | None = None) -> int:
    leave_before_it_begins(signal.SIGTERM, signal.SIGUSR1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1, help="how many machines")
    parser.add_argument("--gpus", type=int, default=0, help="how many GPUs in total, over all nodes")
    parser.add_argument("--threads", type=int, help="processor cores a node, for all of its processes")
    parser.add_argument("--launcher", choices=("local", "srun"), default="local", help="where it starts")
    parser.add_argument("script", nargs=argparse.REMAINDER, help="the script and its arguments")
    options = parser.parse_args(arguments)
    job = os.environ.get("SLURM_JOB_ID")
    nodes = options.nodes if options.launcher == "srun" else 1
    if options.launcher == "srun" and job is None:
        raise UserError("launch: --launcher srun needs a SLURM job; SLURM_JOB_ID is not set.")
    share_threads(options.threads, max(options.gpus // nodes, 1))
    command = processes(nodes, options.gpus, job, options.script)
    if options.launcher == "srun":
        return in_step([*step(nodes, options.gpus, options.threads or 1), *command], job)
    os.execvp(command[0], command)


if __name__ == "__main__":
    run(main)
