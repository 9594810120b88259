"""Five entity tagging sets (BIO, two columns) and EBM-NLP in SciBERT's layout."""

import re
from collections.abc import Sequence
from pathlib import Path

from linkbert.world.draw import Draw
from linkbert.world.facts import Fact, World
from linkbert.world.medical_wordings import FINDINGS, METHODS, filled, finding
from linkbert.world.medicine import ACTIONS, INTERACTIONS

_TOKEN = re.compile(r"\w+|[^\w\s]")
# Set -> (kinds that are tagged, relations its sentences come from). The others stand untagged beside them.
_SETS = {
    "BC5CDR-chem": (("drug",), ("treats", "choice", "side_effect")),
    "BC5CDR-disease": (("disease", "symptom"), ("treats", "choice", "side_effect", "symptom")),
    "NCBI-disease": (("disease",), ("risk", "no_risk", "organ", "treats")),
    "BC2GM": (("gene",), ("risk", "no_risk", *ACTIONS, "hallmark")),
    "JNLPBA": (("gene",), ("hallmark", *ACTIONS, "risk")),
}

Tagged = list[tuple[str, str]]


def write_ner(world: World, folder: Path) -> None:
    """Write ``blurb-<set>-{train,devel,test}.tsv`` for the five tagging sets, and EBM-NLP."""
    sizes = {"train": world.scale.train, "devel": world.scale.test, "test": world.scale.test}
    for name, (kinds, relations) in _SETS.items():
        draw = world.draw("ner", name)
        facts = [fact for fact in world.facts if fact.relation in relations]
        for split, number in sizes.items():
            sentences = [_tagged_finding(draw.pick(facts), kinds, draw) for _ in range(number)]
            # Every fourth sentence names nothing: a tagger has to learn that, too.
            sentences[3::4] = [[(word, "O") for word in words(filled(draw, METHODS))] for _ in sentences[3::4]]
            text = "".join("".join(f"{word}\t{tag}\n" for word, tag in sentence) + "\n" for sentence in sentences)
            (folder / f"blurb-{name}-{split}.tsv").write_text(text, encoding="utf-8")
    _write_ebm(world, folder)


def words(text: str) -> list[str]:
    """Words and punctuation marks, each a token."""
    return _TOKEN.findall(text)


def tagged(text: str, spans: Sequence[tuple[int, int]]) -> Tagged:
    """Tokens with B at the first token of a span, I inside, O elsewhere."""
    found = []
    for match in _TOKEN.finditer(text):
        inside = [start for start, end in spans if start <= match.start() < end]
        found.append((match[0], "O" if not inside else "B" if match.start() == inside[0] else "I"))
    return found


def _tagged_finding(fact: Fact, kinds: Sequence[str], draw: Draw) -> Tagged:
    text, spans = finding(fact, draw)
    kind = {"s": fact.subject.kind, "o": fact.object.kind}
    return tagged(text, [span for name, span in spans.items() if kind[name] in kinds])


def _write_ebm(world: World, folder: Path) -> None:
    """Write ``blurb-EBM-NLP-{train,dev,test}.txt``: trials, who took part (PAR), was given (INT), was seen (OUT)."""
    draw = world.draw("ebm")
    sizes = {"train": world.scale.train // 2, "dev": world.scale.test // 2, "test": world.scale.test // 2}
    pmid = 10000000
    for split, number in sizes.items():
        text = ""
        for _ in range(number):
            pmid += draw.whole(1, 500)
            text += f"-DOCSTART- ({pmid})\n\n"
            for sentence in _trial(world, draw):
                text += "".join(f"{word} NN O {tag}\n" for word, tag in sentence) + "\n"
            text += "\n"
        (folder / f"blurb-EBM-NLP-{split}.txt").write_text(text, encoding="utf-8")


def _trial(world: World, draw: Draw) -> list[Tagged]:
    """The tagged sentences of one abstract."""
    fact = draw.pick([fact for fact in world.facts if fact.relation == "treats"])
    drug, disease = fact.subject.name, fact.object.name
    outcome = world.the("side_effect", fact.subject).name
    people = draw.pick(
        (f"{draw.whole(20, 400)} patients with {disease}", f"adults with {disease}", f"children with {disease}")
    )
    # Fields in braces are the tagged stretches.
    plan = [
        ("{INT} for {OUT} in {PAR} .", {"INT": drug, "OUT": f"the relief of {disease}", "PAR": people}),
        ("We compared {INT} in {PAR} .", {"INT": f"{drug} and placebo", "PAR": people}),
        ("The main measure was {OUT} after {n} weeks .", {"OUT": draw.pick((outcome, "survival", "quality of life"))}),
        ("{INT} reduced {OUT} in most cases .", {"INT": drug, "OUT": outcome}),
    ]
    sentences = []
    for template, fields in plan:
        sentence: Tagged = []
        for piece in template.replace("{n}", str(draw.whole(4, 52))).split():
            name = piece.strip("{}")
            tag = f"I-{name}" if name in fields else "O"
            sentence += [(word, tag) for word in words(fields.get(name, piece))]
        sentences.append(sentence)
    return sentences


def vocabulary_text(world: World) -> list[str]:
    """Every biomedical wording once for every fact it fits: text to train a vocabulary on."""
    draw = world.draw("biomedical text")
    known = {*FINDINGS, "hallmark", *INTERACTIONS}
    return [finding(fact, draw)[0] for fact in world.facts if fact.relation in known]
