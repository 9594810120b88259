"""A finished experiment without its costs: invented predictions, scored by the real code, for two tables.

Everything that tables, figures, claims and archives read is written by the functions that write it in earnest; only
the predictions and the curves of pretraining are made up. What stands before a model are folders with a ``meta.json``.
"""

import gzip
import json
import random
from pathlib import Path

from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.evidence.wanted import Wanted
from linkbert.files import fingerprint, sha256_of, write_json, write_meta
from linkbert.finetune.recipe import recipe_of
from linkbert.finetune.runs import write_run
from linkbert.metrics import score
from linkbert.planning.plan import Plan

EXAMPLES = 30
# Two tables and a shorter configuration than the demo's; the claims, figures and boards of the others are open.
SMALL = """
experiment: small
tables: {table1_mrqa: null, table2_glue: null, table4_fewshot: null, table6_drp: null, table7_blurb: null,
  table8_medqa: null, table9_mmlu: null}
finetuning: {seeds: [0, 1]}
downloads: {mirror: nowhere, checksums: nowhere/SHA256SUMS}
"""


def plan_of(folder: Path, **more) -> Plan:
    """The plan of the small experiment in a copy of the repository."""
    paths = [folder / name for name in (*CONFIGURATION, "config/demo.yaml", "small.yaml")]
    return Plan(load_configuration(paths) | more, folder)


def finish(folder: Path) -> Plan:
    """Lay the results of every job of the small experiment into a copy of the repository."""
    (folder / "small.yaml").write_text(SMALL)
    plan = plan_of(folder)
    wanted, results = Wanted(plan), folder / plan.results
    for task in {task for runs in plan.jobs.values() for run in runs.values() for task in run["tests"]}:
        _task(plan, task, results / "tasks" / task)
    for model in dict.fromkeys(model for model, _ in plan.jobs):
        _model(plan, wanted, model, results)
    for (model, batch), runs in plan.jobs.items():
        _scores(plan, model, batch, runs, results)
    return plan


def _examples(task: str) -> list[dict]:
    # The questions with distractors are those without, in longer contexts.
    source = task.removesuffix("_distractors")
    return [{"id": f"{source}-{number}", "golds": [f"word{number % 5} of the answer"]} for number in range(EXAMPLES)]


def _task(plan: Plan, task: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    for split in ("train", "dev", "test"):
        lines = [
            {**example, "question": "?", "context": "", "answers": []} if split == "test" else {"id": str(number)}
            for number, example in enumerate(_examples(task))
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"{split}.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    counts = dict.fromkeys(("train", "dev", "test"), EXAMPLES)
    row = plan.tasks[task]
    about = {"kind": row["kind"], "metric": "squad", "labels": [], "test_is_dev": row["reader"].startswith("glue_")}
    write_meta(folder, "tasks", inputs={"train": "0" * 64}, counts=counts, **about)


def _model(plan: Plan, wanted: Wanted, model: str, results: Path) -> None:
    class Named:
        pass

    names = Named()
    names.model = model
    for place, name in enumerate(reversed(wanted.lineage_folders(names).split())):
        (results / name).mkdir(parents=True, exist_ok=True)
        stage = {"hub": "download", "heldout": "instances", "models": "pretrain"}
        stage |= {"tokenizers": "tokenizer", "graphs": "graph"}
        kind = name.split("/")[0]
        inputs = {"dump.xml": f"{place:064d}"} if kind == "documents" else {}
        write_meta(results / name, stage.get(kind, kind), inputs=inputs, counts={"documents": place})
    if plan.models[model]["kind"] != "pretrained":
        return
    draw = random.Random(model)
    curve = [
        {
            **{"step": step, "loss": 9 - step / 20, "mlm_loss": 8 - step / 20 + draw.random(), "relation_loss": 1.0},
            **{"learning_rate": 1e-3 * step / 60, "tokens_per_second": 1000.0 + step, "gradient_norm": 1.0},
        }
        for step in range(10, 70, 10)
    ]
    measured = {"steps": 60, "tokens": 61440, "seconds": 42.0, "device": "cpu", "processes": 1}
    record = {"recipe": plan.pretraining(model), **measured, "versions": {"torch": "0"}, "curve": curve}
    write_json(results / "models" / model / "training.json", record | {"evaluation": []})


def _scores(plan: Plan, model: str, batch: str, runs: dict, results: Path) -> None:
    draw, entries = random.Random(f"{model} {batch}"), []
    for trained, run in runs.items():
        for settings in run["recipes"]:
            recipe = recipe_of("test", settings, "span")
            for seed in run["seeds"]:
                for task in run["tests"]:
                    entries.append(_run(results, model, trained, task, recipe, seed, draw))
    write_json(
        results / "scores" / model / f"{batch}.json",
        {"model": model, "batch": batch, "stage_version": 1, "model_meta": {}, "runs": entries},
    )


def _run(results: Path, model: str, trained: str, task: str, recipe, seed: int, draw: random.Random) -> dict:
    examples = _examples(task)
    said = {
        example["id"]: draw.choice([example["golds"][0], example["golds"][0], example["golds"][0].split()[0], "none"])
        for example in examples
    }
    scores = score("squad", examples, said)
    meta = json.loads((results / "tasks" / task / "meta.json").read_text())
    path = Path(task) / f"{fingerprint([trained, recipe.settings])}-seed{seed}.json.gz"
    about = {"seconds": 3.5, "device": "cpu", "versions": {"torch": "0"}}
    result = {
        "identity": {"test": [task, fingerprint(meta)]},
        **{"dev": scores, "test": scores, "counts": {"test": EXAMPLES}, "metric": "f1", "loss": 1.0},
        **about,
        "predictions": {"dev": {}, "test": said},
        "scores": {"dev": {}, "test": {}},
    }
    write_run(results / "runs" / model / path, result)
    entry = {key: result[key] for key in ("metric", "dev", "test", "counts", "loss")}
    return {
        **{"task": task, "train_task": trained, "seed": seed, "recipe": recipe.settings, "point": recipe.point},
        **{"scorer": "squad", "test_is_dev": meta["test_is_dev"], **entry, "run": path.as_posix()},
        **{"sha256": sha256_of(results / "runs" / model / path), **about},
    }
