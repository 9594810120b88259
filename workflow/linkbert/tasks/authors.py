"""The evaluation sets as the LinkBERT authors prepared them: one archive, a folder a set, one JSON object a line.

Option: ``set``, a folder of the archive (`SETS`), from which the kind, the columns and the labels follow. Some values
have other forms than the publishers' and are brought back to the names that the other readers give them:

- the negative class of a relation set is "0": it becomes the publisher's, "false" or "DDI-false";
- HoC's label is a list of ten 0 and 1: it becomes the hallmarks' names;
- a tagged word of EBM PICO is B-X, so that each is an entity of its own: it becomes SciBERT's I-X;
- an answer that differs from its place in the context in case alone is trained on as the context has it, as in MRQA.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from linkbert.errors import UserError, unknown
from linkbert.progress import Progress
from linkbert.tasks import bioasq, chemprot, ddi, ebm_nlp, gad, hoc, pubmedqa
from linkbert.tasks.base import SPLITS, Dataset, Example, Source
from linkbert.tasks.records import example_maker

ROLES = frozenset({"archive"})
OPTIONS = frozenset({"set"})
Record = dict[str, Any]


@dataclass(frozen=True)
class Layout:
    """What a set of the archive is: its kind, field of the example -> column, labels, metric, its files' names."""

    kind: str
    columns: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    labels: Sequence[str] = ()
    metric: str = ""
    files: Mapping[str, str] = field(default_factory=lambda: dict(zip(SPLITS, SPLITS, strict=True)))


_SENTENCE, _PAIR = {"text_a": "sentence"}, {"text_a": "sentence1", "text_b": "sentence2"}
_CHOICE = {"question": "sent1", "choices": ("ending0", "ending1", "ending2", "ending3")}
_MENTIONS = ("BC2GM", "BC5CDR-disease", "BC5CDR-chem", "NCBI-disease", "JNLPBA")
SETS = {
    **{f"qa/{name}_hf": Layout("span") for name in ["squad", "newsqa", "triviaqa", "searchqa", "hotpot", "naturalqa"]},
    **{f"tokcls/{name}_hf": Layout("tagging", {"tags": "ner_tags"}, ("B", "I", "O")) for name in _MENTIONS},
    "tokcls/ebmnlp_hf": Layout("tagging", {"tags": "ner_tags"}, ebm_nlp.LABELS, "word_macro_f1"),
    "seqcls/chemprot_hf": Layout("classification", _SENTENCE, chemprot.LABELS, "relation_f1"),
    "seqcls/DDI_hf": Layout("classification", _SENTENCE, ddi.LABELS, "relation_f1"),
    "seqcls/GAD_hf": Layout("classification", _SENTENCE, gad.LABELS, "relation_f1"),
    "seqcls/BIOSSES_hf": Layout("regression", _PAIR),
    "seqcls/HoC_hf": Layout("multilabel", _SENTENCE | {"labels": "label"}, hoc.LABELS),
    "seqcls/pubmedqa_hf": Layout("classification", _PAIR, pubmedqa.LABELS),
    "seqcls/bioasq_hf": Layout("classification", _PAIR, bioasq.LABELS),
    "mc/medqa_usmle_hf": Layout("choice", _CHOICE),
    # Nothing is trained on MMLU: its own few questions stand as train and dev, and are used for nothing.
    "mc/mmlu_hf/professional_medicine": Layout("choice", _CHOICE, files={"train": "dev", "dev": "val", "test": "test"}),
}


def read(source: Source) -> Dataset:
    """Read the three files of a set; the unit of a question is its run of lines with the same context."""
    name = source.options.get("set")
    if name is None:
        raise UserError(f"{source.task}: the reader authors needs the option set. Known: {', '.join(SETS)}.")
    if name not in SETS:
        raise unknown(f"{source.task}: option set", "set", name, SETS)
    layout = SETS[name]
    splits = {split: list(_examples(source, name, layout, split)) for split in SPLITS}
    about = {"split": "the authors' files"}
    return Dataset(layout.kind, splits, list(layout.labels), layout.metric, about)


def _examples(source: Source, name: str, layout: Layout, split: str) -> Iterator[Example]:
    make = example_maker(source.task, layout.kind, layout.columns)
    progress = Progress(f"{source.task} {split}", unit="examples")
    context, unit = None, -1
    for number, line in enumerate(source.lines("archive", f"{name}/{layout.files[split]}.json")):
        if not line.strip():
            continue
        progress.update()
        try:
            example = make(_converted(json.loads(line), layout), f"{split}-{number}")
        except (json.JSONDecodeError, KeyError, TypeError, ValueError, IndexError, AttributeError):
            source.drop(split, "broken_row", where=f"line {number + 1}")
            continue
        if layout.kind == "span":
            if example["context"] != context:
                context, unit = example["context"], unit + 1
            # One copy of a context for all its questions, which are a line each.
            example |= {"context": context, "unit": unit}
        yield example
    progress.close()


def _converted(record: Record, layout: Layout) -> Record:
    """A record with the forms of the other readers; it raises where a value is none of the authors'."""
    if layout.kind == "span":
        answers = record["answers"]
        return record | {
            "answers": _in_place(answers, record["context"]),
            "golds": list(dict.fromkeys(answers["text"])),
        }
    if layout.kind == "choice" and record["sent2"] != "":
        raise ValueError("the authors' questions have no second sentence")
    if layout.kind == "multilabel":
        return record | {"label": _named(record["label"], layout.labels)}
    if layout.kind == "tagging" and layout.metric == "word_macro_f1":
        return record | {"ner_tags": [f"I-{tag[2:]}" if tag.startswith("B-") else tag for tag in record["ner_tags"]]}
    if layout.metric == "relation_f1":
        negative = next((label for label in layout.labels if "false" in label), "0")
        return record | {"label": negative if record["label"] == "0" else record["label"]}
    return record


def _in_place(answers: Mapping[str, Any], context: str) -> list[Record]:
    """Answers as ``{"text", "start"}``, in the context's own characters where only case differs."""
    placed = []
    for text, start in zip(answers["text"], answers["answer_start"], strict=True):
        written = context[start : start + len(text)]
        placed.append({"text": written if start >= 0 and written.lower() == text.lower() else text, "start": start})
    return placed


def _named(flags: Sequence[int], labels: Sequence[str]) -> list[str]:
    """The labels whose flag is 1.

    >>> _named([0, 1, 1], ["a", "b", "c"])
    ['b', 'c']
    """
    if len(flags) != len(labels) or not all(type(flag) is int and flag in (0, 1) for flag in flags):
        raise ValueError(f"{flags!r:.80} is no list of {len(labels)} zeros and ones")
    return [label for label, flag in zip(labels, flags, strict=True) if flag]
