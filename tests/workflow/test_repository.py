"""What is under version control: small, and of no particular machine."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LARGEST = 300_000
LINES = {"rules/*.smk": 260, "scripts/*.py": 90, "workflow/linkbert/**/*.py": 450, "tests/**/*.py": 800}
# Home folders of the usual systems, and the folders that these tests happen to run in.
HOME = r"/(?:home|Users)/(?!user\b|you\b)[a-z][\w.-]*/|[A-Z]:\\Users\\"


def here() -> str:
    """A pattern for the paths of this checkout and interpreter, save those of one part: /app fits too much."""
    paths = {str(ROOT), str(Path.home()), sys.prefix}
    own = [rf"{re.escape(path)}(?![\w-])" for path in paths if len(Path(path).parts) > 2]
    return "|".join([HOME, *own])


def test_files_are_small(tracked):
    assert len(tracked) > 200
    for path in tracked:
        assert (ROOT / path).stat().st_size <= LARGEST, f"{path} is larger than {LARGEST:,} bytes"


@pytest.mark.parametrize("pattern", LINES)
def test_files_are_short(tracked, pattern):
    chosen = [path for path in tracked if path in {found.relative_to(ROOT) for found in ROOT.glob(pattern)}]
    assert chosen
    for path in chosen:
        lines = len((ROOT / path).read_text(encoding="utf-8").splitlines())
        assert lines <= LINES[pattern], f"{path} has {lines} lines; split it by meaning"


def test_no_file_names_a_folder_of_a_developers_machine(tracked):
    for path in tracked:
        found = re.search(here(), (ROOT / path).read_bytes().decode(errors="ignore"))
        assert not found, f"{path}: {found.group()}"


def test_the_pattern_finds_such_folders():
    for folder in ("home", "Users"):
        assert re.search(here(), f"see /{folder}/anna/linkbert/x.py")
    assert re.search(here(), "see C:" + r"\Users\anna")
    assert len(ROOT.parts) < 3 or re.search(here(), f"see {ROOT}/scripts")
    assert not re.search(here(), "results/home/x, /homes, https://example.org/users/anna/, /home/user/x")


def test_results_and_tools_leavings_are_not_tracked(tracked):
    assert {path for path in tracked if path.parts[0] == "results"} == {
        Path("results/README.md"),
        Path("results/.gitignore"),
    }
    for path in tracked:
        assert len(path.parts) == 1 or not path.parts[0].startswith(".") or path.parts[0] in (".ci", ".github"), path
        assert path.suffix not in (".pyc", ".log", ".npy", ".safetensors"), path
