"""BioASQ yes/no questions (Nentidis et al., 2019): the question and its snippets, joined by spaces.

The options ``train``, ``dev`` and ``test`` list files of the archive (patterns with * allowed). By default they are
task 7b: the training file, and the golden batches for test. Without ``dev``, train is divided 670 : 75 as in BLURB, by
the index file of the role ``split`` (units are question ids) or by seed.
"""

import json
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any

from linkbert.errors import UserError
from linkbert.tasks.base import SPLITS, Dataset, Example, Source
from linkbert.tasks.members import decode, read_members

ROLES = frozenset({"archive", "split"})
OPTIONS = frozenset({"train", "dev", "test"})
KIND = "classification"
LABELS = ["no", "yes"]
TASK_7B = {"train": ["training7b.json", "trainining7b.json"], "test": ["7B?_golden.json"]}


def read(source: Source) -> Dataset:
    """Read the yes/no questions of the named files."""
    patterns = {name: source.options.get(name, TASK_7B.get(name, [])) for name in SPLITS}
    files = read_members(source.path("archive"), lambda member: member.endswith(".json"))
    splits: dict[str, list[Example]] = {name: [] for name in SPLITS}
    for name in SPLITS:
        chosen = [m for m in files if any(fnmatch(PurePosixPath(m).name, pattern) for pattern in patterns[name])]
        if patterns[name] and not chosen:
            raise UserError(
                f"{source.path('archive')}: no file matches {', '.join(patterns[name])} ({name}). "
                f"It holds: {', '.join(PurePosixPath(member).name for member in files)}."
            )
        for member in chosen:
            splits[name] += _questions(source, name, member, files[member])
    # Later training files hold earlier batches: what is evaluated must not be trained on.
    for name, later in (("train", "test"), ("dev", "test"), ("train", "dev")):
        held_out = {example["id"] for example in splits[later]}
        kept = [example for example in splits[name] if example["id"] not in held_out]
        source.drop(name, f"also_in_{later}", len(splits[name]) - len(kept))
        splits[name] = kept
    about: dict[str, Any] = {"files": {name: patterns[name] for name in SPLITS if patterns[name]}}
    if not patterns["dev"]:
        ids = [example["id"] for example in splits["train"]]
        splits |= source.divide("train", splits["train"], {"train": 670, "dev": 75}, ids)
        about["split"] = "train divided 670 : 75, by " + ("the index file" if source.has("split") else "seed")
    return Dataset(KIND, splits, LABELS, "accuracy", about)


def _questions(source: Source, split: str, member: str, content: bytes) -> list[Example]:
    path = source.path("archive") / member
    try:
        questions = json.loads(decode(content, path))["questions"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a BioASQ file ({error!r}).") from None
    if not isinstance(questions, list):
        raise UserError(f"{path}: not a BioASQ file ('questions' is no list).")
    examples = []
    for question in questions:
        if isinstance(question, dict) and question.get("type") != "yesno":
            continue
        try:
            answer = question["exact_answer"]
            answer = answer[0] if isinstance(answer, list) else answer
            snippets = [snippet["text"].replace("\n", " ") for snippet in question.get("snippets", [])]
            examples.append(
                {
                    "id": str(question["id"]),
                    "text_a": question["body"].replace("\n", " "),
                    "text_b": " ".join(snippets),
                    "label": answer.strip().lower(),
                }
            )
        except (KeyError, IndexError, TypeError, AttributeError):
            source.drop(split, "broken_row", where=f"question {len(examples)} of {member}")
    return examples
