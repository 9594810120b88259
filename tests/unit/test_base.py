"""Files, randomness, progress, errors: what every other module stands on."""

import io
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from linkbert import rng
from linkbert.errors import UserError, unknown
from linkbert.files import (
    atomic_file,
    atomic_folder,
    fingerprint,
    meta_fingerprint,
    read_json,
    read_meta,
    sha256_of,
    write_json,
    write_meta,
    write_text,
)
from linkbert.progress import Progress, count, duration


def test_atomic_file_appears_only_when_whole(tmp_path):
    target = tmp_path / "deep" / "a.txt"
    with pytest.raises(RuntimeError), atomic_file(target) as path:
        path.write_text("half")
        raise RuntimeError
    assert list(target.parent.iterdir()) == []
    with atomic_file(target) as path:
        path.write_text("whole")
        assert not target.exists()
    assert target.read_text() == "whole"
    assert [file.name for file in target.parent.iterdir()] == ["a.txt"]


def test_atomic_folder_replaces_an_older_one_and_leaves_it_on_failure(tmp_path):
    target = tmp_path / "folder"
    with atomic_folder(target) as folder:
        (folder / "old").write_text("1")
    with pytest.raises(RuntimeError), atomic_folder(target) as folder:
        (folder / "new").write_text("2")
        raise RuntimeError
    assert [file.name for file in target.iterdir()] == ["old"]
    with atomic_folder(target) as folder:
        (folder / "new").write_text("2")
    assert [file.name for file in target.iterdir()] == ["new"]
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


_FILLS_THE_DISK = """
import resource, sys
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from linkbert.errors import UserError
from linkbert.files import atomic_file, atomic_folder
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
numbers = np.random.default_rng(0).random(100_000)
for write in (
    lambda path: path.write_bytes(numbers.tobytes()),
    lambda path: np.save(path, numbers),
    lambda path: pq.write_table(pa.table({"a": numbers}), path),
):
    try:
        with atomic_folder(sys.argv[1] + "/folder") as folder, atomic_file(folder / "file.npy") as file:
            write(file)
    except UserError as error:
        print(error)
"""


def test_a_full_disk_is_told(tmp_path):
    command = [sys.executable, "-c", _FILLS_THE_DISK, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(told) == 3 and all("cannot be written" in line and "MB of it are free" in line for line in told)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(PermissionError), atomic_file(tmp_path / "file"):
        raise PermissionError(13, "of something else")


_WRITES_AND_WAITS = """
import sys
from linkbert.files import atomic_file, atomic_folder
with atomic_folder(sys.argv[1] + "/folder") as folder, atomic_file(sys.argv[1] + "/file.gz") as file:
    (folder / "part").mkdir()
    (folder / "part" / "half").write_text("half")
    file.write_text("half")
    print("ready", flush=True)
    sys.stdin.read()
"""


def _write_again(folder):
    with atomic_folder(folder / "folder") as temporary:
        (temporary / "whole").write_text("whole")
    with atomic_file(folder / "file.gz") as temporary:
        temporary.write_text("whole")


def test_what_a_killed_process_left_goes_when_the_same_is_written_again_and_nothing_else(tmp_path):
    command = [sys.executable, "-c", _WRITES_AND_WAITS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        left = sorted(file.name for file in tmp_path.iterdir())
        assert len(left) == 2 and all(name.endswith((".folder", ".file.gz")) for name in left)
        _write_again(tmp_path)
        assert sorted(file.name for file in tmp_path.iterdir()) == sorted([*left, "file.gz", "folder"])  # it lives
        process.kill()
    write_text(tmp_path / "gz", "another file")
    assert set(left) < {file.name for file in tmp_path.iterdir()}
    _write_again(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file.gz", "folder", "gz"]


def test_of_what_other_machines_write_only_what_is_a_month_old_goes(tmp_path):
    month = 31 * 24 * 3600
    for name, age in (("0", month), ("1", 0), ("2", month)):
        folder = tmp_path / f".0000000{name}-1-00000000.folder"
        (folder / "part").mkdir(parents=True)
        for path in (folder / "part", folder):
            os.utime(path, (time.time() - age,) * 2)
    written = tmp_path / ".00000002-1-00000000.folder" / "part" / "new"
    written.write_text("just now")
    os.utime(written.parent, (time.time() - month,) * 2)
    with atomic_folder(tmp_path / "folder"):
        pass
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == [".00000001-1-00000000.folder", ".00000002-1-00000000.folder", "folder"]


def test_meta_is_the_same_for_the_same_work(tmp_path):
    for name in ("one", "two"):
        write_meta(tmp_path / name, "tokens", parameters={"b": 1, "a": [1, 2]}, counts={"documents": 3})
    assert meta_fingerprint(tmp_path / "one") == meta_fingerprint(tmp_path / "two")
    assert sha256_of(tmp_path / "one/meta.json") == sha256_of(tmp_path / "two/meta.json")
    assert read_meta(tmp_path / "one", "tokens")["counts"] == {"documents": 3}


def test_unfinished_and_foreign_folders_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"no meta\.json"):
        read_meta(tmp_path)
    write_meta(tmp_path, "tokens")
    with pytest.raises(UserError, match="'tokens', but 'graph' is needed"):
        read_meta(tmp_path, "graph")


def test_json_errors_name_the_file(tmp_path):
    with pytest.raises(UserError, match=r"missing\.json: no such file"):
        read_json(tmp_path / "missing.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(UserError, match=r"broken\.json: not valid JSON"):
        read_json(tmp_path / "broken.json")
    write_json(tmp_path / "good.json", {"é": 1})
    assert read_json(tmp_path / "good.json") == {"é": 1}


def test_fingerprint_ignores_the_order_of_keys_and_sees_every_value():
    assert fingerprint({"a": 1, "b": [1, 2]}) == fingerprint(json.loads('{"b": [1, 2], "a": 1}'))
    assert fingerprint({"a": 1}) != fingerprint({"a": 2})


def test_unknown_lists_what_is_known_and_guesses():
    message = str(unknown("models.tsv", "size", "tny", ["tiny", "base"]))
    assert message == "models.tsv: unknown size 'tny'. Known: base, tiny. Did you mean 'tiny'?"


def test_counters_give_the_same_draw_whatever_is_computed_with_them():
    key = rng.key_of(0, "relation", 3)
    whole = rng.uniform(key, np.arange(1000))
    assert np.array_equal(whole[500:], rng.uniform(key, np.arange(500, 1000)))
    assert not np.array_equal(whole, rng.uniform(rng.key_of(1, "relation", 3), np.arange(1000)))


def test_counters_are_uniform():
    draws = rng.uniform(rng.key_of("test"), np.arange(200_000))
    assert draws.min() >= 0 and draws.max() < 1
    counts = np.histogram(draws, bins=20, range=(0, 1))[0]
    assert ((counts - 10_000) ** 2 / 10_000).sum() < 50  # chi-square, 19 degrees of freedom: p < 0.0002 above
    assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.01


def test_generators_are_named():
    first, again, other = (rng.generator(0, name).random(4) for name in ("a", "a", "b"))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_progress_counts_only_new_work_in_its_rate(monkeypatch):
    stream = io.StringIO()
    progress = Progress("train", total=100, unit="steps", every=0.0, stream=stream)
    progress.resume_at(50)
    progress.start -= 10.0
    progress.update(10, note="loss 2.0")
    line = stream.getvalue().splitlines()[-1]
    assert (
        line.startswith("train: 60 of 100 steps (60 %), 1 steps/s")
        and line.endswith("| loss 2.0")
        and "40 s to go" in line
    )


def test_progress_within_a_budget_of_time_says_how_much_is_left():
    stream = io.StringIO()
    progress = Progress("train", unit="steps", every=0.0, stream=stream, budget=600)
    progress.resume_at(50, seconds=200)
    progress.start -= 100.0
    progress.update(10)
    progress.start -= 400.0
    progress.close()
    first, last = stream.getvalue().splitlines()
    assert first.startswith("train: 60 steps (50 %), 0.1 steps/s, 1 min 40 s, 5 min 00 s to go")
    assert last.startswith("train: 60 steps (100 %)") and "to go" not in last


def test_numbers_as_people_write_them():
    assert [duration(seconds) for seconds in (59.6, 61, 7200)] == ["1 min 00 s", "1 min 01 s", "2 h 00 min"]
    assert [count(number) for number in (0, 999, 1e9)] == ["0", "999", "1G"]


def test_a_file_is_readable_by_others(tmp_path):
    with atomic_file(tmp_path / "a") as path:
        path.write_text("x")
    assert os.stat(tmp_path / "a").st_mode & 0o400
