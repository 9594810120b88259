"""Random choices by name: the same name gives the same choices, whatever else is drawn."""

from collections.abc import Sequence
from typing import TypeVar

from linkbert.rng import generator

T = TypeVar("T")


class Draw:
    """Choices for one purpose, e.g. ``Draw(seed, "wiki")``; adding draws elsewhere does not change them."""

    def __init__(self, *names: object):
        self.rng = generator("world", *names)

    def whole(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return bool(self.rng.random() < probability)

    def pick(self, items: Sequence[T]) -> T:
        """One item."""
        return items[int(self.rng.integers(len(items)))]

    def some(self, items: Sequence[T], number: int) -> list[T]:
        """At most `number` different items, in random order."""
        order = self.rng.permutation(len(items))[:number]
        return [items[int(i)] for i in order]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """All items in random order."""
        return self.some(items, len(items))

    def other(self, items: Sequence[T], *taken: T) -> T:
        """One item that is none of those taken."""
        return self.pick([item for item in items if item not in taken])
