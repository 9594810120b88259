"""A question of a task, and what a model's chosen runs answered to it."""

import gzip
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linkbert.declarations import check
from linkbert.errors import UserError
from linkbert.files import read_meta, sha256_of
from linkbert.metrics import score
from linkbert.tables.scores import Choice, Run, load_scores, select

VERSION = 1  # of the files of answers
SPLITS = ("test", "dev", "train")  # where a question is looked for; nobody predicts the last
LONGEST = 6000  # characters of a context that are kept
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "task"],
    "properties": {
        "title": {"type": "string", "minLength": 1, "description": "the heading"},
        "task": {"type": "string", "minLength": 1, "description": "the task whose example it is"},
        "question": {"type": "string", "minLength": 1, "description": "the question, word by word"},
        "contains": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string"},
            "description": "words that question and choices hold, where its text is not printed",
        },
        "example": {"type": "string", "pattern": r"^(dev|test)/\d+$", "description": "its place, e.g. test/0"},
        "source": {"type": "string", "description": "the data set and its licence"},
        "about": {"type": "string", "description": "why the question is a case"},
        "paper": {"type": "object", "description": "what models answer in the paper, by name"},
    },
}
KINDS = ("span", "choice", "classification")


@dataclass(frozen=True)
class Found:
    """An example of a task, and how many match the description of the case."""

    split: str
    example: dict[str, Any]
    matches: int


def check_case(name: str, case: Mapping[str, Any]) -> None:
    """A UserError where a case is not declared as it must be."""
    check(f"case {name}", dict(case), SCHEMA)
    ways = [key for key in ("question", "contains", "example") if key in case]
    if len(ways) != 1:
        raise UserError(
            f"case {name}: it is found by one of 'question', 'contains' and 'example'; "
            f"given are {', '.join(ways) or 'none of them'}."
        )


def plain(text: str) -> str:
    """Text for comparing: lower case, words and figures only.

    >>> plain("Which  city, \u201cMontreal\u201d?")
    'which city montreal'
    """
    return " ".join(re.findall(r"\w+", text.lower()))


def find(case: Mapping[str, Any], folder: Path) -> Found | None:
    """The first example that is the question of a case; test before dev before train."""
    if "example" in case:
        split, _, number = case["example"].partition("/")
        example = next((one for place, one in enumerate(_examples(folder, split)) if place == int(number)), None)
        return Found(split, example, 1) if example else None
    for split in SPLITS:
        matching = [one for one in _examples(folder, split) if _matches(case, one)]
        if matching:
            return Found(split, matching[0], len(matching))
    return None


def _matches(case: Mapping[str, Any], example: Mapping[str, Any]) -> bool:
    asked = plain(example.get("question", example.get("text_a", "")))
    if "question" in case:
        return asked == plain(case["question"])
    text = " ".join([asked, *(plain(choice) for choice in example.get("choices", []))])
    return all(re.search(rf"\b{re.escape(plain(word))}\b", text) for word in case["contains"])


def _examples(folder: Path, split: str) -> Iterator[dict[str, Any]]:
    path = folder / f"{split}.jsonl.gz"
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}). Make the task again.") from None


def answer_cases(
    model: str, cases: Mapping[str, Mapping[str, Any]], scores: Iterable[Path], tasks: Path, run_folder: Path
) -> dict[str, Any]:
    """What a model's runs at the chosen grid point answered to each case, seed by seed, and what is missing.

    Args:
        cases: name -> declaration.
        scores: the model's score files.
        tasks: the folder of task folders.
        run_folder: where the model's runs keep their predictions.
    """
    choices = select(load_scores(scores))
    answered = []
    for name, case in cases.items():
        check_case(name, case)
        folder = tasks / case["task"]
        meta = read_meta(folder, "tasks")
        if meta["kind"] not in KINDS:
            raise UserError(f"case {name}: a task of kind '{meta['kind']}' has no question that could be shown.")
        found = find(case, folder)
        answers, missing = _answers(choices.get((model, case["task"])), found, meta, run_folder)
        example = _shown(found.example) if found else None
        place = {"split": found.split, "matches": found.matches} if found else {"split": None, "matches": 0}
        answered.append({"case": name, **place, "example": example, "answers": answers, "missing": missing})
    return {"version": VERSION, "model": model, "cases": answered}


def _answers(
    choice: Choice | None, found: Found | None, meta: Mapping[str, Any], folder: Path
) -> tuple[list[dict[str, Any]], str]:
    if found is None:
        return [], "the question is not among the task's examples"
    if found.split == "train":
        return [], "the question is one of the training examples, which no run is asked"
    if choice is None:
        return [], "not run"
    answers = []
    for run in choice.runs:
        predictions, problem = _predictions(folder, run)
        if predictions is None:
            return [], problem
        said = predictions.get(found.split, {}).get(found.example["id"])
        values = score(meta["metric"], [found.example], {} if said is None else {found.example["id"]: said})
        exact = values.get("exact_match", next(iter(values.values())))
        answers.append({"seed": run.seed, "said": said, "right": exact == 100.0, "recipe": run.recipe})
    return answers, ""


def _predictions(folder: Path, run: Run) -> tuple[dict[str, Any] | None, str]:
    name = run.record.get("run", "")
    path = folder / name
    if not name or not path.is_file():
        return None, f"the predictions of seed {run.seed} are not kept here ({folder.name}/{name})"
    if sha256_of(path) != run.record.get("sha256"):
        return None, f"the predictions of seed {run.seed} are not those of the score ({folder.name}/{name} has changed)"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return json.load(file)["predictions"], ""


def _shown(example: Mapping[str, Any]) -> dict[str, Any]:
    """The example without what no page shows; a long context is cut around its answer."""
    shown = {key: example[key] for key in ("id", "question", "text_a", "text_b", "choices", "label") if key in example}
    shown["golds"] = list(dict.fromkeys(example.get("golds", [])))
    context = example.get("context", "")
    if context:
        at = min((answer["start"] for answer in example["answers"]), default=0)
        first = max(0, min(at - LONGEST // 2, len(context) - LONGEST))
        shown["context"] = context[first : first + LONGEST]
        shown["cut"] = [first > 0, first + LONGEST < len(context)]
    return shown
