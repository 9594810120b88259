"""Reading the task folders that the stage `tasks` writes."""

import gzip
import json
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from linkbert.errors import UserError, unknown
from linkbert.files import fingerprint, read_meta

Example = dict[str, Any]

# What an example of each kind must hold (docs/design.md, "tasks").
FIELDS: dict[str, dict[str, tuple[type, ...]]] = {
    "span": {"question": (str,), "context": (str,), "answers": (list,), "golds": (list,)},
    "classification": {"text_a": (str,), "label": (str,)},
    "multilabel": {"text_a": (str,), "labels": (list,)},
    "regression": {"text_a": (str,), "label": (int, float)},
    "tagging": {"tokens": (list,), "tags": (list,)},
    "choice": {"question": (str,), "choices": (list,), "label": (int,)},
}
LABELLED = ("classification", "multilabel", "tagging")


@dataclass
class Task:
    """One task folder; splits are read once, when they are first asked for."""

    name: str
    folder: Path
    meta: dict[str, Any] = field(repr=False)

    @property
    def kind(self) -> str:
        return self._said("kind")

    @property
    def metric(self) -> str:
        return self._said("metric")

    @property
    def labels(self) -> list[str]:
        """The labels in the order of the output layer; empty for kinds without."""
        return list(self._said("labels")) if self.kind in LABELLED else []

    @cached_property
    def fingerprint(self) -> str:
        """The identity of the task: a hash of its ``meta.json``, but for the published counts beside it."""
        return fingerprint({key: value for key, value in self.meta.items() if key not in ("published", "warnings")})

    def _said(self, key: str) -> Any:
        value = self.meta.get(key, self.meta.get("parameters", {}).get(key))
        if value is None:
            raise UserError(f"{self.folder}/meta.json: does not say the task's '{key}'. Make the task again.")
        return value

    @cached_property
    def train(self) -> list[Example]:
        return self._read("train")

    @cached_property
    def dev(self) -> list[Example]:
        return self._read("dev")

    @cached_property
    def test(self) -> list[Example]:
        return self._read("test")

    def _read(self, split: str) -> list[Example]:
        path = self.folder / f"{split}.jsonl.gz"
        examples: list[Example] = []
        seen: set[str] = set()
        known = set(self.labels)
        number = 0
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for number, line in enumerate(lines, 1):
                    example = json.loads(line)
                    self._check(f"{path}, line {number}", example, seen, known)
                    examples.append(example)
        except FileNotFoundError:
            raise UserError(f"{path}: no such file; the task '{self.name}' has no {split} split.") from None
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise UserError(f"{path}: cannot be read after line {number} ({error}). Make the task again.") from None
        except json.JSONDecodeError as error:
            raise UserError(f"{path}, line {number}: not JSON ({error}).") from None
        if not examples:
            raise UserError(
                f"{path}: the split is empty; fine-tuning needs at least one example in each of its splits."
            )
        return examples

    def _check(self, where: str, example: Example, seen: set[str], labels: set[str]) -> None:
        if not isinstance(example, dict) or not isinstance(example.get("id"), str):
            raise UserError(f"{where}: an example must be an object with an 'id' that is a string.")
        name = example["id"]
        if name in seen:
            raise UserError(f"{where}: the id '{name}' occurs twice; predictions are kept by id.")
        seen.add(name)
        for key, types in FIELDS[self.kind].items():
            if not isinstance(example.get(key), types) or isinstance(example[key], bool):
                raise UserError(
                    f"{where} (id '{name}'): an example of kind '{self.kind}' needs '{key}' "
                    f"({' or '.join(kind.__name__ for kind in types)}), found {example.get(key)!r:.80}."
                )
        if self.kind == "span":
            for answer in example["answers"]:
                start, text = answer["start"], answer["text"]
                if not text or example["context"][start : start + len(text)] != text:
                    raise UserError(
                        f"{where} (id '{name}'): the answer {text!r:.80} is not at offset {start} of its context."
                    )
        elif self.kind == "choice":
            if not 0 <= example["label"] < len(example["choices"]):
                raise UserError(
                    f"{where} (id '{name}'): the label {example['label']} is none of {len(example['choices'])} choices."
                )
        elif self.kind == "tagging" and not 0 < len(example["tokens"]) == len(example["tags"]):
            raise UserError(
                f"{where} (id '{name}'): {len(example['tokens'])} tokens but {len(example['tags'])} tags; "
                "there must be as many, and at least one."
            )
        if labels:
            found = {"classification": "label", "multilabel": "labels", "tagging": "tags"}[self.kind]
            values = example[found] if isinstance(example[found], list) else [example[found]]
            for value in values:
                if value not in labels:
                    raise unknown(f"{where} (id '{name}')", "label", value, labels)


def read_task(tasks: Path, name: str) -> Task:
    """The task in ``tasks/name``.

    Raises:
        UserError: there is no such task, or it is of an unknown kind.
    """
    folder = Path(tasks) / name
    if not (folder / "meta.json").is_file():
        known = [path.parent.name for path in Path(tasks).glob("*/meta.json")] if Path(tasks).is_dir() else []
        raise unknown(str(tasks), "task", name, known)
    task = Task(name, folder, read_meta(folder, "tasks"))
    if task.kind not in FIELDS:
        raise unknown(f"{folder}/meta.json", "kind", task.kind, FIELDS)
    return task
