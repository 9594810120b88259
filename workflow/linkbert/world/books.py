"""Books: one sentence a line, with people and places of the world but no links."""

import re
from pathlib import Path

from linkbert.world.archives import write_gzip, write_tar
from linkbert.world.draw import Draw
from linkbert.world.facts import Entity, World
from linkbert.world.wordings import SCENES, pronoun, sentence

_WORD = re.compile(r"\w+|[^\w\s]")
_LINES = (
    "{name} walked to the station before the rain began.",
    '"{other} will never agree to that," said {name}.',
    "{pronoun} put the letter on the table and looked at the {thing}.",
    "On the way to {city} the train stopped twice.",
    "{name} had not seen {other} since the summer in {city}.",
    "The {thing} were old, but {pronoun} would not sell them.",
    '"Have you heard about {other}?" asked {name}.',
    "In the morning {pronoun} bought bread and two {thing}.",
    "The road to {city} was longer than {pronoun} remembered.",
    "{other} laughed and closed the window.",
    "That night {name} dreamed of the sea.",
    "Nothing had changed in {city}, and yet everything was different.",
    "{pronoun} counted the money again and again.",
    "When {other} came back, the house was empty.",
)


def write_books(world: World, folder: Path) -> None:
    """Write all books in the two forms in which BookCorpus is found.

    ``bookcorpus.txt.gz``: a blank line between books. ``bookcorpus.tar.bz2``: the public copy's two files, lower case,
    words and marks apart, without borders between books.
    """
    found = books(world)
    write_gzip(folder / "bookcorpus.txt.gz", "\n\n".join("\n".join(book) for book in found) + "\n")
    lines = [" ".join(_WORD.findall(line.lower())) + "\n" for book in found for line in book]
    half = len(lines) // 2
    parts = {"books_large_p1.txt": "".join(lines[:half]), "books_large_p2.txt": "".join(lines[half:])}
    write_tar(folder / "bookcorpus.tar.bz2", parts)


def books(world: World) -> list[list[str]]:
    """The sentences of each book."""
    draw = world.draw("books")
    return [_book(world, draw) for _ in range(world.scale.books)]


def _book(world: World, draw: Draw) -> list[str]:
    hero, *others = draw.some(world.kinds["person"], 4)
    cities = draw.some(world.kinds["city"], 3)
    lines = []
    for _ in range(draw.whole(60, 100)):
        if draw.chance(0.25):
            about = draw.pick([*others, hero, *cities])
            lines.append(sentence(draw.pick(world.about(about)), draw)[0])
        elif draw.chance(0.15):
            lines.append(draw.pick(SCENES))
        else:
            lines.append(_line(hero, draw.pick(others), draw.pick(cities), draw.pick(world.kinds["product"]), draw))
    return lines


def _line(hero: Entity, other: Entity, city: Entity, thing: Entity, draw: Draw) -> str:
    text = draw.pick(_LINES).format(
        name=hero.name, other=other.name.split()[0], city=city.name, thing=thing.name, pronoun=pronoun(hero)
    )
    return text[0].upper() + text[1:]
