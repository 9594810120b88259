"""What a table of the paper is: a rectangle of models and tasks, declared as data and checked here."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from linkbert.declarations import check
from linkbert.errors import UserError, unknown

# Task names, or lists of them: the mean of a list is the mean of its entries, so a list of lists is a mean of means.
Mean = tuple["str | Mean", ...]

_NAME = {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"}
_COMPARABLE = {"type": "boolean", "description": "false where our data or setting is not the paper's"}
_REASON = {"type": "string", "minLength": 1, "description": "why it is not comparable, where it is not"}
_DECIMALS = {"type": "integer", "minimum": 0, "maximum": 6, "description": "decimals to print"}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["table", "title", "rows", "columns"],
    "properties": {
        "table": {**_NAME, "description": "the name of the table"},
        "title": {"type": "string", "minLength": 1, "description": "the heading"},
        "caption": {"type": "string", "description": "one or two sentences below the heading"},
        "note": {"type": "string", "description": "what a reader must know first, e.g. that the data are a demo's"},
        "comparable": _COMPARABLE,
        "transpose": {"type": "boolean", "description": "print tasks as rows and models as columns"},
        "decimals": _DECIMALS,
        "tolerance": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "matches": {"type": "number", "minimum": 0, "description": "largest difference of a match"},
                "close": {"type": "number", "minimum": 0, "description": "largest difference that is still close"},
            },
        },
        "rows": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["model", "title"],
                "properties": {
                    "model": {**_NAME, "description": "the name of a model"},
                    "title": {"type": "string", "minLength": 1, "description": "the model as the table prints it"},
                    "group": {"type": "string", "description": "rows among which the best is set in bold"},
                    "baseline": {
                        **_NAME,
                        "description": "the row to compare with; else its group's first",
                    },
                    "external": {"type": "boolean", "description": "a system of others: published numbers only"},
                    "rule_above": {"type": "boolean", "description": "draw a rule above this row"},
                    "comparable": _COMPARABLE,
                    "reason": _REASON,
                },
            },
        },
        "columns": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["id", "title"],
                "properties": {
                    "id": {**_NAME, "description": "the name of a task, or of an average"},
                    "title": {"type": "string", "minLength": 1, "description": "the task as the table prints it"},
                    "mean": {"type": "array", "minItems": 1, "description": "the tasks of an average, lists nested"},
                    "section": {"type": "string", "description": "a heading shared by neighbouring columns"},
                    "decimals": _DECIMALS,
                    "comparable": _COMPARABLE,
                    "reason": _REASON,
                },
            },
        },
    },
}


@dataclass(frozen=True)
class Row:
    """A model. `external` systems are cited: they never hold a number of ours."""

    model: str
    title: str
    group: str = ""
    baseline: str = ""
    external: bool = False
    rule_above: bool = False
    comparable: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Column:
    """A task, or the mean of tasks where `mean` is given; a mean is comparable only if its members are too."""

    id: str
    title: str
    mean: Mean | None = None
    section: str = ""
    decimals: int = 1
    comparable: bool = True
    reason: str = ""


@dataclass(frozen=True)
class Tolerance:
    """How near is near, in points of the metric."""

    matches: float = 0.5
    close: float = 2.0


@dataclass(frozen=True)
class Table:
    """A declared table; `comparable` is false where the numbers must not be held against the paper's."""

    table: str
    title: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    caption: str = ""
    note: str = ""
    comparable: bool = True
    transpose: bool = False
    tolerance: Tolerance = Tolerance()


def members(mean: Mean) -> Iterator[str]:
    """The task names inside a (nested) mean, in order.

    >>> list(members((("bc5_chem", "bc2gm"), ("hoc",))))
    ['bc5_chem', 'bc2gm', 'hoc']
    """
    for entry in mean:
        if isinstance(entry, str):
            yield entry
        else:
            yield from members(entry)


def read_definition(value: Any) -> Table:
    """The table that a JSON value declares; a UserError names the key that is wrong."""
    name = value.get("table", "?") if isinstance(value, dict) else "?"
    where = f"table {name}"
    check(where, value, SCHEMA)
    fields = dict(value)
    decimals = fields.pop("decimals", 1)
    columns = tuple(
        Column(**{"decimals": decimals, **column, "mean": _mean(where, column)}) for column in fields.pop("columns")
    )
    # Which tasks are run is the workflow's business; a table shows what there is.
    rows = tuple(Row(**{key: row[key] for key in row if key != "tasks"}) for row in fields.pop("rows"))
    tolerance = Tolerance(**fields.pop("tolerance", {}))
    if tolerance.close < tolerance.matches:
        raise UserError(
            f"{where}: tolerance: 'close' ({tolerance.close}) is narrower than 'matches' ({tolerance.matches})."
        )
    _unique(where, "row", [row.model for row in rows])
    _unique(where, "column", [column.id for column in columns])
    own = [row.model for row in rows if not row.external]
    for row in rows:
        if row.baseline and row.baseline not in own:
            raise unknown(f"{where}: row {row.model}", "baseline", row.baseline, own)
    averages = {column.id for column in columns if column.mean}
    for column in columns:
        nested = averages & set(members(column.mean or ()))
        if nested:
            raise UserError(
                f"{where}: column {column.id}: the mean holds '{min(nested)}', itself a mean; name its tasks."
            )
    return Table(**fields, rows=rows, columns=columns, tolerance=tolerance)


def _mean(where: str, column: dict[str, Any]) -> Mean | None:
    def freeze(entry: Any) -> "str | Mean":
        if isinstance(entry, str):
            return entry
        if isinstance(entry, list) and entry:
            return tuple(freeze(part) for part in entry)
        raise UserError(f"{where}: column {column['id']}: mean: {entry!r} is neither a task nor a list of tasks.")

    if "mean" not in column:
        return None
    mean = tuple(freeze(entry) for entry in column["mean"])
    _unique(f"{where}: column {column['id']}", "member", list(members(mean)))
    return mean


def _unique(where: str, what: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"{where}: the {what} '{twice[0]}' is declared twice; remove one.")
