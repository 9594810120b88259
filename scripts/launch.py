"""Start a training script: here, on all GPUs of this machine, or on all nodes of this SLURM allocation.

    python scripts/launch.py --nodes 2 --gpus 8 --threads 64 scripts/pretrain.py --name linkbert-base ...

Without several GPUs or nodes the script simply replaces this process, so that signals reach it. Jobs of
Snakemake's SLURM executor lose most SLURM_* variables: sizes come in as arguments and the scheduler names the nodes.
"""

import argparse
import os
import re
import subprocess
import sys

from linkbert.command import run
from linkbert.errors import UserError


def ask(*command: str) -> str:
    """The output of a command of the scheduler, without the last newline."""
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        what = " ".join(command)
        raise UserError(f"launch: '{what}' failed ({error}); several nodes need a SLURM allocation.") from None


def first_node_address(job: str) -> str:
    """The address of the first node of a SLURM job, where ranks meet."""
    node = ask("scontrol", "show", "hostnames", ask("squeue", "-h", "-j", job, "-o", "%N")).splitlines()[0]
    found = re.search(r"NodeAddr=(\S+)", ask("scontrol", "show", "node", node, "--oneliner"))
    return found.group(1) if found else node


def command_line(nodes: int, gpus: int, threads: int, script: list[str]) -> list[str]:
    """The command to become: plain Python, torchrun, or srun with one torchrun a node."""
    job = os.environ.get("SLURM_JOB_ID")
    if nodes == 1 and gpus <= 1:
        return [sys.executable, *script]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(max(gpus // nodes, 1))]
    if nodes == 1 or job is None:
        return [*torchrun, "--standalone", *script]
    port = 20000 + int(job) % 20000
    meeting = ["--nnodes", str(nodes), "--rdzv-backend", "c10d", "--rdzv-id", job]
    meeting += ["--rdzv-endpoint", f"{first_node_address(job)}:{port}"]
    spread = [f"--nodes={nodes}", f"--ntasks={nodes}", "--ntasks-per-node=1", f"--cpus-per-task={threads}"]
    return ["srun", *spread, "--kill-on-bad-exit=1", *torchrun, *meeting, *script]


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1, help="how many machines")
    parser.add_argument("--gpus", type=int, default=0, help="how many GPUs in total, over all nodes")
    parser.add_argument("--threads", type=int, default=1, help="processor cores a node")
    parser.add_argument("script", nargs=argparse.REMAINDER, help="the script and its arguments")
    options = parser.parse_args(arguments)
    per_node = max(options.gpus // options.nodes, 1)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(options.threads // per_node, 1)))
    command = command_line(options.nodes, options.gpus, options.threads, options.script)
    os.execvp(command[0], command)


if __name__ == "__main__":
    run(main)
