"""Fine-tuning recipes: from rows of ``recipes.tsv`` to the settings of every run."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from linkbert.errors import UserError

Row = dict[str, Any]
ABOVE_0 = frozenset({"learning_rate", "batch_size", "epochs", "clip", "n_best", "max_answer_length", "epsilon"})
FEWEST_EPOCHS = 1e-6
SHORTEST, LENGTH = 8, 512  # tokens of an input: the fewest, and those of appendix B


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
    """All grid points of a task's recipe, and the seeds where the recipe names its own (else an empty list).

    Raises:
        UserError: no row fits, or a cell of the row is not what it must be.
    """
    return read_row("recipes.tsv", choose(rows, sets, size, suite, task), length)


def read_row(where: str, row: Row, length: int = LENGTH) -> tuple[list[dict[str, Any]], list[int]]:
    """All grid points of a row, and its seeds; inputs are `length` tokens long where the row does not say.

    Raises:
        UserError: a cell is not what it must be; it names row, column and cell.
    """
    where = f"{where} ({' '.join(row[column] for column in ('set', 'size', 'suite', 'task'))})"

    def read(column: str, reader: Callable[[str], Any], empty: Any = None) -> Any:
        cell = row.get(column, "")  # a table may leave out what its rows leave empty
        if not cell and empty is not None:
            return empty
        try:
            return reader(cell)
        except ValueError:
            raise UserError(f"{where}: {column} is '{cell}'; it must be {WANTED[reader]}.") from None

    fixed = {
        "warmup": read("warmup", _warmup),
        "length": read("length", _whole, length),
        "weight_decay": read("weight_decay", _number, 0.0),
        "betas": [read("beta1", _number, 0.9), read("beta2", _number, 0.999)],
        "epsilon": read("epsilon", _number, 1e-8),
    }
    grid = itertools.product(read("learning_rate", _numbers), read("batch_size", _wholes), read("epochs", _numbers))
    points = [
        {
            "learning_rate": rate,
            "batch_size": batch,
            "epochs": int(epochs) if epochs.is_integer() else epochs,
            **fixed,
        }
        for rate, batch, epochs in grid
    ]
    for point in points:
        check_point(where, point)
    return points, read("seeds", _wholes, [])


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _whole(text: str) -> int:
    number = _number(text)
    if number < 0 or not number.is_integer():
        raise ValueError
    return int(number)


def _warmup(text: str) -> float | int:
    if text.endswith("s"):
        return _whole(text[:-1])
    share = _number(text)
    if share >= 1:  # "1" could be meant as one step, or as all of them
        raise ValueError
    return share


def _different(values: list[Any]) -> list[Any]:
    if len(set(values)) < len(values):
        raise ValueError
    return values


def _numbers(text: str) -> list[float]:
    return _different([_number(part) for part in text.split(",")])


def _wholes(text: str) -> list[int]:
    return _different([_whole(part) for part in text.split(",")])


WANTED: dict[Callable[[str], Any], str] = {
    _number: "a number",
    _whole: "a whole number",
    _warmup: "a share of the steps, below 1, or a number of steps with an s behind it, such as 100s",
    _numbers: "a number, or several different ones with a comma between them",
    _wholes: "a whole number, or several different ones with a comma between them",
}


def check_point(where: str, point: Mapping[str, Any]) -> None:
    """Refuse settings of a recipe that are outside their ranges; those that are not given have defaults.

    Raises:
        UserError: it names the setting and its value.
    """
    for key, value in point.items():
        for number in value if key == "betas" else (value,):
            if not math.isfinite(number):
                raise UserError(f"{where}: {key} is {value}; it must be a finite number.")
            if key in ABOVE_0 and number <= 0:
                raise UserError(f"{where}: {key} is {value}; it must be above 0.")
            if number < 0:
                raise UserError(f"{where}: {key} is {value}; it must not be below 0.")
            if key == "betas" and number >= 1:
                raise UserError(f"{where}: {key} is {value}; each must be below 1.")
    epochs, warmup, length = point.get("epochs", 1), point.get("warmup", 0), point.get("length", SHORTEST)
    if epochs < FEWEST_EPOCHS:
        raise UserError(f"{where}: epochs is {epochs}; it must be at least {FEWEST_EPOCHS}, or there may be no step.")
    if warmup > 1 and not float(warmup).is_integer():
        raise UserError(f"{where}: warmup is {warmup}; it must be a share below 1, or a whole number of steps.")
    if length < SHORTEST:
        raise UserError(f"{where}: length is {length}; an input needs at least {SHORTEST} tokens.")
