"""What all readers share: the source they read from, the data set they return, and the table of readers."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from linkbert.errors import UserError, unknown
from linkbert.files import read_json
from linkbert.rng import generator
from linkbert.tasks.members import decode, find_member, is_archive, lines_of, lines_of_member, open_member, read_bytes

Example = dict[str, Any]
SPLITS = ("train", "dev", "test")

# The main metric of a kind, where neither the declaration nor the reader names another.
METRIC = {
    "span": "squad",
    "classification": "accuracy",
    "multilabel": "multilabel_f1",
    "regression": "pearson",
    "tagging": "entity_f1",
    "choice": "accuracy",
}

GLUE_TASKS = ("cola", "sst2", "mrpc", "qqp", "stsb", "mnli", "qnli", "rte")

# The reader of a format -> its module in this package.
READERS = {
    **{f"glue_{task}": "glue" for task in GLUE_TASKS},
    **{
        name: name
        for name in (
            *("mrqa", "squad", "ner", "ebm_nlp", "chemprot", "ddi", "gad", "biosses", "hoc"),
            *("pubmedqa", "bioasq", "medqa", "mmlu", "jsonl", "hub", "authors"),
        )
    },
}


@dataclass
class Dataset:
    """One data set: its kind, its examples by split, and what `meta.json` should say beyond counts.

    An example may carry a key ``unit``: the document, context or article it comes from. Divisions keep units whole;
    the key is not written out. `test_is_dev` says that test and dev are the same examples by declaration, as where test
    labels are hidden. `about` goes into ``meta.json`` as it is.
    """

    kind: str
    splits: dict[str, list[Example]]
    labels: list[str] = field(default_factory=list)
    metric: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    test_is_dev: bool = False


@dataclass
class Source:
    """What a reader works from (files by role, options, seed), and where it counts what it could not use."""

    task: str
    reader: str
    files: Mapping[str, Path]
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    warnings: list[str] = field(default_factory=list)
    _first: dict[str, str] = field(default_factory=dict)
    _used: set[str] = field(default_factory=set)

    def drop(self, split: str, reason: str, number: int = 1, where: str = "") -> None:
        """Count examples (or answer spans) of a split that cannot be used, by reason; remember where the first is."""
        if number:
            self.dropped[f"{split}.{reason}"] += number
            # The place of a broken row may be as broken as the row.
            self._first.setdefault(f"{split}.{reason}", where.encode(errors="replace").decode())

    def losses(self) -> list[str]:
        """A sentence for each reason by which something was dropped."""
        firsts = {name: f", the first is {where}" if where else "" for name, where in self._first.items()}
        return [f"{name}: {number} left out{firsts[name]}" for name, number in sorted(self.dropped.items())]

    def warn(self, sentence: str) -> None:
        """Note something that a reader of the scores should know; it stands in ``meta.json`` and in the log."""
        self.warnings.append(sentence)

    def path(self, role: str) -> Path:
        """The file of a role; a UserError names the roles that were given."""
        if role not in self.files:
            given = ", ".join(f"{name}={path.name}" for name, path in self.files.items()) or "none"
            raise UserError(f"{self.task}: the reader '{self.reader}' needs a file '{role}'. Given: {given}.")
        self._used.add(role)
        return self.files[role]

    def path_or_archive(self, role: str) -> Path:
        """The file of a role, or else the archive that holds it."""
        return self.path(role if role in self.files else "archive")

    def unused(self) -> list[str]:
        """The roles whose files nothing has asked for."""
        return [role for role in self.files if role not in self._used]

    def has(self, *roles: str) -> bool:
        """Whether any of the roles has a file."""
        return any(role in self.files for role in roles)

    def holds(self, role: str, *members: str) -> bool:
        """Whether `lines` would find something: a file of the role, or such a member of ``archive``."""
        return role in self.files or (
            "archive" in self.files and find_member(self.files["archive"], *members) is not None
        )

    def lines(self, role: str, *members: str) -> Iterator[str]:
        """The lines of the file of `role`, or else of the member of ``archive`` that one of `members` names.

        The file of a role may be an archive itself.
        """
        path = self.path_or_archive(role)
        if role in self.files and not is_archive(path):
            return lines_of(path)
        return lines_of_member(path, *members)

    def json(self, role: str, *members: str) -> Any:
        """The JSON value of the file of `role`, or else of a member of ``archive``; see `lines`."""
        path = self.path_or_archive(role)
        if is_archive(path):
            text, where = open_member(path, *members).getvalue(), path / members[0]
        else:
            text, where = decode(read_bytes(path), path), path
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise UserError(f"{where}: not valid JSON ({error}).") from None

    def divide(
        self,
        part: str,
        examples: Sequence[Example],
        sizes: Mapping[str, float],
        units: Sequence[Hashable] | None = None,
        among: Iterable[Hashable] = (),
    ) -> dict[str, list[Example]]:
        """Examples of a part of the publisher's data by split: by its index file, or else by seed; units stay whole.

        The file of the role ``split`` is JSON, ``{"train": [unit, ...], "dev": [...], "test": [...]}``; examples whose
        unit it does not list are left out and counted. Without it the units are drawn in the proportions of `sizes`,
        exactly so where `sizes` sum to their number; the draw depends on the seed, the reader and the set of units.

        `units` are those of the examples, in order, by default what they carry; `among` adds units without examples.
        """
        of_example = [str(unit) for unit in ([e["unit"] for e in examples] if units is None else units)]
        names = sorted({*of_example, *map(str, among)})
        if self.has("split"):
            split_of = self._listed(names, sizes)
        else:
            split_of = drawn(names, sizes, generator(self.seed, "split", self.reader))
        divided: dict[str, list[Example]] = {name: [] for name in sizes}
        for example, unit in zip(examples, of_example, strict=True):
            if unit in split_of:
                divided[split_of[unit]].append(example)
            else:
                self.drop(part, "not_in_index_file", where=f"example {example['id']}")
        return divided

    def _listed(self, units: Sequence[str], splits: Collection[str]) -> dict[str, str]:
        """The split of each unit that the index file lists; what is to be divided may be listed in `splits` alone."""
        path = self.path("split")
        index = read_json(path)
        if not isinstance(index, dict) or not all(isinstance(ids, list) for ids in index.values()):
            raise UserError(f'{path}: expected JSON like {{"dev": [...], "test": [...]}}.')
        for name in index:
            if name not in SPLITS:
                raise unknown(str(path), "split", name, SPLITS)
        listed = {str(unit): name for name, ids in index.items() for unit in ids}
        if len(listed) != sum(map(len, index.values())):
            raise UserError(f"{path}: a unit is listed twice.")
        elsewhere = [unit for unit in units if unit in listed and listed[unit] not in splits]
        if elsewhere:
            raise UserError(
                f"{path}: {len(elsewhere)} units are listed as '{listed[elsewhere[0]]}', such as '{elsewhere[0]}', but "
                f"they belong to what the reader '{self.reader}' divides into {' and '.join(splits)}."
            )
        wanted = {unit for unit, name in listed.items() if name in splits}
        absent = len(wanted.difference(units))
        if absent:
            self.warn(f"the index file lists {absent} of {len(wanted)} units that the data do not hold")
        return {unit: listed[unit] for unit in units if unit in listed}


def drawn(units: Sequence[str], sizes: Mapping[str, float], random: np.random.Generator) -> dict[str, str]:
    """The part of each unit, drawn in the proportions of `sizes`: the one rule by which anything is divided by seed."""
    order = random.permutation(len(units))
    bounds = cut_points(len(units), list(sizes.values()))
    return {
        units[place]: name
        for name, start, stop in zip(sizes, [0, *bounds], bounds, strict=False)
        for place in order[start:stop]
    }


def cut_points(number: int, sizes: Sequence[float]) -> list[int]:
    """Where to cut `number` items into parts in the proportions of `sizes`; every part gets one where there are enough.

    >>> cut_points(100, [64, 16, 20])
    [64, 80, 100]
    >>> cut_points(3, [8, 1, 1])
    [1, 2, 3]
    """
    bounds: list[int] = []
    total, cumulated = sum(sizes), 0.0
    for place, size in enumerate(sizes):
        cumulated += size
        lowest = (bounds[-1] if bounds else 0) + 1
        highest = number - (len(sizes) - 1 - place)
        bounds.append(max(min(max(round(number * cumulated / total), lowest), highest), 0))
    bounds[-1] = number
    return bounds


@dataclass(frozen=True)
class Reader:
    """The reader of a format: its function, the roles of files and the options it knows, and what it says beforehand.

    `kind` is empty where an option says it, or nothing but the files; `labels` where only the files do.
    """

    read: Callable[[Source], Dataset]
    roles: frozenset[str]
    options: frozenset[str]
    kind: str
    labels: tuple[str, ...]


def load_reader(name: str, where: str = "tasks.tsv") -> Reader:
    """The reader of a format, from the constants of its module."""
    if name not in READERS:
        raise unknown(where, "reader", name, READERS)
    module = import_module(f"linkbert.tasks.{READERS[name]}")
    kind = getattr(module, "KIND", "")
    labels = getattr(module, "LABELS", ())
    # A module of several readers has a kind for each.
    kind = kind if isinstance(kind, str) else kind[name]
    return Reader(module.read, module.ROLES, module.OPTIONS, kind, tuple(labels))


def line_of(example: Example) -> bytes:
    """The line of an example in a task's file; a UnicodeEncodeError where a text holds half a surrogate pair."""
    written = {name: value for name, value in example.items() if name != "unit"}
    return json.dumps(written, ensure_ascii=False).encode() + b"\n"


def table_rows(
    source: Source, split: str, lines: Iterable[str], width: int, header: bool = True
) -> Iterator[list[str]]:
    """Rows of a tab-separated file whose quotation marks are text; rows with fewer than `width` cells are counted.

    csv's quoting must stay off: GLUE's sentences hold unbalanced quotation marks, which would swallow rows.
    """
    for number, line in enumerate(lines):
        if (number == 0 and header) or not line.strip():
            continue
        row = line.split("\t")
        if len(row) < width:
            source.drop(split, "broken_row", where=f"line {number + 1}")
        else:
            yield row
