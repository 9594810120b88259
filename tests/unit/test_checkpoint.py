import errno
import fcntl
import os
import subprocess
import sys
import time

import pytest
import torch

from linkbert.errors import UserError
from linkbert.pretraining.checkpoint import VERSION, Checkpoints, snapshot


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


def test_another_version_is_told_as_one(tmp_path):
    """The settings are what they were: to restore them would not help."""
    for state in ({"version": "1.2", "identity": "a"}, {"identity": "a"}):
        torch.save(state, tmp_path / "step-000000001.pt")
        with pytest.raises(UserError, match=f"another version .*this is {VERSION}.*with the software that wrote it"):
            Checkpoints(tmp_path, "a").load()


def saved(folder, *steps: int, keep: int = 2) -> Checkpoints:
    checkpoints = Checkpoints(folder, "a", keep)
    for step in steps:
        checkpoints.save(step, {"weight": torch.ones(1000)})
    checkpoints.wait()
    return checkpoints


def steps(checkpoints: Checkpoints) -> list[int]:
    return [int(file.stem[5:]) for file in checkpoints.files()]


@pytest.mark.parametrize("left", [b"", b"torn", 100, -100], ids=str)
def test_a_damaged_file_falls_back(tmp_path, left):
    checkpoints = saved(tmp_path, 1, 2)
    for file, step in zip(reversed(checkpoints.files()), (1, None), strict=True):
        file.write_bytes(file.read_bytes()[:left] if isinstance(left, int) else left)
        if step:
            assert checkpoints.load()["step"] == step
    with pytest.raises(UserError, match="none of its checkpoints"):
        checkpoints.load()
    assert steps(checkpoints) == [1, 2]


def test_what_is_damaged_never_drives_out_what_is_good(tmp_path, caplog):
    """The disk lost the newest file: training goes on before it, and must keep what it writes there."""
    saved(tmp_path, 900)
    (tmp_path / "step-000001000.pt").write_bytes(b"torn")
    checkpoints = Checkpoints(tmp_path, "a", keep=1)
    assert checkpoints.load()["step"] == 900
    assert steps(checkpoints) == [900, 1000]  # another process may be about to look for the newest
    checkpoints.save(950, {})
    checkpoints.wait()
    assert steps(checkpoints) == [950] and checkpoints.load()["step"] == 950
    assert "step-000001000.pt was damaged and is removed" in caplog.text


def test_the_step_of_a_damaged_file_is_written_anew(tmp_path):
    saved(tmp_path, 5)
    (tmp_path / "step-000000010.pt").write_bytes(b"torn")
    checkpoints = Checkpoints(tmp_path, "a")
    checkpoints.load()
    checkpoints.save(10, {})
    checkpoints.wait()
    assert steps(checkpoints) == [5, 10] and checkpoints.load()["step"] == 10


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), RuntimeError("not enough memory")])
def test_trouble_of_disk_or_memory_is_not_damage(tmp_path, monkeypatch, error):
    checkpoints = saved(tmp_path, 1, 2)

    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(torch, "load", fail)
    with pytest.raises(UserError, match=f"step-000000002.pt: this checkpoint cannot be read now .*{error.args[-1]}"):
        checkpoints.load()


def test_a_file_that_the_disk_does_not_give_is_not_damaged(tmp_path):
    """A folder in place of the file: it can be opened by no one."""
    checkpoints = saved(tmp_path, 1)
    (tmp_path / "step-000000002.pt").mkdir()
    with pytest.raises(UserError, match=r"cannot be read now .*Is a directory"):
        checkpoints.load()


def test_a_step_is_written_once(tmp_path, monkeypatch):
    written, write = [], torch.save
    monkeypatch.setattr(torch, "save", lambda state, path: written.append(state["step"]) or write(state, path))
    checkpoints = Checkpoints(tmp_path, "a")
    for step in (5, 5, 10, 10):
        checkpoints.save(step, {})
    checkpoints.wait()
    checkpoints.save(10, {})
    checkpoints.close()
    assert written == [5, 10]


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
    for _ in range(2):  # a step that could not be written is tried again
        checkpoints.save(1, {})
        with pytest.raises(UserError, match="could not be written"):
            checkpoints.wait()


def in_the_way(folder, monkeypatch) -> Checkpoints:
    """Checkpoints with a claim on their folder whose last one cannot be written."""

    def fail(state, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(torch, "save", fail)
    checkpoints = Checkpoints(folder, "a")
    checkpoints.lock()
    checkpoints.save(1, {})
    return checkpoints


def test_a_failed_write_gives_the_folder_free(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="No space left"):
        in_the_way(tmp_path, monkeypatch).close()
    Checkpoints(tmp_path, "a").lock()


def test_a_failed_write_does_not_hide_the_first_error(tmp_path, monkeypatch, caplog):
    checkpoints = in_the_way(tmp_path, monkeypatch)
    with pytest.raises(ZeroDivisionError):
        try:
            1 / 0  # noqa: B018
        finally:
            checkpoints.close()
    assert "No space left" in caplog.text
    Checkpoints(tmp_path, "a").lock()


def test_a_file_system_without_locks_is_not_another_training(tmp_path, monkeypatch, caplog):
    def flock(descriptor, operation):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    checkpoints = Checkpoints(tmp_path, "a")
    checkpoints.lock()
    checkpoints.close()
    assert caplog.text.count("knows no locks (") == 1


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot be written there"):
        Checkpoints(tmp_path / "file", "a").lock()


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
