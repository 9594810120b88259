"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of small invented inputs."""
    return ROOT / "tests" / "data"


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real data samples: LINKBERT_REAL, or ../shared/real beside the repository."""
    folder = Path(os.environ.get("LINKBERT_REAL", ROOT.parent / "shared" / "real"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set LINKBERT_REAL to run this test")
    return folder
