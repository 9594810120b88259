"""BLURB in its publishers' formats: entities, relations between them, and everything else."""

import io
import json
import re
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from lxml import etree

from linkbert.world.facts import World

TAGGING = ("BC5CDR-chem", "BC5CDR-disease", "NCBI-disease", "BC2GM", "JNLPBA")
TRAIN, TEST = 120, 48  # examples of the scale "small"


@pytest.mark.parametrize("name", TAGGING)
def test_tagging_sets(made: tuple[World, Path], name: str) -> None:
    world, folder = made
    kinds = {"BC5CDR-chem": ["drug"], "BC5CDR-disease": ["disease"], "NCBI-disease": ["disease"]}.get(name, ["gene"])
    known = {" ".join(re.findall(r"\w+|[^\w\s]", e.name)).lower() for kind in kinds for e in world.kinds[kind]}
    for split, number in (("train", TRAIN), ("devel", TEST), ("test", TEST)):
        sentences = (folder / f"blurb-{name}-{split}.tsv").read_text().strip("\n").split("\n\n")
        assert len(sentences) == number
        mentions = []
        for sentence in sentences:
            previous = "O"
            for line in sentence.split("\n"):
                word, tag = line.split("\t")
                assert tag in "BIO" and not (tag == "I" and previous == "O")
                if tag == "B":
                    mentions.append(word)
                elif tag == "I":
                    mentions[-1] += f" {word}"
                previous = tag
        assert len(mentions) > number / 2
        assert sum(mention.lower() in known for mention in mentions) > len(mentions) / 3


def test_ebm_nlp(folder: Path) -> None:
    for split, number in (("train", TRAIN // 2), ("dev", TEST // 2), ("test", TEST // 2)):
        text = (folder / f"blurb-EBM-NLP-{split}.txt").read_text()
        assert text.count("-DOCSTART- (") == number
        lines = [line.split(" ") for line in text.splitlines() if line and not line.startswith("-DOCSTART-")]
        assert {len(line) for line in lines} == {4}
        assert {line[3] for line in lines} == {"O", "I-PAR", "I-INT", "I-OUT"}


def test_chemprot_offsets_and_groups(folder: Path, members: Callable, rows: Callable) -> None:
    found = members(folder / "blurb-ChemProt.zip")
    for split in ("training", "development", "test_gs"):
        tables = {
            name: rows(found[f"ChemProt/chemprot_{split}_{name}.tsv"])
            for name in ("abstracts", "entities", "relations", "gold_standard")
        }
        text = {pmid: f"{title} {abstract}" for pmid, title, abstract in tables["abstracts"]}
        kind = {}
        for pmid, number, name, start, end, mention in tables["entities"]:
            assert text[pmid][int(start) : int(end)] == mention
            kind[pmid, number] = name
        for pmid, group, scored, _, one, two in tables["relations"]:
            assert kind[pmid, one.removeprefix("Arg1:")] == "CHEMICAL"
            assert kind[pmid, two.removeprefix("Arg2:")].startswith("GENE-")
            assert (group in ("CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9")) == (scored == "Y ")
        scored = [row for row in tables["relations"] if row[2] == "Y "]
        assert len(scored) == len(tables["gold_standard"]) < len(tables["entities"]) / 2
    groups = Counter(row[1] for row in rows(found["ChemProt/chemprot_training_gold_standard.tsv"]))
    assert set(groups) == {"CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9"} and min(groups.values()) >= 5


def test_ddi_documents(folder: Path, members: Callable) -> None:
    found = members(folder / "blurb-DDI.zip")
    places = Counter(name.rsplit("/", 1)[0] for name in found)
    for place in (
        "Train/DrugBank",
        "Train/MedLine",
        *(f"Test/Test for DDI Extraction task/{s}" for s in ("DrugBank", "MedLine")),
    ):
        assert places[f"DDICorpus/{place}"] > 4
    types: Counter[str | None] = Counter()
    for name, content in found.items():
        root = etree.fromstring(content)
        for sentence in root.iter("sentence"):
            entities = {}
            for entity in sentence.iter("entity"):
                start, end = map(int, entity.get("charOffset").split("-"))
                assert sentence.get("text")[start : end + 1] == entity.get("text")
                entities[entity.get("id")] = entity
            pairs = list(sentence.iter("pair"))
            if "Extraction" in name:
                assert len(pairs) == len(entities) * (len(entities) - 1) // 2
            for pair in pairs:
                assert {pair.get("e1"), pair.get("e2")} <= set(entities)
                assert (pair.get("ddi") == "true") == (pair.get("type") is not None)
                types[pair.get("type")] += 1
    assert set(types) == {None, "mechanism", "effect", "advise", "int"}


def test_gad_folds(folder: Path, members: Callable, rows: Callable) -> None:
    found = members(folder / "blurb-GAD.zip")
    train, test = rows(found["GAD/1/train.tsv"]), rows(found["GAD/1/test.tsv"])
    assert test[0] == ["index", "sentence", "label"] and len(test) == TEST + 1 and len(train) == TRAIN + TEST
    assert all(row[0].count("@GENE$") == row[0].count("@DISEASE$") == 1 for row in train)
    assert Counter(row[1] for row in train) == {"0": len(train) // 2, "1": len(train) // 2}


def test_hoc_labels_match_sentences(folder: Path) -> None:
    with tarfile.open(folder / "blurb-HoC.tar.gz") as archive:
        found = {member.name: archive.extractfile(member).read().decode() for member in archive}
    texts = {name.rsplit("/", 1)[1]: text for name, text in found.items() if "/text/" in name}
    labels = {name.rsplit("/", 1)[1]: text for name, text in found.items() if "/labels/" in name}
    assert set(texts) == set(labels) and len(texts) == TRAIN + 2 * TEST
    tops, none = Counter(), 0
    for name, text in texts.items():
        sentences = [line for line in text.split("\n") if line.strip()]
        per_sentence = labels[name].split("<")[1:]
        assert len(sentences) == len(per_sentence)
        hallmarks = {p.split("--")[0].strip() for one in per_sentence for p in one.split("AND") if "--" in p}
        tops.update(hallmarks)
        none += not hallmarks
    assert len(tops) == 10 and none >= len(texts) // 8


def test_biosses_documents_hold_a_table_each(folder: Path, members: Callable) -> None:
    found = members(folder / "blurb-BIOSSES.zip")
    tables = {}
    for name in ("Annotation-Pairs", "Annotator-Scores"):
        with zipfile.ZipFile(io.BytesIO(found[f"{name}.docx"])) as archive:
            root = etree.fromstring(archive.read("word/document.xml"))
            assert etree.fromstring(archive.read("[Content_Types].xml")) is not None
        word = "{" + root.nsmap["w"] + "}"
        tables[name] = [
            ["".join(text.text for text in cell.iter(f"{word}t")) for cell in row.iter(f"{word}tc")]
            for row in root.iter(f"{word}tr")
        ]
    pairs, scores = tables["Annotation-Pairs"], tables["Annotator-Scores"]
    assert len(pairs) == len(scores) == 101
    assert pairs[0][1:] == ["Sentence 1", "Sentence 2"] and scores[0][1] == "Annotator A"
    assert [row[0].strip() for row in pairs[1:]] == [row[0] for row in scores[1:]]
    values = np.array([row[1:] for row in scores[1:]], dtype=float)
    assert values.shape == (100, 5) and values.min() == 0 and values.max() == 4
    assert all(row[1].endswith(".") and row[2].endswith(".") for row in pairs[1:])


def test_pubmedqa_and_bioasq(folder: Path, members: Callable) -> None:
    questions = json.loads((folder / "blurb-PubMedQA-questions.json").read_text())
    test = json.loads((folder / "blurb-PubMedQA-test.json").read_text())
    assert len(questions) == TRAIN + 2 * TEST and len(test) == TEST
    assert all(questions[pmid]["final_decision"] == answer for pmid, answer in test.items())
    assert set(test.values()) == {"yes", "no", "maybe"}
    assert all(len(q["CONTEXTS"]) == len(q["LABELS"]) and q["LONG_ANSWER"] for q in questions.values())
    found = members(folder / "blurb-BioASQ.zip")
    assert set(found) == {f"BioASQ/{n}.json" for n in ("training7b", *(f"7B{i}_golden" for i in range(1, 6)))}
    for content in found.values():
        batch = json.loads(content)["questions"]
        yes_no = [question for question in batch if question["type"] == "yesno"]
        assert {question["exact_answer"] for question in yes_no} == {"yes", "no"}
        assert len(yes_no) < len(batch) and all(q["snippets"][0]["text"] for q in batch)
    training = json.loads(found["BioASQ/training7b.json"])["questions"]
    assert len({question["id"] for question in training}) == len(training)
