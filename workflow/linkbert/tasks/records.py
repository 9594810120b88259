"""Examples from plain records: the project's own JSON Lines, SQuAD-like answers, integer labels, renamed columns."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from linkbert.errors import unknown
from linkbert.tasks.base import Example

FIELDS = {
    "span": ("question", "context", "answers"),
    "classification": ("text_a", "label"),
    "multilabel": ("text_a", "labels"),
    "regression": ("text_a", "label"),
    "tagging": ("tokens", "tags"),
    "choice": ("question", "choices", "label"),
}
OPTIONAL = ("id", "group", "golds", "text_b")


def example_maker(
    task: str, kind: str, columns: Mapping[str, str | Sequence[str]], names: Sequence[str] = ()
) -> Callable[[Mapping[str, Any], str], Example]:
    """A function from (record, default id) to an example of a kind; it raises KeyError, TypeError or ValueError.

    It raises rather than guess: a label that is null, a text where a list belongs and a fraction where a whole number
    belongs make a broken row, never a new label or another answer.

    `columns` renames: field of the example -> column of the record, or several columns for ``choices``. `names` turn
    integer labels and tags into words.
    """
    if kind not in FIELDS:
        raise unknown(task, "kind", kind, FIELDS)
    for field in columns:
        if field not in (*FIELDS[kind], *OPTIONAL):
            raise unknown(f"{task}: option columns", "field", field, (*FIELDS[kind], *OPTIONAL))

    def label_of(value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and names:
            return names[value] if value >= 0 else str(value)
        return _name(value)

    def value_of(record: Mapping[str, Any], field: str) -> Any:
        column = columns.get(field, field)
        return record[column] if isinstance(column, str) else [record[name] for name in column]

    def make(record: Mapping[str, Any], default_id: str) -> Example:
        example: Example = {"id": default_id}
        for field in OPTIONAL:
            if record.get(str(columns.get(field, field))) is not None:
                example[field] = value_of(record, field)
        example["id"] = str(example["id"])
        if "group" in example:
            example["group"] = _name(example["group"])
        for field in FIELDS[kind]:
            example[field] = value_of(record, field)
        if kind == "span":
            example["answers"] = _answers(example["answers"])
            example.setdefault("golds", list(dict.fromkeys(answer["text"] for answer in example["answers"])))
        elif kind == "classification":
            example["label"] = label_of(example["label"])
        elif kind == "multilabel":
            example["labels"] = [label_of(label) for label in _list(example["labels"])]
        elif kind == "tagging":
            example["tokens"] = _list(example["tokens"])
            example["tags"] = [label_of(tag) for tag in _list(example["tags"])]
        elif kind == "choice":
            example["choices"] = _list(example["choices"])
            example["label"] = _whole(example["label"])
        return example

    return make


def _answers(answers: Any) -> list[dict[str, Any]]:
    """Answers as ``[{"text", "start"}]``, from that form, SQuAD's list, or the lists of `datasets`."""
    if isinstance(answers, Mapping):
        pairs = list(zip(_list(answers["text"]), _list(answers["answer_start"]), strict=True))
    else:
        pairs = [(one["text"], one["start"] if "start" in one else one["answer_start"]) for one in _list(answers)]
    if not all(isinstance(text, str) for text, _ in pairs):
        raise TypeError("an answer is no text")
    return [{"text": text, "start": _whole(start)} for text, start in pairs]


def _name(value: Any) -> str:
    """A label or a group as text; half a surrogate pair, which no file can hold, is a ValueError."""
    if not isinstance(value, str | int) or value == "":
        raise TypeError(f"{value!r:.80} is no name")
    return str(value).encode().decode()


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{value!r:.80} is no list")
    return list(value)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
        raise TypeError(f"{value!r} is no whole number")
    return int(value)


def labels_of(kind: str, splits: Mapping[str, Sequence[Example]]) -> list[str]:
    """The labels or tags that occur, sorted; none for kinds without a label set."""
    field = {"classification": "label", "multilabel": "labels", "tagging": "tags"}.get(kind)
    if field is None:
        return []
    found = (example[field] for examples in splits.values() for example in examples)
    return sorted({label for value in found for label in ([value] if isinstance(value, str) else value)})
