"""MedQA-USMLE with four options (Jin et al., 2021): questions/US/4_options/phrases_no_exclude_{split}.jsonl."""

import json
from collections.abc import Iterator

from linkbert.tasks.base import SPLITS, Dataset, Example, Source

ROLES = frozenset({*SPLITS, "archive"})
OPTIONS: frozenset[str] = frozenset()
KIND = "choice"


def read(source: Source) -> Dataset:
    """Read the splits that exist; a missing one can be cut from another with the option ``divide``."""
    splits = {split: list(questions(source, split, split)) for split in SPLITS if source.holds(split, *_members(split))}
    return Dataset(KIND, splits)


def _members(split: str) -> tuple[str, ...]:
    # The archive holds the five-option questions under other folders.
    name = f"phrases_no_exclude_{split}.jsonl"
    return f"US/4_options/{name}", name


def questions(source: Source, role: str, split: str) -> Iterator[Example]:
    """The questions of a split, from the file of `role` or the member of the archive that is named after `split`."""
    for number, line in enumerate(source.lines(role, *_members(split))):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            letters = sorted(record["options"])
            yield {
                "id": f"{split}-{number}",
                "question": record["question"],
                "choices": [record["options"][letter] for letter in letters],
                "label": letters.index(record["answer_idx"]),
            }
        except (json.JSONDecodeError, KeyError, TypeError, ValueError):
            source.drop(split, "broken_row", where=f"line {number + 1}")
