"""The recipe of a pretraining run: what the JSON may say, its defaults, and what makes two runs the same."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any, NamedTuple

from linkbert.errors import UserError, unknown
from linkbert.files import fingerprint
from linkbert.pretraining.masking import Masking

# Objective -> relations told apart: DRP (paper, Section 4.2), BERT's NSP, none.
OBJECTIVES = {"mlm_drp": 3, "mlm_nsp": 2, "mlm": 0}
# Settings that change how a run is computed or watched, but not what: a checkpoint survives a change of them.
OPERATIONAL = (
    "micro_batch_tokens",
    "checkpoint_every",
    "keep",
    "evaluate_every",
    "evaluation_instances",
    "log_every",
    "compile",
    "deterministic",
)


class Kind(NamedTuple):
    """What a value may be: a test, and the same in words."""

    holds: Callable[[Any], bool]
    words: str

    def or_null(self) -> "Kind":
        return Kind(lambda value: value is None or self.holds(value), f"{self.words}, or null")


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -inf < value < inf


def _one_of(names: Iterable[str]) -> Kind:
    known = sorted(names)
    return Kind(lambda value: value in known, f"one of {', '.join(known)}")


COUNT = Kind(lambda value: _whole(value) and value >= 1, "a whole number from 1")
POSITIVE = Kind(lambda value: _number(value) and value > 0, "a number above 0")
FROM_ZERO = Kind(lambda value: _number(value) and value >= 0, "a number from 0")
BELOW_ONE = Kind(lambda value: _number(value) and 0 <= value < 1, "a number from 0 to below 1")
BETWEEN = Kind(lambda value: _number(value) and 0 < value < 1, "a number between 0 and 1")
SHARE = Kind(lambda value: _number(value) and 0 <= value <= 1, "a number from 0 to 1")
FLAG = Kind(lambda value: isinstance(value, bool), "true or false")
TWO = Kind(
    lambda value: isinstance(value, list | tuple) and len(value) == 2 and all(map(BELOW_ONE.holds, value)),
    "two numbers from 0 to below 1",
)

# Every key of a recipe, and what its value may be.
VALUES = {
    "objective": _one_of(OBJECTIVES),
    "size.num_layers": COUNT,
    "size.hidden_size": COUNT,
    "size.num_heads": COUNT,
    "size.intermediate_size": COUNT,
    "size.max_positions": COUNT,
    "size.initializer_range": POSITIVE,
    "length": COUNT,
    "steps": COUNT.or_null(),
    "max_minutes": POSITIVE.or_null(),
    "batch_size": COUNT,
    "learning_rate": POSITIVE,
    "warmup": FROM_ZERO,
    "weight_decay": FROM_ZERO,
    "betas": TWO,
    "epsilon": POSITIVE,
    "clip": POSITIVE,
    "masking.probability": BETWEEN,
    "masking.whole_word": FLAG,
    "masking.masked": SHARE,
    "masking.random": SHARE,
    "dropout": BELOW_ONE,
    "attention_dropout": BELOW_ONE,
    "seed": Kind(_whole, "a whole number"),
    "precision": _one_of(("auto", "fp32", "bf16")),
    "micro_batch_tokens": COUNT.or_null(),
    "checkpoint_every": COUNT,
    "keep": COUNT,
    "evaluate_every": COUNT.or_null(),
    "evaluation_instances": COUNT.or_null(),
    "log_every": COUNT,
    "compile": Kind(lambda value: value == "auto" or isinstance(value, bool), "true, false or 'auto'"),
    "deterministic": FLAG,
}
PARTS = ("size", "masking")  # keys whose value is an object
REQUIRED = (
    "objective",
    "size.num_layers",
    "size.hidden_size",
    "size.num_heads",
    "size.intermediate_size",
    "length",
    "steps",
    "batch_size",
    "learning_rate",
    "warmup",
)


def _flat(recipe: Any, prefix: str = "") -> dict[str, Any]:
    """The values of a recipe by their keys in `VALUES`."""
    if not isinstance(recipe, Mapping):
        raise UserError(f"recipe: {prefix.rstrip('.') or 'it'} must be an object of keys and values, not {recipe!r}.")
    flat = {}
    for key, value in recipe.items():
        flat |= _flat(value or {}, f"{key}.") if key in PARTS and not prefix else {f"{prefix}{key}": value}
    return flat


@dataclass(frozen=True)
class Recipe:
    """Everything that a pretraining run is told."""

    objective: str
    size: dict[str, Any]  # num_layers, hidden_size, num_heads, intermediate_size, max_positions?, initializer_range?
    length: int  # most tokens of a sequence
    steps: int | None  # optimizer steps; None with max_minutes
    batch_size: int  # sequences an optimizer step, over all ranks and micro-batches
    learning_rate: float  # the peak
    warmup: float  # steps, or below 1 a share of training
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    epsilon: float = 1e-6
    clip: float = 1.0
    masking: Masking = field(default_factory=Masking)
    dropout: float = 0.1
    attention_dropout: float = 0.1
    seed: int = 0
    max_minutes: float | None = None
    precision: str = "auto"
    micro_batch_tokens: int | None = None
    checkpoint_every: int = 1000
    keep: int = 2
    evaluate_every: int | None = None  # None: only at the end
    evaluation_instances: int | None = None  # None: all
    log_every: int = 10
    compile: bool | str = "auto"
    deterministic: bool = True  # on CUDA: the same bits in every run of as many processes

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> "Recipe":
        """From JSON.

        Raises:
            UserError: for an unknown or missing key, or a value outside its range; the sentence names it.
        """
        given = _flat(value)
        for key in given:
            if key not in VALUES or ("." in key and key in value):
                raise unknown("recipe", "key", key, VALUES)
        for key in REQUIRED:
            if key not in given:
                raise UserError(f"recipe: the key '{key}' is missing.")
        for key, found in given.items():
            if not VALUES[key].holds(found):
                raise UserError(f"recipe: {key} must be {VALUES[key].words}, not {found!r}.")
        parts = {"masking": Masking(**(value.get("masking") or {})), "betas": tuple(value.get("betas", cls.betas))}
        recipe = cls(**{**value, **parts})
        recipe._check()
        return recipe

    def _check(self) -> None:
        """What holds between values."""
        if (self.steps is None) == (self.max_minutes is None):
            raise UserError("recipe: give either steps or max_minutes; the other must be null or absent.")
        if self.steps is not None and self.warmup > self.steps:
            raise UserError(
                f"recipe: warmup is {self.warmup} but training has {self.steps} steps; shorten the warm-up."
            )
        if self.masking.masked + self.masking.random > 1:
            raise UserError(
                f"recipe: masking.masked ({self.masking.masked}) and masking.random ({self.masking.random}) are "
                "shares of the hidden tokens; together they must not exceed 1."
            )
        if self.size["hidden_size"] % self.size["num_heads"]:
            raise UserError(
                f"recipe: size.hidden_size {self.size['hidden_size']} is not a multiple of size.num_heads "
                f"{self.size['num_heads']}; each head takes an equal part."
            )
        positions = self.size.get("max_positions", max(self.length, 512))
        if positions < self.length:
            raise UserError(f"recipe: length {self.length} exceeds size.max_positions {positions}.")

    @property
    def relations(self) -> int:
        """Classes of the relation head; 0 without one."""
        return OBJECTIVES[self.objective]

    def compiles(self, device: str) -> bool:
        """Whether the layers are compiled on such a device, ``cpu`` or ``cuda``."""
        return self.compile is True or (self.compile == "auto" and device == "cuda")

    def to_json(self) -> dict[str, Any]:
        """Every setting, defaults included."""
        return asdict(self) | {"betas": list(self.betas)}

    def identity(self) -> str:
        """A hash of the settings that the result depends on."""
        return fingerprint({key: value for key, value in self.to_json().items() if key not in OPERATIONAL})
