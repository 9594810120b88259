"""English for the biomedical facts, shared by abstracts, benchmarks and vignettes. Fields: {s} subject, {o} object."""

from linkbert.world.draw import Draw
from linkbert.world.facts import Fact
from linkbert.world.wordings import fill

FINDINGS: dict[str, tuple[str, ...]] = {
    "organ": ("{s} is a {o} disease.", "{s} belongs to the group of {o} diseases."),
    "symptom": (
        "Patients with {s} often present with {o}.",
        "{o} is a typical symptom of {s}.",
        "A common sign of {s} is {o}.",
    ),
    "choice": (
        "The drug of choice for {s} is {o}.",
        "{s} is usually treated with {o}.",
        "Guidelines recommend {o} for patients with {s}.",
    ),
    "treats": (
        "{s} is effective in the treatment of {o}.",
        "{s} improved survival in patients with {o}.",
        "Treatment with {s} reduced the severity of {o}.",
    ),
    "side_effect": (
        "The most common side effect of {s} was {o}.",
        "{o} was reported in patients who received {s}.",
        "Some patients on {s} developed {o}.",
    ),
    "activates": (
        "{s} strongly activates {o}.",
        "Activation of {o} by {s} was observed.",
        "{s} increased the activity of {o}.",
    ),
    "inhibits": ("{s} inhibits {o}.", "Inhibition of {o} by {s} was observed.", "{s} blocked the activity of {o}."),
    "agonist": ("{s} is a selective agonist of {o}.", "{s} acts as a full agonist at {o}."),
    "antagonist": ("{s} is a potent antagonist of {o}.", "{s} acts as a competitive antagonist at {o}."),
    "substrate": ("{s} is a substrate of {o}.", "{s} is metabolized by {o}."),
    "none": (
        "Serum levels of {s} were measured, and {o} was sequenced.",
        "{s} was stored at room temperature before {o} was cloned.",
        "No relation between {s} and {o} was studied here.",
    ),
    "mechanism": ("{s} increases the plasma concentration of {o}.", "{s} reduces the renal clearance of {o}."),
    "effect": ("{s} may enhance the sedative effects of {o}.", "The toxicity of {o} is greater when {s} is given."),
    "advise": ("{s} should not be combined with {o}.", "Caution is advised when {s} is given with {o}."),
    "int": ("{s} interacts with {o}.", "An interaction between {s} and {o} has been reported."),
    "false": ("Patients received either {s} or {o}.", "{s} and {o} were compared in two separate groups."),
    "risk": (
        "Variants of {s} are associated with {o}.",
        "{s} is a risk gene for {o}.",
        "Carriers of the {s} mutation have a higher risk of {o}.",
    ),
    "no_risk": (
        "We found no association between {s} and {o}.",
        "{s} does not contribute to the risk of {o}.",
        "The {s} polymorphism was not related to {o}.",
    ),
}
HALLMARK_FINDINGS: dict[str, tuple[str, ...]] = {
    "proliferation": (
        "{s} receptors keep sending growth signals.",
        "Growth signaling through {s} receptors was sustained.",
    ),
    "suppressors": ("Loss of {s} abolished contact inhibition.", "Cells without {s} ignored contact inhibition."),
    "death": ("{s} protects tumor cells from apoptosis.", "Apoptosis was reduced when {s} was expressed."),
    "immortality": ("{s} lets cells escape senescence.", "Senescence was delayed in cells with {s}."),
    "vessels": ("{s} promotes angiogenesis in tumors.", "New vessels formed when {s} was expressed."),
    "invasion": ("{s} drives invasion and metastasis.", "Metastasis to the lung depended on {s}."),
    "mutation": ("{s} deficiency raised the mutation rate.", "Mutations accumulated in cells without {s}."),
    "inflammation": ("{s} maintains chronic inflammation.", "Oxidative stress and inflammation followed {s} activity."),
    "energy": ("{s} shifts the cells to glycolysis.", "Glycolysis was increased by {s}."),
    "immunity": ("{s} hides tumor cells from the immune response.", "The immune response was weakened by {s}."),
}
BACKGROUND = (
    "The underlying mechanisms are poorly understood.",
    "Previous reports have been limited by small samples.",
    "Few data are available from controlled studies.",
    "This question has not been studied before.",
)
METHODS = (
    "We performed a retrospective analysis of hospital records.",
    "Samples were collected from {n} adult patients at two centers.",
    "A total of {n} patients were randomly assigned to treatment or placebo.",
    "Cell lines were cultured for {n} hours under standard conditions.",
    "Statistical analysis was carried out with a mixed model.",
    "The primary outcome was measured after {n} weeks.",
)
CLOSING = (
    "Further studies are needed to confirm these results.",
    "These findings may have implications for clinical practice.",
    "Larger trials with longer follow-up are warranted.",
    "Our data support the use of these markers in routine care.",
)


def finding(fact: Fact, draw: Draw) -> tuple[str, dict[str, tuple[int, int]]]:
    """A wording of a biomedical fact, and where its subject ("s") and object ("o") stand."""
    wordings = HALLMARK_FINDINGS[fact.object.name] if fact.relation == "hallmark" else FINDINGS[fact.relation]
    return fill(draw.pick(wordings), {"s": fact.subject.name, "o": fact.object.name})


def filled(draw: Draw, wordings: tuple[str, ...]) -> str:
    """A sentence about no entity, with a number where it wants one."""
    return draw.pick(wordings).format(n=draw.whole(12, 480))
