"""A SLURM for the tests, and a copy of the repository in which the demo has run on it from start to tables."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import Slurm, Unavailable
from workplace import Workplace, copy_repository

HERE = Path(__file__).resolve().parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def slurm(tmp_path_factory) -> Iterator[Slurm]:
    """The cluster. Where this machine cannot have one, tests are skipped, saying why; where CI is set, they fail."""
    cluster = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        cluster.start()
        yield cluster
    except Unavailable as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no SLURM: {reason}")
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def finished(slurm, tmp_path_factory) -> Workplace:
    """Where the demo has run undisturbed; no test may change it."""
    place = Workplace(copy_repository(tmp_path_factory.mktemp("finished")), slurm)
    try:
        place.run("python", "scripts/make_world.py", "--scale", "tiny", "--output", "results/demo/world")
        place.start()
        place.finish()
    finally:
        place.stop()
    return place


@pytest.fixture
def place(finished, tmp_path) -> Iterator[Workplace]:
    """A copy of it to be disturbed, in which both models and all tables are missing."""
    copy = Workplace(shutil.copytree(finished.folder, tmp_path / "place", symlinks=True), finished.slurm)
    copy.forget("linkbert-tiny", "linkbert-tiny-uniform")
    yield copy
    copy.stop()
