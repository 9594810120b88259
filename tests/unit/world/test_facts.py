"""The facts of a world: consistent with each other, and told in sentences that keep track of their fields."""

from collections import Counter
from pathlib import Path

from linkbert.world.draw import Draw
from linkbert.world.facts import World
from linkbert.world.generate import create
from linkbert.world.wordings import QUESTIONS, SENTENCES, fill


def test_facts_are_consistent(made: tuple[World, Path]) -> None:
    world, _ = made
    titles = [entity.title for entity in world.pages()]
    assert len(titles) == len(set(titles)) and len(titles) > 380
    names = Counter(entity.name for entity in world.pages())
    assert sum(count > 1 for count in names.values()) >= 10, "homonyms"
    assert {fact.relation for fact in world.facts if fact.subject.title} == set(SENTENCES)
    assert set(QUESTIONS) <= set(SENTENCES)
    for relation in set(QUESTIONS) - {"partner"}:
        subjects = [fact.subject for fact in world.facts if fact.relation == relation]
        assert len(subjects) == len(set(subjects)), f"one answer to each question about {relation}"
    for company in world.kinds["company"]:
        for fact in world.about(company, "partner"):
            assert company in [other.object for other in world.about(fact.object, "partner")]


def test_fill_knows_where_the_fields_stand() -> None:
    text, spans = fill("{o} was set up by {s}.", {"s": "Elka Norley", "o": "it"})
    assert text == "It was set up by Elka Norley."
    assert [text[start:end] for start, end in (spans["s"], spans["o"])] == ["Elka Norley", "It"]


def test_choices_by_name_do_not_disturb_each_other() -> None:
    alone = Draw(0, "a")
    expected = [alone.whole(0, 99) for _ in range(5)]
    Draw(0, "b").shuffled(range(10))
    again = Draw(0, "a")
    assert [again.whole(0, 99) for _ in range(5)] == expected
    assert sorted(Draw(1, "c").shuffled(range(10))) == list(range(10))
    assert len(Draw(1, "d").some(["x", "y"], 5)) == 2
    assert create(0, "tiny").facts == create(0, "tiny").facts != create(1, "tiny").facts
