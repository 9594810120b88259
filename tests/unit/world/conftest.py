"""A small generated world, made once for all tests: none may change its files; and readers of their formats."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from linkbert.world.facts import World
from linkbert.world.generate import make_world


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    """The world's facts and the folder of its files."""
    folder = tmp_path_factory.mktemp("made") / "world"
    return make_world(folder, seed=0, scale="small"), folder


@pytest.fixture(scope="session")
def folder(made: tuple[World, Path]) -> Path:
    """The folder of its files."""
    return made[1]


@pytest.fixture(scope="session")
def members() -> Callable[[Path], dict[str, bytes]]:
    """A function that reads the files of a zip archive, by name."""

    def read(path: Path) -> dict[str, bytes]:
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    return read


@pytest.fixture(scope="session")
def rows() -> Callable[[bytes], list[list[str]]]:
    """A function that splits a table into the cells of its lines, quotation marks being letters like others."""

    def split(content: bytes) -> list[list[str]]:
        return [line.split("\t") for line in content.decode().removeprefix("\ufeff").splitlines()]

    return split
