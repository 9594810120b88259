"""Worker processes: their order, and what becomes of them when they or their parent are killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from linkbert.errors import UserError
from linkbert.pools import bounded, processes


def _kill_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_results_come_in_order_and_a_killed_worker_is_told() -> None:
    taken = []
    with pytest.raises(UserError, match="one of 2 worker processes ended"), processes(2) as pool:
        for result in bounded(pool, _kill_at_three, range(10), 1):
            taken.append(result)
    assert taken == list(range(len(taken))) and len(taken) <= 3


_PARENT = """
import os, sys, time
from linkbert.pools import processes
if __name__ == "__main__":
    with processes(2) as pool:
        numbers = {future.result() for future in [pool.submit(os.getpid) for _ in range(20)]}
        print(*numbers, flush=True)
        sys.stdin.read()
"""


def test_workers_end_when_their_parent_is_killed(tmp_path) -> None:
    (tmp_path / "parent.py").write_text(_PARENT)
    command = [sys.executable, str(tmp_path / "parent.py")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as parent:
        workers = [int(number) for number in parent.stdout.readline().split()]
        assert workers
        parent.kill()
    deadline = time.monotonic() + 30
    while any(map(_runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = list(filter(_runs, workers))
    for worker in left:
        os.kill(worker, signal.SIGKILL)
    assert not left


def _runs(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False
