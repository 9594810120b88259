"""The paper's numbers: `config/published.tsv`."""

import math
from dataclasses import dataclass
from pathlib import Path

from linkbert.declarations import read_table
from linkbert.errors import UserError

COLUMNS = ("table", "model", "task", "metric", "value", "source")


@dataclass(frozen=True)
class Published:
    """A number as the paper prints it; `text` keeps its decimals."""

    metric: str
    value: float
    text: str
    source: str


# (table, model, task or average) -> number
PublishedNumbers = dict[tuple[str, str, str], Published]


def read_published(path: Path) -> PublishedNumbers:
    """All published numbers, in percent; a UserError names the line that is wrong."""
    numbers: PublishedNumbers = {}
    for line, row in read_table(path):
        where = f"{path}, line {line}"
        if tuple(row) != COLUMNS:
            raise UserError(f"{path}: the columns are {', '.join(row)}; they must be {', '.join(COLUMNS)}.")
        empty = [column for column, cell in row.items() if not cell]
        if empty:
            raise UserError(f"{where}: '{empty[0]}' is empty. Leave the line out where the paper has no number.")
        try:
            value = float(row["value"])
        except ValueError:
            value = math.nan
        if not -100 <= value <= 100:
            raise UserError(f"{where}: value '{row['value']}' is not a percentage.")
        key = (row["table"], row["model"], row["task"])
        if key in numbers:
            raise UserError(f"{where}: {' / '.join(key)} is given twice; remove one.")
        numbers[key] = Published(row["metric"], value, row["value"], row["source"])
    return numbers
