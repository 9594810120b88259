"""The archive in which the LinkBERT authors give away the evaluation sets as they prepared them.

It holds what the publishers' files of the world hold, in the authors' columns, so that both ways to a task can be
compared: `linkbert.tasks.authors` describes the layout.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linkbert.tasks.authors import SETS, Layout
from linkbert.tasks.base import Example, Source, load_reader
from linkbert.world.archives import json_lines, write_zip
from linkbert.world.mrqa import SETS as QUESTIONS

Files = Mapping[str, str]
_TAGGED = ("BC2GM", "BC5CDR-disease", "BC5CDR-chem", "NCBI-disease", "JNLPBA")


def _publishers() -> dict[str, tuple[str, Files]]:
    """Set of the archive -> the reader of the publisher's format, and the world's files by role."""
    found: dict[str, tuple[str, Files]] = {}
    for name, (_, index) in QUESTIONS.items():
        files = {split: f"mrqa-{name}-{split}.jsonl.gz" for split in ("train", "dev")}
        found[f"qa/{index}_hf"] = ("mrqa", files | {"split": f"inhouse_split_{index}.json"})
    for name in _TAGGED:
        files = {"train": f"blurb-{name}-train.tsv", "dev": f"blurb-{name}-devel.tsv", "test": f"blurb-{name}-test.tsv"}
        found[f"tokcls/{name}_hf"] = ("ner", files)
    found["tokcls/ebmnlp_hf"] = ("ebm_nlp", {split: f"blurb-EBM-NLP-{split}.txt" for split in ("train", "dev", "test")})
    for name, reader, file in (
        ("seqcls/chemprot_hf", "chemprot", "blurb-ChemProt.zip"),
        ("seqcls/DDI_hf", "ddi", "blurb-DDI.zip"),
        ("seqcls/GAD_hf", "gad", "blurb-GAD.zip"),
        ("seqcls/BIOSSES_hf", "biosses", "blurb-BIOSSES.zip"),
        ("seqcls/HoC_hf", "hoc", "blurb-HoC.tar.gz"),
        ("seqcls/bioasq_hf", "bioasq", "blurb-BioASQ.zip"),
        ("mc/medqa_usmle_hf", "medqa", "medqa-usmle.zip"),
        ("mc/mmlu_hf/professional_medicine", "mmlu", "mmlu-data.tar"),
    ):
        found[name] = (reader, {"archive": file})
    questions = {"questions": "blurb-PubMedQA-questions.json", "test_ids": "blurb-PubMedQA-test.json"}
    return found | {"seqcls/pubmedqa_hf": ("pubmedqa", questions)}


def write_authors(folder: Path) -> None:
    """Write ``linkbert-data.zip`` from the publishers' files, which must stand in the folder."""
    members = {}
    for name, (reader, files) in _publishers().items():
        source = Source(name, reader, {role: folder / file for role, file in files.items()})
        splits = load_reader(reader).read(source).splits
        for split, file in SETS[name].files.items():
            rows = [_row(SETS[name], example) for example in splits[split]]
            members[f"data/{name}/{file}.json"] = json_lines(rows)
    write_zip(folder / "linkbert-data.zip", members)


def _row(layout: Layout, example: Example) -> dict[str, Any]:
    """An example in the authors' columns and forms."""
    row: dict[str, Any] = {"id": example["id"]}
    if layout.kind == "span":
        answers = example["answers"]
        places = {"answer_start": [one["start"] for one in answers], "text": [one["text"] for one in answers]}
        return row | {"question": example["question"], "context": example["context"], "answers": places}
    if layout.kind == "choice":
        endings = {f"ending{number}": choice for number, choice in enumerate(example["choices"])}
        return row | {"sent1": example["question"], "sent2": "", **endings, "label": example["label"]}
    if layout.kind == "tagging":
        # Each tagged word of EBM PICO is an entity of its own there; the other sets have B, I and O.
        tags = ["B" + tag[1:] if tag.startswith("I-") else tag[:1] for tag in example["tags"]]
        return row | {"tokens": example["tokens"], "ner_tags": tags}
    row |= {layout.columns[field]: example[field] for field in ("text_a", "text_b") if field in example}
    if layout.kind == "multilabel":
        return row | {"label": [int(label in example["labels"]) for label in layout.labels]}
    label = example["label"]
    return row | {"label": "0" if isinstance(label, str) and "false" in label else label}
