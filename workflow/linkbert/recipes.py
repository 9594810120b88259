"""Fine-tuning recipes: from rows of ``recipes.tsv`` to the settings of every run."""

import itertools
from collections.abc import Sequence
from typing import Any

from linkbert.errors import UserError

Row = dict[str, Any]


def choose(rows: Sequence[Row], sets: Sequence[str], size: str, suite: str, task: str) -> Row:
    """The most specific row for a task: sets in order of preference; task before suite before size before ``*``."""
    for name in sets:
        fitting = [
            row
            for row in rows
            if row["set"] == name
            and row["size"] in (size, "*")
            and row["suite"] in (suite, "*")
            and row["task"] in (task, "*")
        ]
        if fitting:
            return max(fitting, key=lambda row: (row["task"] != "*", row["suite"] != "*", row["size"] != "*"))
    raise UserError(
        f"recipes.tsv: no row of the sets {', '.join(sets)} fits size '{size}', suite '{suite}', task '{task}'. "
        "Add a row, or name another set under finetuning.recipes in the config."
    )


def recipe_points(
    rows: Sequence[Row], sets: Sequence[str], size: str, suite: str, task: str, length: int
) -> tuple[list[dict[str, Any]], list[int]]:
    """All grid points of a task's recipe, and the seeds where the recipe names its own (else an empty list)."""
    row = choose(rows, sets, size, suite, task)

    def numbers(column: str) -> list[float]:
        return [float(cell) for cell in row[column].split(",")]

    warmup: float | int = int(row["warmup"][:-1]) if row["warmup"].endswith("s") else float(row["warmup"])
    grid = itertools.product(numbers("learning_rate"), numbers("batch_size"), numbers("epochs"))
    points = [
        {
            "learning_rate": rate,
            "batch_size": int(batch),
            "epochs": int(epochs) if epochs == int(epochs) else epochs,
            "warmup": warmup,
            "length": int(row["length"] or length),
            "weight_decay": float(row["weight_decay"] or 0),
            "betas": [float(row["beta1"] or 0.9), float(row["beta2"] or 0.999)],
            "epsilon": float(row["epsilon"] or 1e-8),
        }
        for rate, batch, epochs in grid
    ]
    return points, [int(seed) for seed in row["seeds"].split(",") if seed]
