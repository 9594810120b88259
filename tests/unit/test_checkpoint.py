import os
import subprocess
import sys
import time

import pytest
import torch

from linkbert.errors import UserError
from linkbert.pretraining.checkpoint import Checkpoints, snapshot


def test_newest_comes_back_and_few_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path, "a", keep=2)
    weight = torch.arange(3.0)
    for step in (5, 10, 15):
        checkpoints.save(step, {"weight": weight, "curve": [{"loss": 1.5}]})
        weight += 1  # training goes on while the copy is written
    checkpoints.close()
    assert [file.name for file in checkpoints.files()] == ["step-000000010.pt", "step-000000015.pt"]
    state = Checkpoints(tmp_path, "a").load()
    assert (state["step"], state["weight"].tolist(), state["curve"]) == (15, [2, 3, 4], [{"loss": 1.5}])


def test_nothing_yet(tmp_path):
    assert Checkpoints(tmp_path / "none", "a").load() is None


def test_another_configuration_is_refused(tmp_path):
    checkpoints = Checkpoints(tmp_path, "a")
    checkpoints.save(1, {})
    checkpoints.wait()
    with pytest.raises(UserError, match="another configuration or corpus"):
        Checkpoints(tmp_path, "b").load()


def test_a_damaged_file_falls_back(tmp_path):
    checkpoints = Checkpoints(tmp_path, "a")
    for step in (1, 2):
        checkpoints.save(step, {})
    checkpoints.wait()
    newest = checkpoints.files()[-1]
    newest.write_bytes(newest.read_bytes()[:100])
    assert checkpoints.load()["step"] == 1
    checkpoints.files()[0].write_bytes(b"")
    with pytest.raises(UserError, match="none of its checkpoints"):
        checkpoints.load()


def test_leftovers_of_a_killed_writer_vanish(tmp_path):
    (tmp_path / ".ab12cd34.step-000000007.pt").write_bytes(b"torn")
    checkpoints = Checkpoints(tmp_path, "a")
    checkpoints.lock()
    assert checkpoints.load() is None
    checkpoints.close()
    assert [file.name for file in tmp_path.iterdir()] == ["lock"]


def test_a_failed_write_is_told(tmp_path):
    checkpoints = Checkpoints(tmp_path / "file", "a")
    (tmp_path / "file").write_text("in the way")
    checkpoints.save(1, {})
    with pytest.raises(UserError, match="could not be written"):
        checkpoints.wait()


def test_one_process_at_a_time_and_a_dead_one_holds_nothing(tmp_path):
    code = (
        "import sys, time; from linkbert.pretraining.checkpoint import Checkpoints;"
        "Checkpoints(sys.argv[1], 'a').lock(); print('locked', flush=True); time.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    other = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, env=environment)
    try:
        assert other.stdout.readline() == b"locked\n"
        mine = Checkpoints(tmp_path, "a")
        with pytest.raises(UserError, match=f"process {other.pid} on"):
            mine.lock()
    finally:
        other.kill()
        other.wait()
    for _ in range(100):
        try:
            mine.lock()
            break
        except UserError:
            time.sleep(0.05)
    mine.close()
    mine.lock()
    mine.close()


def test_snapshot_copies():
    weight = torch.zeros(2)
    copy = snapshot({"a": [weight, {"b": (weight, 3)}]})
    weight += 1
    assert copy["a"][0].tolist() == [0, 0]
    assert copy["a"][1]["b"][0].tolist() == [0, 0]
    assert copy["a"][1]["b"][1] == 3
