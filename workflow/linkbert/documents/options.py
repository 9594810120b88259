"""Options of a format: a frozen dataclass from a JSON object, every key and type checked."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from linkbert.errors import UserError, unknown

T = TypeVar("T")

_NAMES = {
    bool: "true or false",
    int: "a whole number, 0 or more",
    str: "a text",
    tuple: "a list of texts",
    dict: "an object",
}


def parse(kind: type[T], given: Mapping[str, Any], where: str) -> T:
    """An instance of the dataclass `kind` with the given values; a UserError for a key or a type it does not know."""
    if not isinstance(given, Mapping):
        raise UserError(f"{where}: options must be a JSON object, such as {{}}; found {given!r}.")
    defaults = kind()
    known = {item.name: getattr(defaults, item.name) for item in fields(kind)}
    values = {}
    for name, value in given.items():
        if name not in known:
            raise unknown(where, "option", name, known)
        wanted = type(known[name])
        if not _fits(value, wanted):
            raise UserError(f"{where}: option '{name}' is {value!r}, but it must be {_NAMES[wanted]}.")
        values[name] = tuple(value) if wanted is tuple else value
    return kind(**values)


def _fits(value: Any, wanted: type) -> bool:
    if wanted is tuple:
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return isinstance(value, wanted)
