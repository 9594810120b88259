"""MRQA 2019: one context a line with its questions (Fisch et al., 2019), dev halved by the authors' index files.

As in the authors' preparation, a question is scored against the texts of its ``detected_answers``, and each detected
answer contributes its first span; ``{"golds": "answers"}`` scores against ``answers`` as the shared task did.
"""

import json
from collections.abc import Iterator
from typing import Any

from linkbert.errors import UserError
from linkbert.progress import Progress
from linkbert.tasks.base import Dataset, Example, Source

ROLES = frozenset({"train", "dev", "test", "split", "archive"})
OPTIONS = frozenset({"golds"})


def read(source: Source) -> Dataset:
    """Read train and dev; dev's contexts are divided into dev and test, by index file or in seeded halves."""
    splits = {"train": list(_examples(source, "train"))}
    dev = list(_examples(source, "dev"))
    about = {}
    if source.has("test"):
        splits |= {"dev": dev, "test": list(_examples(source, "test"))}
    else:
        # Units are line numbers of the file without its header, as the authors' index files count them.
        split_of = source.divide((example["unit"] for example in dev), {"dev": 1, "test": 1})
        about["split"] = "the authors' index file" if source.has("split") else "dev halved by context, by seed"
        for name in ("dev", "test"):
            splits[name] = [example for example in dev if split_of.get(str(example["unit"])) == name]
        source.drop("dev", "not_in_index_file", len(dev) - len(splits["dev"]) - len(splits["test"]))
    return Dataset("span", splits, about=about)


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
        try:
            yield from _questions(source, split, record, line_number)
        except (KeyError, TypeError, IndexError, ValueError, AttributeError):
            source.drop(split, "broken_row", where=f"context {line_number}")
    progress.close()


def _questions(source: Source, split: str, record: dict[str, Any], unit: int) -> list[Example]:
    context, examples = record["context"], []
    golds_from = source.options.get("golds", "detected_answers")
    if golds_from not in ("detected_answers", "answers"):
        raise UserError(f"{source.task}: option 'golds' is '{golds_from}'. Known: answers, detected_answers.")
    for qa in record["qas"]:
        answers = []
        for answer in qa["detected_answers"]:
            start, end = answer["char_spans"][0]  # the end is inclusive
            # Some detected texts differ from the context in case; the context's own characters are what is predicted.
            written = context[start : end + 1]
            text = written if written.lower() == answer["text"].lower() else answer["text"]
            answers.append({"text": text, "start": start})
        golds = qa["answers"] if golds_from == "answers" else [answer["text"] for answer in qa["detected_answers"]]
        examples.append(
            {
                "id": str(qa.get("qid") or qa["id"]),
                "question": qa["question"].strip(),
                "context": context,
                "answers": answers,
                "golds": list(dict.fromkeys(golds)),
                "unit": unit,
            }
        )
    return examples
