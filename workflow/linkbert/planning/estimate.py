"""What targets will cost, before anything starts: runs, jobs, tokens, device hours, from the declarations alone.

Examples are counted from prepared tasks where they exist, else from the published counts of ``tasks.tsv``, else from
``config/task_sizes.tsv``, which also has the mean lengths. Time is arithmetic over a sustained throughput, but an
optimizer step is never faster than `Machine.step_seconds`: small models are bound by launching kernels. Where a machine
was calibrated (`linkbert.planning.calibration`), both are what it showed at that size of model.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from linkbert.declarations import Row, options_of, read_table
from linkbert.files import read_meta
from linkbert.finetune.recipe import Recipe, recipe_of
from linkbert.model.config import ModelConfig
from linkbert.planning.calibration import Calibration
from linkbert.planning.needs import Needs, needs
from linkbert.planning.plan import Plan
from linkbert.planning.volumes import Volume, volumes
from linkbert.pretraining.flops import encoder_flops, recipe_tokens, training_flops
from linkbert.tasks.base import SPLITS

SIZES = "config/task_sizes.tsv"


@dataclass(frozen=True)
class Machine:
    """One device: FLOP/s that a training sustains, and the least time of an optimizer step in seconds.

    The defaults are assumptions, not measurements: a third of an A100's dense bf16 peak, a tenth of an H100's.
    """

    throughput: float = 100e12
    step_seconds: float = 0.015
    calibration: Calibration | None = None

    def sustained(self, stage: str, size: str) -> float:
        """FLOP/s of a stage (pretrain, finetune) at a size of model: as calibrated, else as assumed."""
        known = self.calibration.throughput if self.calibration else {}
        return known.get((stage, size), self.throughput)

    def step(self, size: str) -> float:
        """The least seconds of an optimizer step."""
        known = self.calibration.step_seconds if self.calibration else {}
        return known.get(size, self.step_seconds)


@dataclass(frozen=True)
class Cost:
    """Work that adds up; `seconds` are those of one device."""

    jobs: int = 0
    runs: int = 0
    training_tokens: float = 0.0
    evaluation_tokens: float = 0.0
    flops: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def hours(self) -> float:
        """Hours of one device."""
        return self.seconds / 3600


@dataclass
class Estimate:
    """The cost of some targets: fine-tuning by (model, suite), pretraining by model, and what of it is left to do.

    A job that spans suites counts in each of them; `jobs` counts it once.
    """

    machine: Machine
    needs: Needs
    volumes: dict[str, Volume]  # by stage, of what is left to do
    fine_tuning: dict[tuple[str, str], Cost] = field(default_factory=dict)
    pretraining: dict[str, Cost] = field(default_factory=dict)
    jobs: int = 0
    left: Cost = field(default_factory=Cost)  # fine-tuning without a score file
    left_pretraining: Cost = field(default_factory=Cost)  # models that are not there
    uncounted: list[str] = field(default_factory=list)  # tasks of which no number of examples is known

    @property
    def total(self) -> Cost:
        """All fine-tuning."""
        total = sum(self.fine_tuning.values(), Cost())
        return Cost(self.jobs, *(getattr(total, one.name) for one in fields(Cost)[1:]))

    @property
    def total_pretraining(self) -> Cost:
        """All pretraining."""
        return sum(self.pretraining.values(), Cost())


@dataclass(frozen=True)
class TaskSize:
    """Examples by split, and the mean word pieces of an input's two texts; `inputs` is the number of choices."""

    examples: Mapping[str, float]
    first: float
    second: float
    inputs: int = 1

    def units(self, kind: str, recipe: Recipe) -> tuple[float, float, float]:
        """(units of batches, tokens, mean tokens of an input) of one example, special tokens included."""
        if kind != "span":
            tokens = min(recipe.length, self.first + self.second + (3 if self.second else 2))
            return 1, tokens * self.inputs, tokens
        # Windows of equal overlap, as finetune.spans cuts them, over the mean lengths.
        room = max(recipe.length - 3 - self.first, recipe.length / 4)
        step = room - recipe.stride if room > recipe.stride else room / 2
        windows = 1 + max(0.0, -((room - self.second) // step)) if self.second > room else 1.0
        tokens = windows * (self.first + 3) + self.second + (windows - 1) * (room - step)
        return windows, tokens, tokens / windows


def estimate(plan: Plan, targets: Sequence[str] = (), machine: Machine = Machine()) -> Estimate:
    """The cost of some targets (`linkbert.planning.needs`), or of everything.

    Raises:
        UserError: for a target that is not known.
    """
    needed = needs(plan, targets)
    sizes = Sizes(plan)
    result = Estimate(machine, needed, volumes(needed))
    for (model, batch), runs in plan.jobs.items():
        path = f"{plan.results}/scores/{model}/{batch}.json"
        if f"scores/{model}/{batch}.json" not in needed.found["scores"]:
            continue
        result.jobs += 1
        job = Cost()
        for suite in dict.fromkeys(plan.tasks[task]["suite"] for task in runs):
            own = {task: run for task, run in runs.items() if plan.tasks[task]["suite"] == suite}
            cost = sum(
                (_fine_tuning(plan, model, task, run, sizes, machine) for task, run in own.items()), Cost(jobs=1)
            )
            result.fine_tuning[model, suite] = result.fine_tuning.get((model, suite), Cost()) + cost
            job += cost
        if not (plan.root / path).exists():
            result.left += Cost(1, *(getattr(job, one.name) for one in fields(Cost)[1:]))
    for name in needed["models"]:
        model = name.split("/")[1]
        if plan.models[model]["kind"] == "pretrained":
            cost = result.pretraining[model] = _pretraining(plan, model, machine)
            if not (plan.root / plan.results / "models" / model / "meta.json").exists():
                result.left_pretraining += cost
    result.uncounted = sizes.uncounted
    return result


class Sizes:
    """How many examples the tasks of an experiment have, and how long they are."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.rows: dict[str, Row] = {row["task"]: row for _, row in read_table(plan.root / SIZES)}
        self.uncounted: list[str] = []
        self._known: dict[str, TaskSize] = {}

    def __getitem__(self, task: str) -> TaskSize:
        if task not in self._known:
            self._known[task] = self._size(task)
        return self._known[task]

    def _size(self, task: str) -> TaskSize:
        row, options = self.plan.tasks[task], options_of(self.plan.tasks[task])
        data = self.plan.data_of(task)
        same = [name for name in self.plan.tasks if self.plan.data_of(name) == data and name != task]
        known = [name for name in (task, *same) if name in self.rows]
        lengths = self.rows[known[0] if known else row["kind"]]
        first, second = float(lengths["first"]), float(lengths["second"])
        number = options.get("distractors")
        if number:
            second *= 1 + sum(number) / len(number)
        examples = self._prepared(task) or self._declared([task, *same], known, options)
        if not examples:
            self.uncounted.append(task)
        elif row["reader"].startswith("glue_"):
            examples.setdefault("test", examples.get("dev", 0))
        return TaskSize(examples, first, second, int(lengths["inputs"] or 1))

    def _prepared(self, task: str) -> dict[str, float]:
        folder = self.plan.root / self.plan.results / "tasks" / task
        if not (folder / "meta.json").exists():
            return {}
        counts = read_meta(folder, "tasks")["counts"]
        return {split: counts[split] for split in SPLITS}

    def _declared(self, tasks: Iterable[str], rows: Iterable[str], options: Mapping[str, Any]) -> dict[str, float]:
        examples: dict[str, float] = {}
        for name in tasks:
            published = options_of(self.plan.tasks[name]).get("expected", {})
            for split in SPLITS:
                if split in published:
                    examples.setdefault(split, published[split])
        for name in rows:
            for split in SPLITS:
                if self.rows[name][split]:
                    examples.setdefault(split, float(self.rows[name][split]))
        if "train" in examples:
            examples["train"] = max(1, round(examples["train"] * options.get("fraction", 1)))
        for split, most in options.get("limit", {}).items():
            if split in examples:
                examples[split] = min(examples[split], most)
        return examples


def _shape(plan: Plan, model: str) -> ModelConfig:
    row = plan.models[model]
    return ModelConfig(int(plan.tokenizers[row["tokenizer"]]["vocab_size"]), **plan.config["sizes"][row["size"]])


def _fine_tuning(plan: Plan, model: str, task: str, run: Mapping[str, Any], sizes: Sizes, machine: Machine) -> Cost:
    """All recipe points and seeds of one model on one task, its tests included. Heads are left out: they are small."""
    kind, shape, size = plan.tasks[task]["kind"], _shape(plan, model), plan.models[model]["size"]
    throughput = machine.sustained("finetune", size)
    total = Cost()
    for settings in run["recipes"]:
        recipe = recipe_of(f"runs of '{task}'", settings, kind)
        units, tokens, length = sizes[task].units(kind, recipe)
        train = sizes[task].examples.get("train", 0)
        steps = recipe.steps(round(train * units)) if train else 0
        training_tokens = recipe.epochs * train * tokens
        flops = training_tokens * training_flops(shape, length, probability=0)
        seconds = max(flops / throughput, steps * machine.step(size))
        evaluation_tokens = 0.0
        for test in run["tests"]:
            _, tokens, length = sizes[test].units(kind, recipe)
            said = tokens * sum(sizes[test].examples.get(split, 0) for split in ("dev", "test"))
            evaluation_tokens += said
            flops += said * encoder_flops(shape, length)
            seconds += said * encoder_flops(shape, length) / throughput
        seeds = len(run["seeds"])
        numbers = (number * seeds for number in (training_tokens, evaluation_tokens, flops, seconds))
        total += Cost(0, seeds, *numbers)
    return total


def _pretraining(plan: Plan, model: str, machine: Machine) -> Cost:
    """One pretraining with full sequences; one with a budget of minutes takes them, on all of its devices."""
    recipe, shape, size = plan.pretraining(model), _shape(plan, model), plan.models[model]["size"]
    throughput = machine.sustained("pretrain", size)
    probability = recipe.get("masking", {}).get("probability", 0.15)
    of_token = training_flops(shape, recipe["length"], probability)
    if recipe.get("max_minutes"):
        devices = max(1, plan.config["hardware"]["pretrain"][plan.models[model]["size"]]["gpus"])
        seconds = 60.0 * recipe["max_minutes"] * devices
        return Cost(1, 1, seconds * throughput / of_token, 0.0, seconds * throughput, seconds)
    tokens = recipe_tokens(recipe["steps"], recipe["batch_size"], recipe["length"])
    seconds = max(tokens * of_token / throughput, recipe["steps"] * machine.step(size))
    return Cost(1, 1, tokens, 0.0, tokens * of_token, seconds)
