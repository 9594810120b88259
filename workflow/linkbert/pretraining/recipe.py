"""The recipe of a pretraining run: what the JSON may say, its defaults, and what makes two runs the same."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

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
        known = {one.name for one in fields(cls)}
        for key in value:
            if key not in known:
                raise unknown("recipe", "key", key, known)
        for key in ("objective", "size", "length", "steps", "batch_size", "learning_rate", "warmup"):
            if key not in value:
                raise UserError(f"recipe: the key '{key}' is missing.")
        given = dict(value)
        masking = given.get("masking") or {}
        for key in masking:
            if key not in (names := [one.name for one in fields(Masking)]):
                raise unknown("recipe", "key of masking", key, names)
        given["masking"] = Masking(**masking)
        given["betas"] = tuple(given.get("betas", cls.betas))
        recipe = cls(**given)
        recipe._check()
        return recipe

    def _check(self) -> None:
        if self.objective not in OBJECTIVES:
            raise unknown("recipe", "objective", self.objective, OBJECTIVES)
        if self.precision not in (choices := ("auto", "fp32", "bf16")):
            raise unknown("recipe", "precision", self.precision, choices)
        for key in ("num_layers", "hidden_size", "num_heads", "intermediate_size"):
            if not isinstance(self.size.get(key), int) or self.size[key] < 1:
                raise UserError(f"recipe: size.{key} must be a positive whole number, not {self.size.get(key)!r}.")
        positive = ("length", "batch_size", "learning_rate", "clip", "checkpoint_every", "keep", "log_every", "epsilon")
        optional = ("steps", "max_minutes", "micro_batch_tokens", "evaluate_every", "evaluation_instances")
        for key in positive + optional:
            number = getattr(self, key)
            if not (number is None and key in optional) and not (isinstance(number, int | float) and number > 0):
                raise UserError(f"recipe: {key} must be positive, not {number!r}.")
        if (self.steps is None) == (self.max_minutes is None):
            raise UserError("recipe: give either steps or max_minutes; the other must be null or absent.")
        if self.steps is not None and not 0 <= self.warmup <= self.steps:
            raise UserError(
                f"recipe: warmup is {self.warmup} but training has {self.steps} steps; shorten the warm-up."
            )
        masking = self.masking
        if not 0 < masking.probability < 1 or not 0 <= masking.masked + masking.random <= 1:
            raise UserError(f"recipe: masking has shares outside [0, 1]: {asdict(masking)}.")
        if not (0 <= self.dropout < 1 and 0 <= self.attention_dropout < 1):
            raise UserError("recipe: dropout and attention_dropout must lie in [0, 1).")
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
