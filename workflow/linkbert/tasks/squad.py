"""SQuAD v1.1 JSON (Rajpurkar et al., 2016), and sets in its format such as SQuADShifts.

Without a file for test, dev is halved by context, as the paper does with MRQA (section 5.2). One file alone, in the
role ``data``, is divided by article or by context in the proportions that an option names.
"""

from collections.abc import Iterator
from typing import Any

from linkbert.errors import UserError
from linkbert.tasks.base import SPLITS, Dataset, Example, Source

ROLES = frozenset({"train", "dev", "test", "data", "split", "archive"})
OPTIONS = frozenset({"split_by_article", "split_by_context"})
KIND = "span"


def read(source: Source) -> Dataset:
    """Read the files of train, dev and test, or divide the file of ``data``."""
    by = next((name for name in ("article", "context") if f"split_by_{name}" in source.options), None)
    if source.has("data"):
        if by is None:
            raise UserError(
                f"{source.task}: one file for all splits needs the option split_by_article or split_by_context, "
                "for example [0.8, 0.1, 0.1]."
            )
        sizes = source.options[f"split_by_{by}"]
        if len(sizes) != 3 or min(sizes) <= 0:
            raise UserError(f"{source.task}: split_by_{by} needs three positive sizes (train, dev, test), not {sizes}.")
        pairs = list(_examples(source, "data"))
        units = [article if by == "article" else example["unit"] for article, example in pairs]
        examples = [example for _, example in pairs]
        splits = source.divide("data", examples, dict(zip(SPLITS, sizes, strict=True)), units)
        return Dataset(KIND, splits, about={"split": f"one file, divided by {by}, by {_way(source)}"})
    splits = {split: [example for _, example in _examples(source, split)] for split in ("train", "dev")}
    if source.has("test"):
        return Dataset(KIND, splits | {"test": [example for _, example in _examples(source, "test")]})
    splits |= source.divide("dev", splits["dev"], {"dev": 1, "test": 1})
    return Dataset(KIND, splits, about={"split": f"dev halved by context, by {_way(source)}"})


def _way(source: Source) -> str:
    return "the index file" if source.has("split") else "seed"


def _examples(source: Source, split: str) -> Iterator[tuple[int, Example]]:
    """(number of the article, question); the unit is the context."""
    content = source.json(split, f"{split}.json", f"{split}-v1.1.json")
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        raise UserError(f"{source.task}, {split}: not SQuAD's format (no list 'data' at the top).")
    for article_number, article in enumerate(content["data"]):
        for paragraph_number, paragraph in enumerate(_members(source, split, article, "paragraphs")):
            place = f"{article_number}.{paragraph_number}"
            for qa in _members(source, split, paragraph, "qas"):
                try:
                    answers = [{"text": a["text"], "start": int(a["answer_start"])} for a in qa["answers"]]
                    example = {
                        "id": str(qa["id"]),
                        "question": qa["question"].strip(),
                        "context": paragraph["context"],
                        "answers": answers,
                        "golds": list(dict.fromkeys(answer["text"] for answer in answers)),
                        # An index file counts paragraphs; a seed must put a text that occurs twice in one split.
                        "unit": place if source.has("split") else paragraph["context"],
                    }
                    yield article_number, example
                except (KeyError, TypeError, ValueError, AttributeError):
                    source.drop(split, "broken_row", where=f"article {article_number}, paragraph {paragraph_number}")


def _members(source: Source, split: str, whole: Any, name: str) -> list[Any]:
    """A list in an article or a paragraph; where there is none, the whole is a broken row."""
    members = whole.get(name) if isinstance(whole, dict) else None
    if not isinstance(members, list):
        source.drop(split, "broken_row")
        return []
    return members
