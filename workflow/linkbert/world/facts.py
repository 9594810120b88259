"""What is true in the world: entities, and facts that link them. Homonyms share a name but never a title."""

from collections import defaultdict
from dataclasses import dataclass, field

from linkbert.world import names
from linkbert.world.draw import Draw


@dataclass(frozen=True)
class Scale:
    """How much of everything; `train` and `test` are examples per task (a dev set is as large as a test set)."""

    companies: int
    people: int
    cities: int
    films: int
    books: int
    drugs: int
    genes: int
    diseases: int
    studies: int
    train: int
    test: int


SCALES = {
    "tiny": Scale(12, 24, 6, 6, 3, 10, 8, 8, 40, 16, 8),
    "small": Scale(96, 210, 20, 36, 20, 40, 36, 30, 260, 120, 48),
}


@dataclass(frozen=True)
class Entity:
    """A thing with a name. `title` is that of its page; None for values such as years."""

    kind: str
    name: str
    title: str | None = None

    @property
    def key(self) -> str:
        return self.title or self.name


@dataclass(frozen=True)
class Fact:
    """`relation` holds between a subject and an object."""

    relation: str
    subject: Entity
    object: Entity


@dataclass
class World:
    """All entities by kind and all facts, in a fixed order."""

    seed: int
    scale: Scale
    kinds: dict[str, list[Entity]] = field(default_factory=lambda: defaultdict(list))
    facts: list[Fact] = field(default_factory=list)
    _by_subject: dict[Entity, list[Fact]] = field(default_factory=lambda: defaultdict(list))

    def draw(self, *names: object) -> Draw:
        """Choices of this world for a purpose."""
        return Draw(self.seed, *names)

    def add(self, kind: str, name: str, title: str | None = None) -> Entity:
        entity = Entity(kind, name, title)
        self.kinds[kind].append(entity)
        return entity

    def say(self, relation: str, subject: Entity, thing: Entity) -> None:
        fact = Fact(relation, subject, thing)
        self.facts.append(fact)
        self._by_subject[subject].append(fact)

    def about(self, subject: Entity, *relations: str) -> list[Fact]:
        """The facts of a subject, all or those of some relations, in that order."""
        found = self._by_subject.get(subject, [])
        if not relations:
            return list(found)
        return [fact for relation in relations for fact in found if fact.relation == relation]

    def the(self, relation: str, subject: Entity) -> Entity:
        """The object of a relation that has exactly one."""
        (fact,) = self.about(subject, relation)
        return fact.object

    def pages(self) -> list[Entity]:
        """Every entity with a page, in order of kinds."""
        return [entity for entities in self.kinds.values() for entity in entities if entity.title]


def year(number: int) -> Entity:
    return Entity("year", str(number))


def build(seed: int, scale: Scale) -> World:
    """The general world: countries, cities, rivers, products, companies in trade groups, people, films."""
    world = World(seed, scale)
    draw = world.draw("general")
    _places(world, draw)
    for product in names.PRODUCTS:
        world.add("product", product, product.capitalize())
    _people(world, draw)
    _companies(world, draw)
    _films(world, draw)
    _state(world, draw)
    return world


def _places(world: World, draw: Draw) -> None:
    for name in names.countries(draw, 4):
        world.add("country", name, name)
    for name in names.rivers(draw, 6):
        world.add("river", name, f"{name} (river)")
    for name in names.cities(draw, world.scale.cities):
        world.add("city", name, name)


def _titled(world: World, kind: str, named: list[tuple[str, str]]) -> None:
    """Add entities; those that share a name get a title with the hint in brackets, as an encyclopedia does."""
    shared = defaultdict(int)
    for name, _ in named:
        shared[name] += 1
    taken: set[str] = set()
    for name, hint in named:
        title = name if shared[name] == 1 else f"{name} ({hint})"
        if title not in taken:
            taken.add(title)
            world.add(kind, name, title)


def _people(world: World, draw: Draw) -> None:
    surnames = names.surnames(draw, max(12, world.scale.people // 6))
    named = []
    while len(named) < world.scale.people:
        name = f"{draw.pick(names.FIRST)} {draw.pick(surnames)}"
        named.append((name, f"born {1900 + len(named) * 7 % 97}"))
    _titled(world, "person", named)


def _companies(world: World, draw: Draw) -> None:
    firms = names.firms(draw, max(6, world.scale.companies // 3))
    cities = world.kinds["city"]
    named = []
    for _ in range(world.scale.companies):
        named.append((f"{draw.pick(firms)} {draw.pick(names.KINDS)}", draw.pick(cities).name))
    _titled(world, "company", named)


def _films(world: World, draw: Draw) -> None:
    titles = [f"{head} {tail}" for head in names.FILM_HEADS for tail in names.FILM_TAILS]
    for name in draw.some(titles, world.scale.films):
        world.add("film", name, f"{name} (film)")


def _state(world: World, draw: Draw) -> None:
    """Draw every fact. Companies form trade groups of three, whose pages repeat one another's seat and product."""
    kinds = world.kinds
    countries, cities, people, companies = (kinds[kind] for kind in ("country", "city", "person", "company"))
    homes = {city: countries[0] if draw.chance(0.4) else draw.pick(countries) for city in cities}
    for i, country in enumerate(countries):
        inside = [city for city in cities if homes[city] == country] or cities
        world.say("capital", country, draw.pick(inside))
        world.say("language", country, Entity("language", names.LANGUAGES[i]))
        world.say("currency", country, Entity("currency", names.CURRENCIES[i]))
    for river in kinds["river"]:
        world.say("flows", river, draw.pick(countries))
        world.say("length", river, Entity("number", str(draw.whole(60, 900))))
    for city in cities:
        world.say("country", city, homes[city])
        world.say("river", city, draw.pick(kinds["river"]))
        world.say("famous", city, draw.pick(kinds["product"]))
        world.say("settled", city, year(draw.whole(1100, 1790)))
        world.say("mayor", city, draw.pick(people))
    for product in kinds["product"]:
        world.say("material", product, Entity("material", names.PRODUCTS[product.name]))
    for company in companies:
        world.say("seat", company, draw.pick(cities))
        world.say("product", company, draw.pick(kinds["product"]))
        world.say("founded", company, year(draw.whole(1820, 1990)))
        world.say("founder", company, draw.pick(people))
    group = draw.shuffled(companies)
    for first in range(0, len(group) - 2, 3):
        trio = group[first : first + 3]
        for company in trio:
            for partner in trio:
                if partner != company:
                    world.say("partner", company, partner)
    for person in people:
        world.say("born", person, draw.pick(cities))
        hint = person.key.partition("(born ")[2].rstrip(")")
        world.say("birth", person, year(int(hint) if hint else draw.whole(1900, 1996)))
        world.say("occupation", person, Entity("occupation", draw.pick(names.OCCUPATIONS)))
        employer, former = draw.some(companies, 2)
        world.say("employer", person, employer)
        world.say("former", person, former)
        world.say("teacher", person, draw.other(people, person))
    for film in kinds["film"]:
        world.say("director", film, draw.pick(people))
        world.say("actor", film, draw.pick(people))
        world.say("set", film, draw.pick(cities))
        world.say("released", film, year(draw.whole(1930, 2015)))
