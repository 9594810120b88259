"""Three relation sets in their raw forms: ChemProt (BioCreative VI tables), DDI (XML), GAD (sentences)."""

from pathlib import Path
from xml.sax.saxutils import quoteattr

from linkbert.world.archives import table, write_zip
from linkbert.world.draw import Draw
from linkbert.world.facts import Fact, World
from linkbert.world.medical_wordings import METHODS, filled, finding
from linkbert.world.medicine import ACTIONS, INTERACTIONS, action, interaction


def write_relations(world: World, folder: Path) -> None:
    """Write ``blurb-ChemProt.zip``, ``blurb-DDI.zip`` and ``blurb-GAD.zip``."""
    write_zip(folder / "blurb-ChemProt.zip", _chemprot(world))
    write_zip(folder / "blurb-DDI.zip", _ddi(world))
    write_zip(folder / "blurb-GAD.zip", _gad(world))


def _chemprot(world: World) -> dict[str, str]:
    """Abstracts, entities (offsets into ``title + one character + abstract``), relations, the five scored groups."""
    draw = world.draw("chemprot")
    sizes = {"training": world.scale.train, "development": world.scale.test, "test_gs": world.scale.test}
    members, pmid = {}, 12000000
    for split, pairs in sizes.items():
        tables: dict[str, list[tuple[object, ...]]] = {
            "abstracts": [],
            "entities": [],
            "relations": [],
            "gold_standard": [],
        }
        for _ in range(max(1, pairs // 3)):
            pmid += draw.whole(1, 900)
            _chemprot_document(world, draw, pmid, tables)
        for name, rows in tables.items():
            members[f"ChemProt/chemprot_{split}_{name}.tsv"] = table(rows)
    return members


def _chemprot_document(world: World, draw: Draw, pmid: int, tables: dict[str, list[tuple[object, ...]]]) -> None:
    """Three statements about a drug and a gene product: about half of them a relation that is scored."""
    text, mentions, relations = "", [], []
    title = f"{draw.pick(('Actions', 'Targets', 'Effects'))} of new compounds."
    for _ in range(3):
        drug = draw.pick(world.kinds["drug"])
        relation, gene = action(world, drug)
        if draw.chance(0.3):
            relation, gene = "none", draw.other(world.kinds["gene"], gene)
        words, spans = finding(Fact(relation, drug, gene), draw)
        start = len(title) + 1 + len(text)
        found = []
        for field, kind in (("s", "CHEMICAL"), ("o", f"GENE-{draw.pick('YN')}")):
            first, last = spans[field]
            mentions.append((f"T{len(mentions) + 1}", kind, start + first, start + last, words[first:last]))
            found.append(mentions[-1][0])
        relations.append((relation, *found))
        text += f"{words} {filled(draw, METHODS)} "
    tables["abstracts"].append((pmid, title, text.strip()))
    tables["entities"] += [(pmid, *mention) for mention in mentions]
    for relation, chemical, gene in relations:
        arguments = (f"Arg1:{chemical}", f"Arg2:{gene}")
        if relation == "none":
            if draw.chance(0.3):
                tables["relations"].append((pmid, "CPR:10", "N ", "NOT", *arguments))
            continue
        group, name = ACTIONS[relation]
        tables["relations"].append((pmid, group, "Y ", name, *arguments))
        tables["gold_standard"].append((pmid, group, *arguments))


def _ddi(world: World) -> dict[str, str]:
    """XML documents in the folders of the 2013 corpus; offsets are of characters, ends inclusive."""
    draw = world.draw("ddi")
    train, test = world.scale.train // 2, world.scale.test // 2
    plan = [("Train/DrugBank", train * 3 // 4), ("Train/MedLine", train // 4)]
    plan += [("Test/Test for DDI Extraction task/DrugBank", test * 3 // 4)]
    plan += [("Test/Test for DDI Extraction task/MedLine", test // 4)]
    # The test set of the other task of that year, which is not a test set for relations.
    plan += [("Test/Test for DrugNER task/MedLine", 2)]
    members, number = {}, 0
    for place, documents in plan:
        for _ in range(max(1, documents)):
            source = place.rsplit("/", 1)[1]
            drug = draw.pick(world.kinds["drug"])
            name = f"{drug.name.capitalize()}_{number}" if source == "DrugBank" else str(20000000 + number)
            members[f"DDICorpus/{place}/{name}.xml"] = _ddi_document(
                world, draw, f"DDI-{source}.d{number}", "NER" not in place
            )
            number += 1
    return members


def _ddi_document(world: World, draw: Draw, identity: str, pairs: bool) -> str:
    """Two statements about pairs of drugs, one without any, and now and then three drugs that do not interact."""
    lines = [f'<?xml version="1.0" encoding="UTF-8"?>\n<document id="{identity}">\n']
    for i in range(4 if draw.chance(0.25) else 3):
        sentence = f"{identity}.s{i}"
        if i == 2:
            lines.append(f"    <sentence id={quoteattr(sentence)} text={quoteattr(filled(draw, METHODS))}/>\n")
            continue
        if i == 3:
            names = [drug.name for drug in draw.some(world.kinds["drug"], 3)]
            text = f"The groups received {names[0]}, {names[1]} or {names[2]} alone."
            spans = [(text.index(name), text.index(name) + len(name)) for name in names]
            relation = "false"
        else:
            drug = draw.pick(world.kinds["drug"])
            relation, other = interaction(world, drug)
            if draw.chance(0.25):
                relation, other = "false", draw.other(world.kinds["drug"], drug)
            text, found = finding(Fact(relation, drug, other), draw)
            spans = sorted(found.values())
        lines.append(f"    <sentence id={quoteattr(sentence)} text={quoteattr(text)}>\n")
        for n, (start, end) in enumerate(spans):
            lines.append(
                f'        <entity id="{sentence}.e{n}" charOffset="{start}-{end - 1}"\n'
                f'            type="drug" text={quoteattr(text[start:end])}/>\n'
            )
        if pairs:
            lines += _ddi_pairs(sentence, len(spans), relation)
        lines.append("    </sentence>\n")
    return "".join([*lines, "</document>\n"])


def _ddi_pairs(sentence: str, entities: int, relation: str) -> list[str]:
    """A pair element for every two entities of a sentence."""
    kind = f' type="{relation}"' if relation in INTERACTIONS else ""
    truth = "true" if kind else "false"
    both = [(one, two) for one in range(entities) for two in range(one + 1, entities)]
    return [
        f'        <pair id="{sentence}.p{n}" e1="{sentence}.e{one}"\n'
        f'            e2="{sentence}.e{two}" ddi="{truth}"{kind}/>\n'
        for n, (one, two) in enumerate(both)
    ]


def _gad(world: World) -> dict[str, str]:
    """Sentences whose gene and disease are masked; the training file has no header, the test file has one."""
    draw = world.draw("gad")
    rows = []
    for i in range(world.scale.train + 2 * world.scale.test):
        relation = ("risk", "no_risk")[i % 2]
        fact = draw.pick([fact for fact in world.facts if fact.relation == relation])
        text, spans = finding(fact, draw)
        for field, mask in sorted((("s", "@GENE$"), ("o", "@DISEASE$")), key=lambda pair: -spans[pair[0]][0]):
            start, end = spans[field]
            text = text[:start] + mask + text[end:]
        also = draw.other(world.kinds["gene"], fact.subject).name
        rows.append(
            (
                f"{text[:-1]}, {draw.pick(('unlike', 'together with', 'as reported for'))} {also}.",
                int(relation == "risk"),
            )
        )
    test = rows[-world.scale.test :]
    return {
        "GAD/1/train.tsv": table(draw.shuffled(rows[: -world.scale.test])),
        "GAD/1/test.tsv": table([("index", "sentence", "label"), *((i, *row) for i, row in enumerate(test))]),
    }
