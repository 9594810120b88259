"""The biomedical half of the world: drugs, genes, diseases, and the studies that report on them and cite each other."""

from dataclasses import dataclass

from linkbert.world import names
from linkbert.world.draw import Draw
from linkbert.world.facts import Entity, World

SYMPTOMS = ["fever", "nausea", "headache", "dizziness", "chest pain", "skin rash", "fatigue", "blurred vision"]
SYMPTOMS += ["joint pain", "dry cough", "vomiting", "hair loss"]
# How a drug acts on a gene product: relation -> ChemProt group and type.
ACTIONS = {
    "activates": ("CPR:3", "ACTIVATOR"),
    "inhibits": ("CPR:4", "INHIBITOR"),
    "agonist": ("CPR:5", "AGONIST"),
    "antagonist": ("CPR:6", "ANTAGONIST"),
    "substrate": ("CPR:9", "SUBSTRATE"),
}
INTERACTIONS = ("mechanism", "effect", "advise", "int")
# The top of the taxonomy of Hanahan and Weinberg, and a second level as the corpus writes it.
HALLMARKS = {
    "proliferation": "Sustaining proliferative signaling--Receptors",
    "suppressors": "Evading growth suppressors--By evading contact inhibition",
    "death": "Resisting cell death--Apoptosis",
    "immortality": "Enabling replicative immortality--Senescence",
    "vessels": "Inducing angiogenesis--By deregulating angiogenesis",
    "invasion": "Activating invasion and metastasis--Metastasis",
    "mutation": "Genomic instability and mutation--Mutation",
    "inflammation": "Tumor promoting inflammation--Inflammation--Oxidative stress",
    "energy": "Cellular energetics--Glycolysis/Warburg effect",
    "immunity": "Avoiding immune destruction--Immune response",
}
STUDY_KINDS = ("trial", "target", "association", "interaction", "hallmark")


@dataclass(frozen=True)
class Study:
    """A published study: its subject, its date and the numbers of earlier studies that it cites."""

    pmid: int
    kind: str
    date: tuple[int, int, int]
    entities: tuple[Entity, ...]
    cites: tuple[int, ...]
    outside: tuple[int, ...]


def add_medicine(world: World) -> None:
    """Add drugs, genes and diseases with their facts to a world."""
    draw, scale = world.draw("medicine"), world.scale
    for name in names.drugs(draw, scale.drugs):
        world.add("drug", name)
    for name in names.genes(draw, scale.genes):
        world.add("gene", name)
    organs = {}
    for name, organ in names.diseases(draw, scale.diseases):
        organs[world.add("disease", name)] = organ
    drugs, genes, diseases = (world.kinds[kind] for kind in ("drug", "gene", "disease"))
    for i, disease in enumerate(diseases):
        world.say("organ", disease, Entity("organ", organs[disease]))
        for symptom in draw.some(SYMPTOMS, 3):
            world.say("symptom", disease, Entity("symptom", symptom))
        # Every disease has one drug of choice, so that a vignette has one right answer.
        world.say("choice", disease, drugs[i % len(drugs)])
    for drug in drugs:
        treated = [disease for disease in diseases if world.the("choice", disease) == drug]
        for disease in treated or [draw.pick(diseases)]:
            world.say("treats", drug, disease)
        world.say(draw.pick(list(ACTIONS)), drug, draw.pick(genes))
        world.say("side_effect", drug, Entity("symptom", draw.pick(SYMPTOMS)))
        partner = draw.other(drugs, drug)
        world.say(draw.pick(INTERACTIONS), drug, partner)
    for gene in genes:
        risky, unrelated = draw.some(diseases, 2)
        world.say("risk", gene, risky)
        world.say("no_risk", gene, unrelated)
        for hallmark in draw.some(list(HALLMARKS), 1 + draw.chance(0.3)):
            world.say("hallmark", gene, Entity("hallmark", hallmark))


def action(world: World, drug: Entity) -> tuple[str, Entity]:
    """How a drug acts, and on which gene product."""
    (fact,) = world.about(drug, *ACTIONS)
    return fact.relation, fact.object


def interaction(world: World, drug: Entity) -> tuple[str, Entity]:
    """The kind of a drug's interaction, and the other drug."""
    (fact,) = world.about(drug, *INTERACTIONS)
    return fact.relation, fact.object


def studies(world: World) -> list[Study]:
    """The literature, oldest first, 2001 to 2021: a study cites earlier ones that share a subject, and old reviews."""
    draw, number = world.draw("studies"), world.scale.studies
    dates = sorted((draw.whole(2001, 2021), draw.whole(1, 12), draw.whole(1, 28)) for _ in range(number))
    found: list[Study] = []
    pmid = 11000000
    for i, date in enumerate(dates):
        pmid += draw.whole(1, 80000)
        kind = "review" if i % 20 == 0 else draw.pick(STUDY_KINDS)
        entities = _subjects(world, draw, kind)
        near = [study.pmid for study in found if set(study.entities) & set(entities)]
        reviews = [study.pmid for study in found if study.kind == "review"]
        cites = dict.fromkeys([*draw.some(near, 6), *draw.some(reviews, 1)])
        outside = tuple(draw.whole(1000000, 9000000) for _ in range(draw.whole(0, 3)))
        found.append(Study(pmid, kind, date, entities, tuple(cites), outside))
    return found


def _subjects(world: World, draw: Draw, kind: str) -> tuple[Entity, ...]:
    """The drugs, genes and diseases of a study; the findings follow from the world's facts about them."""
    if kind in ("trial", "target", "interaction"):
        drug = draw.pick(world.kinds["drug"])
        if kind == "trial":
            return drug, draw.pick(world.about(drug, "treats")).object
        return drug, action(world, drug)[1] if kind == "target" else interaction(world, drug)[1]
    if kind == "review":
        disease = draw.pick(world.kinds["disease"])
        return disease, world.the("choice", disease)
    gene = draw.pick(world.kinds["gene"])
    relation = "no_risk" if kind == "association" and draw.chance(0.4) else "risk"
    return gene, world.the(relation, gene)
