"""A point of a recipe: what one run is trained with."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from linkbert.errors import UserError, unknown
from linkbert.files import fingerprint
from linkbert.recipes import LENGTH, check_point

# Section 5 and appendix B of the paper: 384 for extractive QA; 512 otherwise, where the recipe does not say.
LENGTHS = {"span": 384}


@dataclass(frozen=True)
class Recipe:
    """The settings of one run; what is left out has the default of the Hugging Face Trainer, as the authors had."""

    learning_rate: float
    batch_size: int  # examples of one optimizer step; windows for spans, questions for choices
    epochs: float  # passes over the training data
    length: int  # longest input in tokens, special tokens included
    warmup: float = 0  # below 1 a share of all steps, from 1 on a number of steps: 1 is one step
    weight_decay: float = 0.0  # of matrices; biases and layer norms never decay
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = 1e-8
    clip: float = 1.0  # largest norm of the gradient
    stride: int = 128  # span: tokens that two neighbouring windows share
    n_best: int = 20  # span: starts and ends that are paired
    max_answer_length: int = 30  # span: tokens

    @property
    def settings(self) -> dict[str, Any]:
        """All settings as JSON values."""
        return {**asdict(self), "betas": list(self.betas)}

    @property
    def point(self) -> str:
        """The fingerprint of all settings."""
        return fingerprint(self.settings)

    def warmup_steps(self, steps: int) -> int:
        """Optimizer steps of warm-up in a run of `steps`."""
        return int(self.warmup) if self.warmup >= 1 else math.ceil(self.warmup * steps)

    def steps(self, units: int) -> int:
        """Optimizer steps of a run over so many units an epoch; the last batch of an epoch may be smaller."""
        return math.ceil(self.epochs * math.ceil(units / self.batch_size) - 1e-9)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of a step, counted from 0: linear up to the peak, then linear down to 0."""
        warmup = self.warmup_steps(steps)
        if step < warmup:
            return self.learning_rate * step / warmup
        return self.learning_rate * max(0.0, (steps - step) / max(1, steps - warmup))


def recipe_of(where: str, settings: Mapping[str, Any], kind: str) -> Recipe:
    """A checked recipe for a task of `kind`.

    Raises:
        UserError: a key is unknown or missing, or a value outside its range.
    """
    known = {field.name for field in fields(Recipe)}
    for key in settings:
        if key not in known:
            raise unknown(where, "setting of a recipe", key, known)
    values = {
        "length": LENGTHS.get(kind, LENGTH),
        **{key: value for key, value in settings.items() if value is not None},
    }
    for key in ("learning_rate", "batch_size", "epochs"):
        if key not in values:
            raise UserError(
                f"{where}: the recipe does not say '{key}'. It says: {', '.join(sorted(settings)) or 'nothing'}."
            )
    # Short inputs (the demo's) could not hold an overlap of 128 tokens: a third keeps windows moving.
    values.setdefault("stride", min(128, int(values["length"]) // 3))
    whole = ("batch_size", "length", "stride", "n_best", "max_answer_length")
    try:
        for key, value in values.items():
            if key == "betas":
                values[key] = (float(value[0]), float(value[1]))
            elif key in whole:
                if int(value) != float(value):
                    raise UserError(f"{where}: {key} is {value!r}; it must be a whole number.")
                values[key] = int(value)
            else:
                values[key] = float(value)
    except (TypeError, ValueError, IndexError):
        raise UserError(
            f"{where}: {key} is {value!r}; it must be {'two numbers' if key == 'betas' else 'a number'}."
        ) from None
    check_point(where, values)
    return Recipe(**values)
