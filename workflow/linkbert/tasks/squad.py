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
        examples = list(_examples(source, "data"))
        splits = _divide(source, examples, by, dict(zip(SPLITS, sizes, strict=True)))
        return Dataset("span", splits, about={"split": f"one file, divided by {by}, by seed"})
    splits = {"train": list(_examples(source, "train")), "dev": list(_examples(source, "dev"))}
    if source.has("test"):
        return Dataset("span", splits | {"test": list(_examples(source, "test"))})
    splits |= _divide(source, splits["dev"], "context", {"dev": 1, "test": 1})
    return Dataset("span", splits, about={"split": "dev halved by context, by seed"})


def _divide(source: Source, examples: list[Example], by: str, sizes: dict[str, float]) -> dict[str, list[Example]]:
    split_of = source.divide((example["unit"][by] for example in examples), sizes)
    return {name: [e for e in examples if split_of.get(str(e["unit"][by])) == name] for name in sizes}


def _examples(source: Source, split: str) -> Iterator[Example]:
    content = source.json(split, f"{split}.json", f"{split}-v1.1.json")
    if not isinstance(content, dict) or not isinstance(content.get("data"), list):
        raise UserError(f"{source.task}, {split}: not SQuAD's format (no list 'data' at the top).")
    for article_number, article in enumerate(content["data"]):
        for paragraph_number, paragraph in enumerate(_members(source, split, article, "paragraphs")):
            for qa in _members(source, split, paragraph, "qas"):
                try:
                    answers = [{"text": a["text"], "start": int(a["answer_start"])} for a in qa["answers"]]
                    yield {
                        "id": str(qa["id"]),
                        "question": qa["question"].strip(),
                        "context": paragraph["context"],
                        "answers": answers,
                        "golds": list(dict.fromkeys(answer["text"] for answer in answers)),
                        "unit": {"article": article_number, "context": f"{article_number}.{paragraph_number}"},
                    }
                except (KeyError, TypeError, ValueError, AttributeError):
                    source.drop(split, "broken_row", where=f"article {article_number}, paragraph {paragraph_number}")


def _members(source: Source, split: str, whole: Any, name: str) -> list[Any]:
    """A list in an article or a paragraph; where there is none, the whole is a broken row."""
    members = whole.get(name) if isinstance(whole, dict) else None
    if not isinstance(members, list):
        source.drop(split, "broken_row")
        return []
    return members
