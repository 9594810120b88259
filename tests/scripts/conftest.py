"""Scripts as modules, called in this process: a process each would cost seconds."""

import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "scripts"


def load(name: str) -> ModuleType:
    """The module of a script, under a name that no package has."""
    spec = spec_from_file_location(f"script_{name}", FOLDER / f"{name}.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up here
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def main() -> Callable[[str], Callable[[list[str]], int | None]]:
    """A function from the name of a script to its ``main``."""
    loaded: dict[str, ModuleType] = {}
    return lambda name: loaded.setdefault(name, loaded.get(name) or load(name)).main
