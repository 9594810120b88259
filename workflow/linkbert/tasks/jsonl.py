"""A user's own data: JSON Lines in the fields of ``docs/design.md``, plain or gzipped, one row of ``tasks.tsv``.

Options: ``kind`` (required), ``labels`` (else those that occur), ``columns`` to rename. One file in the role ``data``
is divided by the option ``divide``: ``{"divide": {"data": {"train": 0.8, "dev": 0.1, "test": 0.1}}}``.
"""

import json

from linkbert.errors import UserError
from linkbert.tasks.base import SPLITS, Dataset, Example, Source
from linkbert.tasks.records import FIELDS, example_maker, labels_of

ROLES = frozenset({*SPLITS, "data"})
OPTIONS = frozenset({"kind", "labels", "columns"})


def read(source: Source) -> Dataset:
    """Read the files of train, dev and test, or of data."""
    if "kind" not in source.options:
        raise UserError(f"{source.task}: the reader jsonl needs the option kind. Known: {', '.join(sorted(FIELDS))}.")
    kind = source.options["kind"]
    make = example_maker(source.task, kind, source.options.get("columns", {}), source.options.get("labels", ()))
    splits: dict[str, list[Example]] = {}
    for role in source.files:
        splits[role] = []
        for number, line in enumerate(source.lines(role, f"{role}.jsonl")):
            if not line.strip():
                continue
            try:
                splits[role].append(make(json.loads(line), f"{role}-{number}"))
            except (json.JSONDecodeError, KeyError, TypeError, ValueError, IndexError, AttributeError):
                source.drop(role, "broken_row", where=f"line {number + 1}")
    return Dataset(kind, splits, list(source.options.get("labels") or labels_of(kind, splits)))
