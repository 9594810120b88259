"""What a page says: its own facts, then facts of the pages that it links to, in other words than theirs."""

from linkbert.world.draw import Draw
from linkbert.world.facts import Entity, Fact, World
from linkbert.world.wordings import SCENES, sentence


def paragraphs(world: World, page: Entity, draw: Draw) -> list[list[Fact]]:
    """The facts of a page, by paragraph; the first paragraph is about the page's own subject alone."""
    return [facts for facts in _PAGES[page.kind](world, page, draw) if facts]


def _company(world: World, page: Entity, draw: Draw) -> list[list[Fact]]:
    own = world.about(page, "seat", "product", "founded", "founder")
    partners = []
    for fact in world.about(page, "partner"):
        partners += [fact, *world.about(fact.object, "seat", "product")]
    founder, seat = world.the("founder", page), world.the("seat", page)
    around = [*world.about(founder, "occupation", "born"), *world.about(seat, "country", "river")]
    return [own, partners, around]


def _person(world: World, page: Entity, draw: Draw) -> list[list[Fact]]:
    own = world.about(page, "born", "birth", "occupation", "teacher")
    posts = []
    for fact in world.about(page, "employer", "former"):
        posts += [fact, *world.about(fact.object, "seat", "product")]
    around = [*world.about(world.the("born", page), "country", "famous")]
    around += world.about(world.the("teacher", page), "occupation", "employer")
    return [own, posts, around]


def _city(world: World, page: Entity, draw: Draw) -> list[list[Fact]]:
    own = world.about(page, "country", "river", "famous", "settled")
    mayor = world.about(page, "mayor")
    life = [*mayor, *world.about(mayor[0].object, "occupation")]
    seated = [c for c in world.kinds["company"] if world.the("seat", c) == page]
    trade = [fact for company in draw.some(seated, 3) for fact in world.about(company, "seat", "product")]
    return [own, life, trade, world.about(world.the("country", page), "capital", "language")]


def _country(world: World, page: Entity, draw: Draw) -> list[list[Fact]]:
    inside = [fact for fact in world.facts if fact.relation in ("country", "flows") and fact.object == page]
    return [world.about(page), draw.some(inside, 6)]


def _river(world: World, page: Entity, draw: Draw) -> list[list[Fact]]:
    along = [fact for fact in world.facts if fact.relation == "river" and fact.object == page]
    return [world.about(page), draw.some(along, 4), world.about(world.the("flows", page), "capital")]


def _product(world: World, page: Entity, draw: Draw) -> list[list[Fact]]:
    makers = [fact for fact in world.facts if fact.relation in ("product", "famous") and fact.object == page]
    return [world.about(page), draw.some(makers, 6)]


def _film(world: World, page: Entity, draw: Draw) -> list[list[Fact]]:
    own = world.about(page, "director", "actor", "set", "released")
    crew = [*world.about(world.the("director", page), "born", "occupation", "teacher")]
    crew += [*world.about(world.the("actor", page), "birth", "born"), *world.about(world.the("set", page), "country")]
    return [own, crew]


_PAGES = {
    "company": _company,
    "person": _person,
    "city": _city,
    "country": _country,
    "river": _river,
    "product": _product,
    "film": _film,
}


def passage(
    facts: list[Fact], draw: Draw, scenes: int = 0, separator: str = " "
) -> tuple[str, list[tuple[Fact, tuple[int, int]]]]:
    """Plain text of facts in the given order, and where each fact's object stands in it as ``(start, end)``."""
    text, found, previous = "", [], None
    at = set(draw.some(range(1, len(facts) + 1), scenes))
    for i, fact in enumerate(facts):
        if i in at:
            text += (separator if text else "") + draw.pick(SCENES)
            previous = None
        words, spans = sentence(fact, draw, previous=previous)
        start = len(text) + (len(separator) if text else 0)
        text += (separator if text else "") + words
        found.append((fact, (start + spans["o"][0], start + spans["o"][1])))
        previous = fact.subject
    return text, found
