"""Named entities, two columns a token (Crichton et al., 2017): train.tsv, devel.tsv, test.tsv.

As BLURB does, only the first letter of a tag is kept, so that every set has the tags B, I and O and the five types of
JNLPBA are one. ``{"typed": true}`` keeps types. A token is the first cell of a line, its tag the last.
"""

from collections.abc import Iterable, Iterator

from linkbert.tasks.base import Dataset, Example, Source

ROLES = frozenset({"train", "dev", "test", "archive"})
OPTIONS = frozenset({"typed"})
KIND = "tagging"
MEMBERS = {
    "train": ("train.tsv", "train.txt"),
    "dev": ("devel.tsv", "dev.tsv", "dev.txt"),
    "test": ("test.tsv", "test.txt"),
}


def read(source: Source) -> Dataset:
    """Read the splits that exist; a missing one can be cut from another with the option ``divide``."""
    typed = bool(source.options.get("typed"))
    splits = {
        split: [
            _untyped(example) if not typed else example
            for example in sentences(source, split, source.lines(split, *names))
        ]
        for split, names in MEMBERS.items()
        if source.holds(split, *names)
    }
    found = {tag for examples in splits.values() for example in examples for tag in example["tags"]}
    return Dataset(KIND, splits, sorted(found) if typed else ["B", "I", "O"])


def _untyped(example: Example) -> Example:
    return example | {"tags": [tag[:1] for tag in example["tags"]]}


def sentences(source: Source, split: str, lines: Iterable[str]) -> Iterator[Example]:
    """Sentences of a column file, divided by blank lines, cells by tabs or spaces; ``-DOCSTART-`` lines begin a unit.

    A sentence with a line of one cell is broken: it is counted and left out whole, since a lost token would shift tags.
    """
    tokens: list[str] = []
    tags: list[str] = []
    number, unit, broken = 0, 0, False
    for line in (*lines, ""):
        if line.strip() and not line.startswith("-DOCSTART-"):
            cells = line.split("\t" if "\t" in line else " ")
            broken |= len(cells) < 2 or not cells[0].strip() or not cells[-1].strip()
            tokens.append(cells[0])
            tags.append(cells[-1].strip())
            continue
        if tokens:
            if broken:
                source.drop(split, "broken_row", where=f"sentence {number}")
            else:
                # Without documents every sentence is a unit of its own, so that a file can be divided.
                yield {"id": f"{split}-{number}", "tokens": tokens, "tags": tags, "unit": unit or f"sentence {number}"}
            number, tokens, tags, broken = number + 1, [], [], False
        unit += line.startswith("-DOCSTART-")
