"""A data set of the Hugging Face hub, as the pinned folder that the download stage keeps: parquet, JSON Lines or csv.

Options: ``kind`` (required); ``columns``, field of the example -> column; ``splits``, ours -> the hub's names (default
train, validation, test), or ours -> group -> name where one split of ours has several; ``config``, the subfolder or
file prefix of a configuration; ``labels``, else the names that the parquet files carry, else those that occur. The
files are read with pyarrow: no code of the hub is run.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from linkbert.errors import UserError
from linkbert.tasks.base import SPLITS, Dataset, Example, Source
from linkbert.tasks.members import decode, lines_of, read_bytes
from linkbert.tasks.records import FIELDS, example_maker, labels_of

ROLES = frozenset({"data"})
OPTIONS = frozenset({"kind", "columns", "splits", "config", "labels"})
_ENDS = (".parquet", ".jsonl", ".jsonl.gz", ".json", ".csv")


def read(source: Source) -> Dataset:
    """Read the splits named by the options; the others can be cut from them with the option ``divide``."""
    if "kind" not in source.options:
        raise UserError(f"{source.task}: the reader hub needs the option kind. Known: {', '.join(sorted(FIELDS))}.")
    kind, columns = source.options["kind"], source.options.get("columns", {})
    label_field = {"classification": "label", "multilabel": "labels", "tagging": "tags"}.get(kind, "label")
    label_column = columns.get(label_field, label_field)
    wanted = source.options.get("splits", dict(zip(SPLITS, ("train", "validation", "test"), strict=True)))
    # (file, group) pairs of each split; the group is empty where the split has none.
    files = {
        split: [
            (path, group)
            for group, part in (name.items() if isinstance(name, Mapping) else [("", name)])
            for path in _files(source, part)
        ]
        for split, name in wanted.items()
    }
    if not any(files.values()):
        held = sorted(path.name for path in source.path("data").rglob("*") if path.is_file())
        raise UserError(
            f"{source.path('data')}: no file of the splits wanted. It holds: {', '.join(held[:12]) or 'nothing'}."
        )
    names = list(source.options.get("labels", ()))
    for path, _ in (pair for pairs in files.values() for pair in pairs):
        names = names or _class_names(path, label_column)
    make = example_maker(source.task, kind, columns, names)
    splits: dict[str, list[Example]] = {}
    for split, pairs in files.items():
        if not pairs:
            continue
        splits[split] = []
        records = ((record, group) for path, group in pairs for record in _records(path))
        for number, (record, group) in enumerate(records):
            try:
                example = make(record, f"{split}-{number}")
                splits[split].append(example | {"group": group} if group else example)
            except (KeyError, TypeError, ValueError, IndexError, AttributeError):
                source.drop(split, "broken_row", where=f"row {number}")
    labels = labels_of(kind, splits)
    test_is_dev = "dev" in splits and wanted.get("test") == wanted["dev"]
    return Dataset(kind, splits, names or labels if labels else [], test_is_dev=test_is_dev)


def _files(source: Source, split: str) -> list[Path]:
    folder, config = source.path("data"), source.options.get("config", "")
    if folder.is_file():
        return [folder] if split in folder.name else []
    name = re.compile(rf"(^|[/_.-]){re.escape(split)}([/_.-]|$)")
    of_config = re.compile(rf"(^|/){re.escape(config)}(/|[_.-][^/]*$)" if config else "")
    found = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder).as_posix()
        if path.is_file() and relative.endswith(_ENDS) and name.search(relative) and of_config.search(relative):
            found.append(path)
    return found


def _class_names(path: Path, column: Any) -> list[str]:
    """The label names that `datasets` writes into the schema of a parquet file; none elsewhere."""
    if path.suffix != ".parquet" or not isinstance(column, str):
        return []
    with _parquet(path) as file:
        metadata = file.schema_arrow.metadata or {}
    features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
    feature = features.get(column, {})
    while isinstance(feature, list | dict):
        if isinstance(feature, list):
            feature = feature[0]
        elif "names" in feature:
            return list(feature["names"])
        else:
            feature = feature.get("feature")
    return []


@contextmanager
def _parquet(path: Path) -> Iterator[Any]:
    # Imported here: the other formats need no pyarrow, which takes a while to load.
    import pyarrow as arrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            yield file
    except arrow.ArrowException as error:
        raise UserError(f"{path}: not a whole parquet file ({error}).") from None


def _records(path: Path) -> Iterator[Mapping[str, Any]]:
    if path.suffix == ".parquet":
        with _parquet(path) as file:
            table = file.read()
        yield from table.to_pylist()
    elif path.suffix == ".csv":
        yield from csv.DictReader(io.StringIO(decode(read_bytes(path), path), newline=""))
    else:
        for line in lines_of(path):
            if line.strip():
                try:
                    yield json.loads(line)
                except json.JSONDecodeError:
                    yield {}
