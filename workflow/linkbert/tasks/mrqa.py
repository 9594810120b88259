"""MRQA 2019: one context a line with its questions (Fisch et al., 2019), dev halved by the authors' index files.

As in the authors' preparation, a question is scored against the texts of its ``detected_answers``, and each detected
answer contributes its first span; ``{"golds": "answers"}`` scores against ``answers`` as the shared task did.
"""

import json
from collections.abc import Iterator
from typing import Any

from linkbert.errors import UserError
from linkbert.progress import Progress
from linkbert.tasks.base import SPLITS, Dataset, Example, Source

ROLES = frozenset({"train", "dev", "test", "split", "archive"})
OPTIONS = frozenset({"golds"})
KIND = "span"


def read(source: Source) -> Dataset:
    """Read train and dev; dev's contexts are divided into dev and test, by index file or in seeded halves."""
    golds_from = source.options.get("golds", "detected_answers")
    if golds_from not in ("detected_answers", "answers"):
        raise UserError(f"{source.task}: option 'golds' is '{golds_from}'. Known: answers, detected_answers.")
    splits = {split: list(_examples(source, split)) for split in SPLITS if split != "test" or source.has(split)}
    if source.has("test"):
        return Dataset(KIND, splits)
    dev = splits["dev"]
    # The authors' index files count lines without the header; a seed must put a text that occurs twice in one half.
    units = [example["unit"] if source.has("split") else example["context"] for example in dev]
    splits |= source.divide("dev", dev, {"dev": 1, "test": 1}, units)
    by = "the authors' index file" if source.has("split") else "dev halved by context, by seed"
    return Dataset(KIND, splits, about={"split": by})


def _examples(source: Source, split: str) -> Iterator[Example]:
    progress = Progress(f"{source.task} {split}", unit="contexts")
    line_number = -1
    for text in source.lines(split, f"{split}.jsonl", f"{split}.jsonl.gz"):
        if not text.strip():
            continue
        try:
            record = json.loads(text)
        except json.JSONDecodeError:
            line_number += 1
            source.drop(split, "broken_row", where=f"context {line_number}")
            continue
        if isinstance(record, dict) and "header" in record and "context" not in record:
            continue
        line_number += 1
        progress.update()
        yield from _questions(source, split, record, line_number)
    progress.close()


def _questions(source: Source, split: str, record: Any, number: int) -> Iterator[Example]:
    """The questions of a context, each readable or counted; the unit is the number of the context's line."""
    context, questions = (record.get(name) if isinstance(record, dict) else None for name in ("context", "qas"))
    if not isinstance(context, str) or not isinstance(questions, list):
        lost = len(questions) if isinstance(questions, list) else 1
        source.drop(split, "broken_row", lost, where=f"context {number}")
        return
    for place, qa in enumerate(questions):
        try:
            answers, golds = _answers(qa, context, source.options.get("golds", "detected_answers"))
            yield {
                "id": str(qa.get("qid") or qa["id"]),
                "question": qa["question"].strip(),
                "context": context,
                "answers": answers,
                "golds": golds,
                "unit": number,
            }
        except (KeyError, TypeError, AttributeError):
            source.drop(split, "broken_row", where=f"question {place} of context {number}")


def _answers(qa: dict[str, Any], context: str, golds_from: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The answers of a question and its golds; only the latter must be readable, since they alone are scored."""
    golds = [one if golds_from == "answers" else one["text"] for one in qa[golds_from]]
    if not all(isinstance(gold, str) for gold in golds):
        raise TypeError("a gold answer is no text")
    detected = qa.get("detected_answers")
    placed = [_placed(answer, context) for answer in (detected if isinstance(detected, list) else [])]
    return placed, list(dict.fromkeys(golds))


def _placed(answer: Any, context: str) -> dict[str, Any]:
    """An answer at its first span; -1, where nothing is, if no span can be read: `checks` counts it."""
    try:
        start, end = answer["char_spans"][0]  # the end is inclusive
        # Some detected texts differ from the context in case; the context's own characters are what is predicted.
        written = context[start : end + 1]
        return {"text": written if written.lower() == answer["text"].lower() else answer["text"], "start": int(start)}
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return {"text": "", "start": -1}
