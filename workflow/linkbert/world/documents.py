"""Hallmarks of Cancer, BIOSSES, PubMedQA and BioASQ in the forms in which their publishers give them away."""

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from linkbert.world.archives import write_tar, write_zip, zipped
from linkbert.world.draw import Draw
from linkbert.world.facts import Entity, Fact, World
from linkbert.world.medical_wordings import BACKGROUND, CLOSING, FINDINGS, METHODS, filled, finding
from linkbert.world.medicine import ACTIONS, HALLMARKS
from linkbert.world.ner import words
from linkbert.world.wordings import fill

_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
_PAIRS = 100  # BIOSSES has exactly as many, and its usual split names them by number


def write_documents(world: World, folder: Path) -> None:
    """Write ``blurb-{HoC.tar.gz,BIOSSES.zip,BioASQ.zip}`` and ``blurb-PubMedQA-{questions,test}.json``."""
    write_tar(folder / "blurb-HoC.tar.gz", _hoc(world))
    write_zip(folder / "blurb-BIOSSES.zip", _biosses(world))
    for name, value in _pubmedqa(world).items():
        (folder / f"blurb-PubMedQA-{name}.json").write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
    write_zip(folder / "blurb-BioASQ.zip", _bioasq(world))


def _hoc(world: World) -> dict[str, str]:
    """Abstracts, one tokenized sentence a line; labels, one ``<`` before each sentence's, `` AND`` between several."""
    draw = world.draw("hoc")
    texts, labels = {}, {}
    for i in range(world.scale.train + 2 * world.scale.test):
        pmid = 13000000 + 37 * i
        sentences: list[tuple[str, list[str]]] = [(filled(draw, BACKGROUND), []), (filled(draw, METHODS), [])]
        # One abstract in eight is a control that has no hallmark at all.
        for _ in range(0 if i % 8 == 0 else draw.whole(1, 2)):
            gene = draw.pick(world.kinds["gene"])
            facts = world.about(gene, "hallmark")
            text = " ".join(finding(fact, draw)[0] for fact in facts).replace(". ", ", and ")
            sentences.append((text, [HALLMARKS[fact.object.name] for fact in facts]))
        sentences.append((filled(draw, CLOSING), ["NULL"] if draw.chance(0.05) else []))
        texts[f"HoC/text/{pmid}.txt"] = "".join(" ".join(words(text)) + " \n" for text, _ in sentences) + "\n"
        labels[f"HoC/labels/{pmid}.txt"] = "".join("<" + (" AND".join(names) or " ") for _, names in sentences)
    return {"HoC/README.md": "Invented abstracts in the layout of the corpus.\n", **labels, **texts}


def _biosses(world: World) -> dict[str, bytes]:
    """A document with a table of sentence pairs and one with five annotators' scores, 0 to 4."""
    draw = world.draw("biosses")
    relations = {"treats", "side_effect", *ACTIONS, "risk"}
    facts = [fact for fact in world.facts if fact.relation in relations]
    pairs, scores = [["", "Sentence 1", "Sentence 2"]], [["Sentence No", *(f"Annotator {a}" for a in "ABCDE")]]
    for i in range(_PAIRS):
        level, fact = draw.whole(0, 4), draw.pick(facts)
        one, two = (fill(text, _names(fact))[0] for text in draw.some(FINDINGS[fact.relation], 2))
        if level == 0:
            two = filled(draw, METHODS)
        elif level == 1:
            two = finding(draw.pick(facts), draw)[0]
        elif level < 4:
            two = finding(_altered(world, fact, draw), draw)[0]
        pairs.append([f"{i + 1} ", one, two])
        votes = [min(4, max(0, level + (draw.chance(0.2) - draw.chance(0.2)))) for _ in range(5)]
        scores.append([str(i + 1), *(str(vote) for vote in votes)])
    return {"Annotation-Pairs.docx": _docx(pairs), "Annotator-Scores.docx": _docx(scores)}


def _names(fact: Fact) -> dict[str, str]:
    return {"s": fact.subject.name, "o": fact.object.name}


def _altered(world: World, fact: Fact, draw: Draw) -> Fact:
    """The same statement about another subject."""
    others = [f for f in world.facts if f.relation == fact.relation and f.subject != fact.subject]
    return Fact(fact.relation, draw.pick(others).subject, fact.object) if others else fact


def _docx(rows: list[list[str]]) -> bytes:
    """A minimal word-processor document that holds one table; longer cells are split over runs, as editors do."""
    body = ""
    for row in rows:
        body += "<w:tr>"
        for cell in row:
            half = len(cell) // 2 if len(cell) > 40 else len(cell)
            runs = "".join(
                f'<w:r><w:t xml:space="preserve">{escape(part)}</w:t></w:r>'
                for part in (cell[:half], cell[half:])
                if part
            )
            body += f'<w:tc><w:tcPr><w:tcW w:w="3000" w:type="dxa"/></w:tcPr><w:p>{runs}</w:p></w:tc>'
        body += "</w:tr>"
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    return zipped(
        {
            "[Content_Types].xml": f'{head}<Types xmlns="{_PACKAGE}/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{main}"/>'
            "</Types>",
            "_rels/.rels": f'{head}<Relationships xmlns="{_PACKAGE}/relationships">'
            f'<Relationship Id="rId1" Type="{_OFFICE}" Target="word/document.xml"/></Relationships>',
            "word/document.xml": f'{head}<w:document xmlns:w="{_WORD}"><w:body>'
            f"<w:tbl><w:tblPr/><w:tblGrid/>{body}</w:tbl>"
            "<w:p/><w:sectPr/></w:body></w:document>",
        }
    )


def _question(world: World, draw: Draw, answer: str) -> tuple[str, list[str], Entity]:
    """A yes/no/maybe question about a gene and a disease, the sentences that decide it, and the gene."""
    relation = {"yes": "risk", "no": "no_risk", "maybe": draw.pick(("risk", "no_risk"))}[answer]
    fact = draw.pick([fact for fact in world.facts if fact.relation == relation])
    gene, disease = fact.subject.name, fact.object.name
    asked = draw.pick(
        (
            f"Is {gene} associated with {disease}?",
            f"Does {gene} influence the risk of {disease}?",
            f"Is {gene} a risk gene for {disease}?",
        )
    )
    evidence = [finding(fact, draw)[0]]
    if answer == "maybe":
        evidence = [
            f"The relation between {gene} and {disease} remained unclear.",
            "Results were inconsistent between centers.",
        ]
    return asked, evidence, fact.subject


def _pubmedqa(world: World) -> dict[str, dict[str, Any]]:
    """Labeled questions by PMID, and the official test ids with their answers."""
    draw = world.draw("pubmedqa")
    number = world.scale.train + 2 * world.scale.test
    # Roughly the shares of the real set: five yes, three no, one maybe.
    answers = draw.shuffled(
        [("yes", "yes", "yes", "yes", "yes", "no", "no", "no", "maybe")[i % 9] for i in range(number)]
    )
    found: dict[str, dict[str, Any]] = {}
    for i, answer in enumerate(answers):
        asked, evidence, gene = _question(world, draw, answer)
        contexts = [
            f"{draw.pick(BACKGROUND)} {gene.name} is expressed in many tissues.",
            filled(draw, METHODS),
            " ".join(evidence),
        ]
        found[str(14000000 + 41 * i)] = {
            "QUESTION": asked,
            "CONTEXTS": contexts,
            "LABELS": ["BACKGROUND", "METHODS", "RESULTS"],
            "MESHES": ["Humans", "Risk"],
            "YEAR": str(2001 + i % 18),
            "reasoning_required_pred": answer,
            "reasoning_free_pred": answer,
            "final_decision": answer,
            "LONG_ANSWER": f"{evidence[0]} {draw.pick(CLOSING)}",
        }
    test = {pmid: found[pmid]["final_decision"] for pmid in sorted(draw.some(list(found), world.scale.test))}
    return {"questions": found, "test": test}


def _bioasq(world: World) -> dict[str, str]:
    """The training file of task 7b and its five golden batches, with all four types of question."""
    draw = world.draw("bioasq")
    sizes = {"training7b": world.scale.train + world.scale.test // 2}
    sizes |= {f"7B{batch}_golden": max(2, world.scale.test // 5) for batch in range(1, 6)}
    return {
        f"BioASQ/{name}.json": json.dumps({"questions": [_bioasq_question(world, draw, i) for i in range(number)]})
        for name, number in sizes.items()
    }


def _bioasq_question(world: World, draw: Draw, i: int) -> dict[str, Any]:
    """Four of five are yes/no; the others have the types that the yes/no task leaves out."""
    identity = f"{draw.whole(0, 2**48):024x}"
    kind = ("factoid", "list", "summary")[i // 5 % 3] if i % 5 == 4 else "yesno"
    answer = ("yes", "no")[i % 2]
    asked, evidence, gene = _question(world, draw, answer)
    exact: Any = answer
    if kind != "yesno":
        asked = f"Which disease is related to {gene.name}?"
        disease = world.the("risk", gene).name
        exact = [[disease]]
    documents = [f"http://www.ncbi.nlm.nih.gov/pubmed/{draw.whole(11000000, 14000000)}" for _ in range(2)]
    texts = [filled(draw, METHODS), " ".join(evidence), draw.pick(CLOSING)]
    question = {
        "body": asked,
        "documents": documents,
        "ideal_answer": [evidence[0]],
        "exact_answer": exact,
        "concepts": ["http://www.disease-ontology.org/api/metadata/DOID:0"],
        "type": kind,
        "id": identity,
        "snippets": [
            {
                "offsetInBeginSection": 0,
                "offsetInEndSection": len(text),
                "text": text,
                "beginSection": "abstract",
                "document": draw.pick(documents),
                "endSection": "abstract",
            }
            for text in texts
        ],
    }
    if kind == "summary":
        del question["exact_answer"]
    return question
