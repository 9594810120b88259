"""What a row of ``tasks.tsv`` says of a task, held against its reader and its metric before anything is read."""

from collections.abc import Iterable, Mapping
from typing import Any

from linkbert.errors import UserError, unknown
from linkbert.metrics import check_metric
from linkbert.tasks.base import load_reader

# Options that every reader has.
OPTIONS = frozenset({"divide", "distractors", "fraction", "limit", "expected"})


def check_declaration(
    where: str, reader: str, roles: Iterable[str], options: Mapping[str, Any], kind: str = "", metric: str = ""
) -> None:
    """Raise a UserError that names an unknown reader, role or option, and a kind or a metric that does not fit.

    What only the files can tell is left to `prepare`: the labels of most sets, the kind of some.
    """
    known = load_reader(reader, where)
    for role in roles:
        if role not in known.roles:
            raise unknown(f"{where}: reader {reader}", "file role", role, known.roles)
    for option in options:
        if option not in known.options | OPTIONS:
            raise unknown(f"{where}: reader {reader}", "option", option, known.options | OPTIONS)
    if kind and "kind" in known.options and options.get("kind") != kind:
        raise UserError(
            f"{where}: the reader {reader} is told the kind of its data by an option, which must be the row's: "
            f'{{"kind": "{kind}"}}. Found: {options.get("kind", "none")}.'
        )
    require_kind(where, reader, kind, known.kind)
    if kind and metric:
        own = options.get("labels") if "labels" in known.options else known.labels
        check_metric(where, metric, kind, tuple(map(str, own or ())))


def require_kind(where: str, reader: str, declared: str, read: str) -> None:
    """Raise a UserError where a reader gives another kind of examples than is declared; empty is not known."""
    if declared and read and declared != read:
        raise UserError(f"{where}: the kind is declared as '{declared}', but the reader {reader} reads '{read}'.")
