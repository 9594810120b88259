"""What a figure across tables is: declared as data (`figures` in config/report.yaml), checked here without drawing."""

from collections.abc import Mapping
from typing import Any

from linkbert.declarations import check
from linkbert.errors import UserError

NAMES = {"type": "array", "minItems": 1, "items": {"type": "string"}}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["kind", "title", "tables", "models", "tasks"],
    "properties": {
        "kind": {"enum": ["fewshot", "ablation", "robustness"], "description": "what is drawn"},
        "title": {"type": "string", "minLength": 1, "description": "the heading"},
        "caption": {"type": "string", "description": "what is to be seen"},
        "tables": {**NAMES, "description": "where cells are looked for, in this order"},
        "models": {**NAMES, "description": "the models drawn"},
        "reference": {"type": "string", "description": "ablation: the model that the others are held against"},
        "tasks": {"description": "columns; fewshot: title -> percent of the training data -> column"},
    },
}


def check_analysis(name: str, definition: Mapping[str, Any]) -> None:
    """A UserError where a figure is not declared as it must be."""
    where = f"figure {name}"
    check(where, dict(definition), SCHEMA)
    tasks = definition["tasks"]
    if (definition["kind"] == "ablation") != ("reference" in definition):
        raise UserError(f"{where}: an ablation, and nothing else, names the 'reference' model.")
    if definition["kind"] == "fewshot":
        if not isinstance(tasks, Mapping) or not all(isinstance(one, Mapping) for one in tasks.values()):
            raise UserError(f"{where}: tasks: expected title -> percent -> column, such as SQuAD: {{10: squad_10pct}}.")
    elif not isinstance(tasks, list) or (definition["kind"] == "robustness" and len(tasks) != 2):
        expected = (
            "a list of two columns, without and with distractors" if definition["kind"] == "robustness" else "a list"
        )
        raise UserError(f"{where}: tasks: expected {expected}, found {tasks!r}.")
