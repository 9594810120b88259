"""A job: every run of a batch, each written when it is finished, and the score file that lists them."""

import gzip
import json
import logging
import platform
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from linkbert import STAGE, __version__
from linkbert.errors import UserError
from linkbert.files import atomic_file, fingerprint, read_meta, sha256_of, write_json
from linkbert.finetune.export import check_kinds, write_tuned
from linkbert.finetune.features import Features
from linkbert.finetune.loop import predict, train
from linkbert.finetune.method import Method
from linkbert.finetune.methods import METHODS
from linkbert.finetune.network import Checkpoint
from linkbert.finetune.recipe import Recipe, recipe_of
from linkbert.finetune.tasks import Example, Task, read_task
from linkbert.model.bert import compile_rows
from linkbert.progress import duration

log = logging.getLogger("linkbert.finetune")

Scorer = Callable[[str, list[Example], dict[str, Any]], dict[str, float]]
# Optimizer steps of a job from which on its kernels are compiled, on a GPU.
COMPILED_STEPS = 5000
# Files that a folder without meta.json, e.g. a model made elsewhere, is identified by.
MODEL_FILES = ("config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json", "vocab.txt")


@dataclass(frozen=True)
class Run:
    """One training, and the tasks that its model is scored on."""

    train: Task
    tests: tuple[Task, ...]
    recipe: Recipe
    seed: int

    def identity(self, test: Task, model: str) -> dict[str, Any]:
        """All that the result on a task depends on."""
        return {
            "stage_version": STAGE["finetune"],
            "model": model,
            "train": [self.train.name, self.train.fingerprint],
            "test": [test.name, test.fingerprint],
            "recipe": self.recipe.settings,
            "seed": self.seed,
        }

    def path(self, test: Task, model: str) -> Path:
        """Where the result on a task stands, relative to the folder of runs."""
        identity = {key: value for key, value in self.identity(test, model).items() if key != "seed"}
        return Path(test.name) / f"{fingerprint(identity)}-seed{self.seed}.json.gz"

    def folder(self, model: str) -> str:
        """The name of the folder where its tuned model is kept: of all that the weights depend on."""
        identity = self.identity(self.train, model)
        decides = {key: value for key, value in identity.items() if key not in ("test", "seed")}
        return f"{self.train.name}-{fingerprint(decides)}-seed{self.seed}"


def plan(runs: Mapping[str, Any], tasks: Path) -> list[Run]:
    """The runs of a job, checked, in the order in which they were given.

    Args:
        runs: train task -> ``{"tests": [task, ...], "recipes": [settings, ...], "seeds": [int, ...]}``.
        tasks: the folder of task folders.

    Raises:
        UserError: an unknown task, setting or kind; tasks that do not go together.
    """
    if not isinstance(runs, Mapping) or not runs:
        raise UserError('--runs: expected JSON like {"task": {"tests": [...], "recipes": [...], "seeds": [...]}}.')
    known: dict[str, Task] = {}

    def task(name: str) -> Task:
        return known.setdefault(name, known.get(name) or read_task(tasks, name))

    result = []
    for name, wanted in runs.items():
        where = f"runs of '{name}'"
        for key in ("recipes", "seeds"):
            if not isinstance(wanted, Mapping) or not wanted.get(key):
                raise UserError(f"{where}: '{key}' is missing or empty; at least one is needed.")
        learned = task(name)
        tests = tuple(task(test) for test in wanted.get("tests") or [name])
        for test in tests:
            if test.kind != learned.kind:
                raise UserError(
                    f"{where}: a model trained on it (kind '{learned.kind}') cannot be tested on '{test.name}' "
                    f"(kind '{test.kind}'); both must be of one kind."
                )
            if test.labels != learned.labels:
                raise UserError(
                    f"{where}: its labels ({', '.join(learned.labels)}) are not those of '{test.name}' "
                    f"({', '.join(test.labels)}); a model can only be tested on the labels that it has learned."
                )
        recipes = [recipe_of(where, settings, learned.kind) for settings in wanted["recipes"]]
        result += [Run(learned, tests, recipe, int(seed)) for recipe in recipes for seed in wanted["seeds"]]
    return result


def model_identity(folder: Path) -> tuple[str, dict[str, Any]]:
    """The identity of a model's folder and the parameters it was made with.

    A folder of this workflow says both in its ``meta.json``; any other one is known by the bytes of its files.
    """
    folder = Path(folder)
    if (folder / "meta.json").is_file():
        meta = read_meta(folder)
        return fingerprint(meta), meta.get("parameters", {})
    hashes = {name: sha256_of(folder / name) for name in MODEL_FILES if (folder / name).is_file()}
    if "config.json" not in hashes:
        raise UserError(f"{folder}: not a model; there is no config.json.")
    return fingerprint(hashes), {"files": hashes}


def read_run(path: Path, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """A finished result, or None where there is none, it is broken, or it is of other settings."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            result = json.load(file)
        if result["identity"] == identity and {"dev", "test", "predictions"} <= result.keys():
            return result
        reason = "is of other settings"
    except FileNotFoundError:
        return None
    except (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError) as error:
        reason = f"is broken ({error})"
    log.warning("%s %s: it is computed again", path, reason)
    return None


def write_run(path: Path, result: Mapping[str, Any]) -> None:
    """Write a result whole or not at all; the same result gives the same bytes."""
    text = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    with atomic_file(path) as temporary:
        # Level 6 and no time in the header; level 9 costs three times as long for one percent.
        temporary.write_bytes(gzip.compress(text.encode(), compresslevel=6, mtime=0))


def worth_compiling(runs: Sequence[Run], device: torch.device) -> bool:
    """Whether a job is long enough for the compiler's half a minute; on CPUs it gains nothing.

    Runs that are finished already count as well: a job that goes on computes as one that was never stopped.
    """
    steps = sum(run.recipe.steps(len(run.train.train)) for run in runs)
    return device.type == "cuda" and steps >= COMPILED_STEPS


@dataclass
class Tuner:
    """What the runs of a job share: weights in memory, and the features of each (task, split, length)."""

    folder: Path
    device: torch.device
    score: Scorer
    compiled: bool = False
    base: tuple[str, Mapping[str, Any]] = ("", {})  # the model's identity and parameters, for those tuned from it
    _features: dict[tuple[Any, ...], Features] = field(default_factory=dict)
    _task: str = ""

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """Read when the first run needs it: a job whose runs are all finished reads no weights."""
        checkpoint = Checkpoint(self.folder, self.device)
        words = checkpoint.tokenizer.size
        if words > checkpoint.config.vocab_size:
            raise UserError(
                f"{self.folder}: the tokenizer has {words} words, but the model has embeddings for "
                f"{checkpoint.config.vocab_size}; they do not belong together."
            )
        if self.compiled:
            compile_rows(checkpoint.encoder)
        return checkpoint

    def check(self, run: Run) -> None:
        """Refuse a recipe that the model cannot take."""
        positions = self.checkpoint.config.max_positions
        if run.recipe.length > positions:
            raise UserError(
                f"runs of '{run.train.name}': length is {run.recipe.length}, but the model {self.folder.name} has only "
                f"{positions} positions. Shorten it."
            )

    def features(self, method: Method, task: Task, split: str) -> Features:
        """The inputs of a split, made once; those of the train task before are let go."""
        key = (task.name, split, method.recipe.length, method.recipe.stride)
        if key not in self._features:
            self._features[key] = method.features(getattr(task, split), self.checkpoint.tokenizer)
        return self._features[key]

    def __call__(
        self, run: Run, tests: Sequence[Task], keep: Path | None = None
    ) -> Iterator[tuple[Task, dict[str, Any]]]:
        """Train once, keep the tuned model where asked for, and yield the result on each of `tests`."""
        if run.train.name != self._task:
            self._features.clear()
            self._task = run.train.name
        self.check(run)
        recipe, device = run.recipe, self.device
        method = METHODS[run.train.kind](run.train.labels, recipe)
        inputs = self.features(method, run.train, "train")
        start = time.monotonic()
        network = self.checkpoint.network(method, run.seed)
        loss = train(network, method, inputs, run.seed, run.train.name, device)
        seconds = time.monotonic() - start
        steps = recipe.steps(len(inputs))
        if not loss < float("inf"):
            log.warning("%s: the loss is %s, the run diverged; lower the learning rate", run.train.name, loss)
        if keep is not None:
            identity, parameters = self.base
            write_tuned(
                keep,
                network,
                method,
                self.checkpoint,
                inputs={"model": identity, "task": run.train.fingerprint},
                parameters={
                    "kind": "tuned",
                    **{"task": run.train.name, "task_kind": run.train.kind, "labels": run.train.labels},
                    **{"recipe": recipe.settings, "seed": run.seed, "base": parameters},
                },
                counts={"train": len(run.train.train), "steps": steps},
            )
        for test in tests:
            began = time.monotonic()
            result: dict[str, Any] = {"counts": {"train": len(run.train.train), "steps": steps, **inputs.counts}}
            values, scores = {}, {}
            for split in ("dev", "test"):
                examples: list[Example] = getattr(test, split)
                said = predict(network, method, self.features(method, test, split), examples, device)
                result[split] = self.score(test.metric, examples, said.values)
                result["counts"][split] = len(examples)
                cut = {**self.features(method, test, split).counts, **said.counts}
                result["counts"] |= {f"{split}_{name}": number for name, number in cut.items()}
                values[split], scores[split] = said.values, said.scores
            result["metric"] = next(iter(result["test"]))
            result["loss"] = loss if loss < float("inf") else None
            result["seconds"] = round(seconds + time.monotonic() - began, 3)
            yield test, result | {"predictions": values, "scores": scores}


def run_batch(
    name: str,
    model: Path,
    batch: str,
    runs: Mapping[str, Any],
    tasks: Path,
    run_folder: Path,
    output: Path,
    device: str = "auto",
    threads: int | None = None,
    score: Scorer | None = None,
    keep: Path | None = None,
) -> dict[str, Any]:
    """Do every run of a batch that is not finished yet, and write the score file.

    Args:
        name: the model's name, as scores and tables know it.
        model: its Hugging Face folder.
        batch: the name of the batch.
        runs: see `plan`.
        tasks: the folder of task folders.
        run_folder: where each run writes ``<task>/<hash>-seed<seed>.json.gz``.
        output: the score file.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: CPU threads; all where not given.
        score: ``(metric, examples, predictions) -> values in percent``, the main one first; `metrics.score` by default.
        keep: where each run's tuned model is written, as ``<task>-<hash>-seed<seed>/`` (`export.write_tuned`). A run
            that is finished but not kept there is trained again; its scores stay as they are.

    Returns:
        The content of the score file.
    """
    if score is None:
        from linkbert.metrics import score
    if threads:
        torch.set_num_threads(threads)
    where = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
    if where.type == "cuda" and not torch.cuda.is_available():
        raise UserError("--device cuda: there is no GPU that PyTorch can use. Use --device cpu.")
    identity, parameters = model_identity(model)
    planned, run_folder = plan(runs, tasks), Path(run_folder)
    if keep is not None:
        check_kinds(run.train.kind for run in planned)
    tuner = Tuner(Path(model), where, score, worth_compiling(planned, where), (identity, parameters))
    about = {"device": device_name(where), "versions": versions()}
    entries, start, computed, reused = [], time.monotonic(), 0, 0
    for number, run in enumerate(planned, 1):
        results = {
            test.name: read_run(run_folder / run.path(test, identity), run.identity(test, identity))
            for test in run.tests
        }
        missing = tuple(test for test in run.tests if results[test.name] is None)
        kept = None if keep is None else Path(keep) / run.folder(identity)
        wanted = None if kept is None or (kept / "meta.json").is_file() else kept
        if wanted and not missing:
            log.info("%s seed %d is finished, but not kept in %s: it is trained again", run.train.name, run.seed, keep)
        again = bool(missing or wanted)
        computed, reused = computed + again, reused + (not again)
        for test, result in tuner(run, missing, wanted) if again else ():
            result = {"identity": run.identity(test, identity), **result, **about}
            write_run(run_folder / run.path(test, identity), result)
            results[test.name] = result
        for test in run.tests:
            entry = _entry(run, test, results[test.name], run.path(test, identity), run_folder)
            entries.append(entry if kept is None else {**entry, "kept": kept.name})
        left = (time.monotonic() - start) / max(computed, 1) * (len(planned) - number)
        log.info(
            "run %d of %d: %s seed %d, %s, %s%s",
            number,
            len(planned),
            run.train.name,
            run.seed,
            ", ".join(_brief(test.name, results[test.name]) for test in run.tests),
            f"{results[run.tests[0].name]['seconds']:.1f} s" if missing else "finished before",
            f", {duration(left)} to go" if number < len(planned) else "",
        )
    scores = {
        "model": name,
        "batch": batch,
        "stage_version": STAGE["finetune"],
        "model_meta": parameters,
        "runs": entries,
    }
    write_json(output, scores)
    log.info(
        "%s: %d runs, of which %d were finished before, in %s",
        name,
        len(planned),
        reused,
        duration(time.monotonic() - start),
    )
    return scores


def _brief(task: str, result: Mapping[str, Any]) -> str:
    metric = result["metric"]
    return f"{task} {metric} dev {result['dev'][metric]:.2f} test {result['test'][metric]:.2f}"


def _entry(run: Run, test: Task, result: Mapping[str, Any], path: Path, folder: Path) -> dict[str, Any]:
    """What the score file says of one result: everything but the predictions."""
    return {
        "task": test.name,
        "train_task": run.train.name,
        "seed": run.seed,
        "recipe": run.recipe.settings,
        "point": run.recipe.point,
        "scorer": test.metric,
        "test_is_dev": bool(test.meta.get("test_is_dev")),
        **{key: result[key] for key in ("metric", "dev", "test", "counts", "loss")},
        "run": path.as_posix(),
        "sha256": sha256_of(folder / path),
        **{key: result[key] for key in ("seconds", "device", "versions")},
    }


def device_name(device: torch.device) -> str:
    """What a run was computed on."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def versions() -> dict[str, str]:
    """The versions of what decides numbers."""
    packages = {name: version(name) for name in ("torch", "tokenizers", "numpy")}
    return {"linkbert": __version__, "python": platform.python_version(), **packages}
