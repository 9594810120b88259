"""Running Snakemake as a user does, in copies of the repository: no test reads or writes the results of this one."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = ("--configfile", "config/demo.yaml", "tests/workflow/small.yaml")
Process = subprocess.CompletedProcess


@pytest.fixture(scope="session")
def tracked() -> list[Path]:
    """The files of the repository, relative to it: those under version control and new ones that are not ignored."""
    # A checkout may belong to another user than the one who tests, as in a container.
    git = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout: its own files cannot be told from others")
    return [Path(name) for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="session")
def tree(tracked, tmp_path_factory) -> Path:
    """A copy of the repository as it stood when the tests began, in which nothing is ever made: for plans."""
    folder = tmp_path_factory.mktemp("tree")
    for file in tracked:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, folder / file)
    return folder


@pytest.fixture(scope="session")
def clone(tree, tracked) -> Callable[[Path], Path]:
    """A function that makes a folder such a copy, too, for a test that makes results, and returns it."""

    def make(folder: Path) -> Path:
        for file in tracked:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(tree / file, folder / file)
        return folder

    return make


@pytest.fixture(scope="session")
def execute(tree) -> Callable[..., Process]:
    """A function that runs a command in a copy of the repository and returns the finished process.

    The tools of this interpreter come first in its path, the library is the copy's, and it computes with one thread.
    """
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def run(*command: str, folder: Path = tree) -> Process:
        own = {"PATH": tools, "PYTHONPATH": str(folder / "workflow"), "OMP_NUM_THREADS": "1"}
        environment = {**os.environ, **own}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1200)

    return run


@pytest.fixture(scope="session")
def snakemake(execute, tree) -> Callable[..., Process]:
    """A function that runs ``snakemake ARGUMENTS`` as `execute` does."""

    def run(*arguments: str, folder: Path = tree) -> Process:
        return execute("snakemake", *arguments, folder=folder)

    return run


@pytest.fixture(scope="session")
def world(execute, tmp_path_factory) -> Path:
    """The smallest generated world; a test that spoils a file of it takes a copy."""
    folder = tmp_path_factory.mktemp("mirror") / "world"
    done = execute("python", "scripts/make_world.py", "--scale", "tiny", "--output", str(folder))
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def demo(snakemake) -> Callable[..., Process]:
    """A function that runs targets of the small demo in a folder, as many jobs at a time as there are cores."""

    def run(folder: Path, *targets: str, config: str = "", dry: bool = False) -> Process:
        options = ["-n"] if dry else ["--cores", str(os.cpu_count() or 1), "--show-failed-logs"]
        options += ["--config", config] if config else []
        return snakemake(*options, *DEMO, "--", *targets, folder=folder)

    return run
