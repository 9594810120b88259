"""English for facts: several wordings of each, and the questions whose answer is the object."""

from collections.abc import Callable, Mapping
from string import Formatter

from linkbert.world.draw import Draw
from linkbert.world.facts import Entity, Fact
from linkbert.world.names import SHE

SENTENCES: dict[str, tuple[str, ...]] = {
    "capital": ("The capital of {s} is {o}.", "{s} is governed from {o}.", "The parliament of {s} meets in {o}."),
    "language": ("Most people in {s} speak {o}.", "The official language of {s} is {o}."),
    "currency": ("The currency of {s} is the {o}.", "People in {s} pay with the {o}."),
    "flows": ("The {s} flows through {o}.", "The {s} is a river in {o}."),
    "length": ("The {s} is {o} kilometers long.", "The {s} runs for {o} kilometers from source to sea."),
    "country": ("{s} is a city in {o}.", "{s} lies in the south of {o}.", "{s} belongs to {o}."),
    "river": (
        "{s} stands on the river {o}.",
        "The river {o} runs through {s}.",
        "{s} was built on the banks of the {o}.",
    ),
    "famous": (
        "{s} is famous for its {o}.",
        "Visitors come to {s} for its {o}.",
        "The {o} from {s} are sold everywhere.",
    ),
    "settled": ("{s} was first settled in {o}.", "The oldest record of {s} dates from {o}."),
    "mayor": ("The mayor of {s} is {o}.", "{o} was elected mayor of {s}.", "{s} has been led by {o} for many years."),
    "material": ("Good {s} are made of {o}.", "The main material of {s} is {o}.", "Makers of {s} need a lot of {o}."),
    "seat": (
        "{s} is based in {o}.",
        "{s} has its head office in {o}.",
        "The headquarters of {s} are in {o}.",
        "{s} runs its business from {o}.",
    ),
    "product": (
        "{s} makes {o}.",
        "{s} is best known for its {o}.",
        "{s} sells {o} at home and abroad.",
        "The main product of {s} is {o}.",
    ),
    "founded": ("{s} was founded in {o}.", "{s} opened its first workshop in {o}.", "{s} began in {o}."),
    "founder": ("{o} founded {s}.", "{s} was set up by {o}.", "The founder of {s} was {o}."),
    "partner": ("{s} works closely with {o}.", "{s} is a partner of {o}.", "{s} shares a warehouse with {o}."),
    "born": ("{s} was born in {o}.", "{s} comes from {o}.", "{s} spent a happy childhood in {o}."),
    "birth": ("The birth year of {s} is {o}.", "{s} was born in the year {o}."),
    "occupation": ("{s} is a {o}.", "{s} became a {o} at an early age.", "{s} earns a living as a {o}."),
    "employer": ("{s} works for {o}.", "{s} has a post at {o}.", "{s} is employed by {o}."),
    "former": ("{s} used to work for {o}.", "{s} once left {o} after a quarrel.", "{s} had a first job at {o}."),
    "teacher": ("{s} studied under {o}.", "The teacher of {s} was {o}.", "{s} learned the trade from {o}."),
    "director": ("{s} was directed by {o}.", "The director of {s} is {o}.", "{o} made {s} on a small budget."),
    "actor": ("{o} plays the leading role in {s}.", "The star of {s} is {o}.", "{s} stars {o}."),
    "set": ("{s} is set in {o}.", "The story of {s} takes place in {o}.", "Most of {s} was filmed in {o}."),
    "released": ("{s} was released in {o}.", "{s} reached the cinemas in {o}.", "{s} was first shown in {o}."),
}

QUESTIONS: dict[str, tuple[str, ...]] = {
    "capital": ("What is the capital of {s}?", "Which city is the capital of {s}?"),
    "language": ("What language is spoken in {s}?", "Which language do most people in {s} speak?"),
    "currency": ("What is the currency of {s}?", "What do people in {s} pay with?"),
    "flows": ("Which country does the {s} flow through?", "In which country is the river {s}?"),
    "country": ("In which country is {s}?", "Which country does {s} belong to?"),
    "river": ("On which river does {s} stand?", "Which river runs through {s}?"),
    "famous": ("What is {s} famous for?", "Which product do visitors come to {s} for?"),
    "settled": ("When was {s} first settled?", "In which year was {s} settled?"),
    "mayor": ("Who is the mayor of {s}?", "Who was elected mayor of {s}?"),
    "seat": ("Where is {s} based?", "In which city does {s} have its head office?"),
    "product": ("What does {s} make?", "What is the main product of {s}?"),
    "founded": ("When was {s} founded?", "In which year did {s} begin?"),
    "founder": ("Who founded {s}?", "Who was the founder of {s}?"),
    "born": ("Where was {s} born?", "Which city does {s} come from?"),
    "birth": ("In which year was {s} born?", "What is the birth year of {s}?"),
    "occupation": ("What is the occupation of {s}?", "What does {s} do for a living?"),
    "employer": ("Who does {s} work for?", "Which company employs {s}?"),
    "former": ("Which company did {s} use to work for?", "Where did {s} have a first job?"),
    "teacher": ("Who was the teacher of {s}?", "Under whom did {s} study?"),
    "director": ("Who directed {s}?", "Who is the director of {s}?"),
    "actor": ("Who plays the leading role in {s}?", "Who is the star of {s}?"),
    "set": ("Where is {s} set?", "In which city does the story of {s} take place?"),
    "released": ("When was {s} released?", "In which year was {s} first shown?"),
}

# What a sentence of a book or the filler of a page may be about; nothing in it depends on the world's facts.
SCENES = (
    "The market opens early and closes late.",
    "The winters are cold and the summers are short.",
    "A narrow bridge leads to the old quarter.",
    "The town hall was rebuilt after a great fire.",
    "Many visitors arrive by train in the spring.",
    "Nobody remembers who planted the tall trees.",
    "A small museum tells the story in three rooms.",
    "The streets are quiet on Sundays.",
    "Every year a fair is held near the station.",
    "Some of the letters are kept in a private library.",
    "Critics were kind, but the public stayed away.",
    "The first years were hard and money was short.",
)


def pronoun(entity: Entity) -> str:
    """How a second sentence may call the same subject."""
    if entity.kind == "person":
        return "she" if entity.name.split()[0] in SHE else "he"
    return "it"


def fill(template: str, texts: Mapping[str, str]) -> tuple[str, dict[str, tuple[int, int]]]:
    """A template with its fields filled, and the ``(start, end)`` of each field in the text; starts with a capital.

    >>> fill("{s} is in {o}.", {"s": "it", "o": "Aldmere"})
    ('It is in Aldmere.', {'s': (0, 2), 'o': (9, 16)})
    """
    text, spans = "", {}
    for literal, name, _, _ in Formatter().parse(template):
        text += literal
        if name is not None:
            spans[name] = (len(text), len(text) + len(texts[name]))
            text += texts[name]
    return text[:1].upper() + text[1:], spans


def sentence(
    fact: Fact,
    draw: Draw,
    mention: Callable[[Entity], str] = lambda entity: entity.name,
    previous: Entity | None = None,
) -> tuple[str, dict[str, tuple[int, int]]]:
    """A wording of a fact, and where its subject ("s") and object ("o") stand.

    `mention` writes an entity (with markup, say). A subject that was also the `previous` sentence's may be a pronoun.
    """
    template = draw.pick(SENTENCES[fact.relation])
    if fact.subject == previous and template.startswith("{s} ") and draw.chance(0.5):
        subject = pronoun(fact.subject)
    else:
        subject = mention(fact.subject)
    return fill(template, {"s": subject, "o": mention(fact.object)})


def question(fact: Fact, draw: Draw) -> str:
    """A question whose answer is the fact's object."""
    return fill(draw.pick(QUESTIONS[fact.relation]), {"s": fact.subject.name})[0]
