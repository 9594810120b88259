"""DDI 2013 (Herrero-Zazo et al., 2013) from the raw XML, prepared as BLURB does (Gu et al., 2021).

An example is an annotated pair of drugs in a sentence; both become ``@DRUG$``, or one ``@DRUG-DRUG$`` where they
overlap. A discontinuous mention reaches from its first to its last character. BLURB divides the 714 training documents
into 624 and 90 by lists of its own; without such lists (role ``split``, units are document ids) a seed decides.
"""

import re
from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree

from linkbert.errors import UserError
from linkbert.tasks.base import Dataset, Example, Source
from linkbert.tasks.dummies import Span, dummify
from linkbert.tasks.members import read_members

ROLES = frozenset({"archive", "split"})
OPTIONS: frozenset[str] = frozenset()
KIND = "classification"
LABELS = ["DDI-advise", "DDI-effect", "DDI-false", "DDI-int", "DDI-mechanism"]


def _part(member: str) -> str:
    """The part of the corpus a file belongs to, by its folders; "" for the drug-name task's test files."""
    folders = [folder.lower() for folder in member.split("/")[:-1]]
    if not member.lower().endswith(".xml") or any("drugner" in folder for folder in folders):
        return ""
    if "train" in folders:
        return "train"
    return "test" if any(folder.startswith("test") for folder in folders) else ""


def read(source: Source) -> Dataset:
    """Read all documents; the unit is the document."""
    files = read_members(source.path("archive"), lambda member: bool(_part(member)))
    examples: dict[str, list[Example]] = {"train": [], "test": []}
    documents: set[str] = set()
    untyped: Counter[str] = Counter()
    for member, content in files.items():
        try:
            root = ElementTree.fromstring(content)
        except ElementTree.ParseError as error:
            raise UserError(f"{source.path('archive')}, {member}: not valid XML ({error}).") from None
        untyped.update(
            _part(member) for pair in root.iter("pair") if pair.get("ddi") == "true" and not pair.get("type")
        )
        if _part(member) == "train":
            documents.add(root.get("id", member))
        examples[_part(member)] += _pairs(source, _part(member), root, root.get("id", member))
    for split, number in untyped.items():
        source.warn(f"{split}: {number} pairs that interact have no type; they are labelled DDI-int")
    splits = source.divide("train", examples["train"], {"train": 624, "dev": 90}, among=documents)
    by = "the index file" if source.has("split") else "seed, 624 : 90"
    about = {"split": f"the publisher's training documents, divided by {by}"}
    return Dataset(KIND, splits | {"test": examples["test"]}, LABELS, "relation_f1", about)


def _span(offsets: str) -> Span:
    """The reach of a mention: "10-14;20-23" (ends inclusive) is (10, 24)."""
    numbers = re.findall(r"\d+", offsets)
    return int(numbers[0]), int(numbers[-1]) + 1


def _pairs(source: Source, split: str, document: ElementTree.Element, unit: str) -> Iterator[Example]:
    for sentence in document.iter("sentence"):
        text = sentence.get("text", "")
        mentions = {entity.get("id"): entity for entity in sentence.iter("entity")}
        for pair in sentence.iter("pair"):
            try:
                first, second = (_span(mentions[pair.get(name)].attrib["charOffset"]) for name in ("e1", "e2"))
            except (KeyError, IndexError):
                source.drop(split, "broken_row", where=f"pair {pair.get('id')}")
                continue
            label = "false"
            if pair.get("ddi") == "true":
                # "int" is the corpus' type for an interaction of which nothing more is said.
                label = pair.get("type") or "int"
            yield {
                "id": pair.get("id"),
                "text_a": dummify(text, first, second, ("DRUG", "DRUG"), "DRUG-DRUG"),
                "label": f"DDI-{label}",
                "unit": unit,
            }
