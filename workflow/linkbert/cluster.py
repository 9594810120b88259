"""Talking to SLURM: where a job runs, sending it back to the queue, finding jobs that nobody waits for any more.

Jobs of Snakemake's SLURM executor lose most SLURM_* variables, so the scheduler is asked.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from linkbert.errors import UserError

# Exit status of work that was asked to stop and can go on where it is: start it again (EX_TEMPFAIL).
EXIT_RETRY = 75


def ask(*command: str) -> str:
    """The output of a command of the scheduler, without the last newline.

    Raises:
        UserError: where there is no such command or it fails.
    """
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        what = " ".join(command)
        raise UserError(f"launch: '{what}' failed ({error}); several nodes need a SLURM allocation.") from None


def first_node_address(job: str) -> str:
    """The address of the first node of a job, where its processes meet."""
    nodes = ask("squeue", "-h", "-j", job, "-o", "%N")
    if not nodes:
        raise UserError(f"launch: job {job} has no nodes; several nodes need a SLURM allocation.")
    node = ask("scontrol", "show", "hostnames", nodes).splitlines()[0]
    found = re.search(r"NodeAddr=(\S+)", ask("scontrol", "show", "node", node, "--oneliner"))
    return found.group(1) if found else node


def requeue(job: str) -> bool:
    """Send this job back to the queue, under its own number, to go on where it stopped. It is ended soon after.

    False where that is not for us to do: it was cancelled or preempted, or the site does not let jobs queue again.
    """
    try:
        if ask("squeue", "-h", "-j", job, "-o", "%T") != "RUNNING":
            return False
        ask("scontrol", "requeue", job)
    except UserError:
        return False
    return True


def leave_when_warned(worth_it: Callable[[], bool]) -> None:
    """From now on the warning before a time limit ends this process with `EXIT_RETRY`, where `worth_it` says so."""

    def leave(number: int, frame: Any) -> None:
        if worth_it():
            sys.exit(EXIT_RETRY)

    signal.signal(signal.SIGUSR1, leave)


def leave_before_it_begins(*numbers: int) -> None:
    """Until something else listens to these signals, they end this process with `EXIT_RETRY`: nothing is begun yet."""

    def leave(number: int, frame: Any) -> None:
        os.write(2, b"asked to stop before the work began; start it again\n")
        os._exit(EXIT_RETRY)  # an exception could be caught by the module that is just being imported

    for number in numbers:
        signal.signal(number, leave)


def torchrun() -> None:
    """torchrun with this process' arguments, but with the exit status of the process that failed first.

    At SIGTERM, which torchrun hands on to the processes and waits for them, the status is `EXIT_RETRY`.
    """
    # The warning before a time limit is for the processes that train; it must not end the one that watches them.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    leave_before_it_begins(signal.SIGTERM)
    os.environ.setdefault("PET_NODE_RANK", os.environ.get("SLURM_NODEID", "0"))  # --node-rank, for several nodes
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    try:
        run.main()
    except ChildFailedError as error:
        status = error.get_first_failure()[1].exitcode
        sys.exit(status if status >= 0 else 128 - status)  # ended by a signal: as a shell says it
    except SignalException as error:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a further one changes nothing
        sys.exit(EXIT_RETRY if error.sigval == signal.SIGTERM else 128 + error.sigval)


def orphans(folder: Path) -> list[str]:
    """Jobs of this user that a Snakemake started in `folder` has submitted, by number. None where there is no SLURM."""
    try:
        user = str(os.getuid())
        jobs = ask("squeue", "-h", "--user", user, "--states", "PENDING,RUNNING,SUSPENDED,COMPLETING", "-o", "%i|%k|%Z")
    except UserError:
        return []
    rows = (line.split("|") for line in jobs.splitlines())
    own = os.environ.get("SLURM_JOB_ID")
    return [
        job
        for job, comment, *where in rows
        if re.match("rule_|group_", comment) and Path("|".join(where)) == folder and job != own
    ]


def cancel_orphans(folder: Path, patience: float = 120) -> list[str]:
    """Cancel what `orphans` finds and return when it has ended, at most `patience` seconds later.

    A training saves its state; two copies of a job never run side by side.
    """
    found = orphans(folder)
    if found:
        ask("scancel", *found)
    end = time.monotonic() + patience
    while orphans(folder) and time.monotonic() < end:
        time.sleep(1)
    return found
