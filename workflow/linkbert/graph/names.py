"""From names to numbers in 24 bytes a name: a dictionary of millions of titles would take gigabytes."""

from collections.abc import Iterable
from hashlib import blake2b

import numpy as np

DIGEST = np.dtype([("key", "<u8"), ("check", "<u8")])


def digests(names: Iterable[str]) -> np.ndarray:
    """128 bits for each name, [n]: two of a hundred million names share them with a probability of 10^-23."""
    found = bytearray()
    for name in names:
        found += digest(name)
    return np.frombuffer(found, DIGEST)


def digest(name: str) -> bytes:
    """The 16 bytes of one name."""
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def capital(name: str) -> str:
    """The name with a capital first letter, as MediaWiki finds pages.

    >>> capital("ant"), capital("")
    ('Ant', '')
    """
    return name[:1].upper() + name[1:]


class Names:
    """Distinct names, numbered by the order of their first occurrence among all.

    `number` int64 [n]: the place of the first occurrence of each distinct name among those given.
    """

    def __init__(self, found: np.ndarray):
        order = np.lexsort((found["check"], found["key"]))  # stable: the first of equal names comes first
        ordered = found[order]
        first = np.ones(len(order), bool)
        first[1:] = ordered[1:] != ordered[:-1]
        self.key, self.check, self.number = ordered["key"][first], ordered["check"][first], order[first]

    def __len__(self) -> int:
        return len(self.number)

    def find(self, wanted: np.ndarray) -> np.ndarray:
        """int64 [m]: the numbers of names by their digests [m], -1 for those that are not there."""
        result = np.full(len(wanted), -1, np.int64)
        if not len(self):
            return result
        place = np.searchsorted(self.key, wanted["key"])
        open_ = np.arange(len(wanted))
        while len(open_):  # once, but for names that share the first 64 bits
            at = np.minimum(place[open_], len(self) - 1)
            same_key = (place[open_] < len(self)) & (self.key[at] == wanted["key"][open_])
            same = same_key & (self.check[at] == wanted["check"][open_])
            result[open_[same]] = self.number[at[same]]
            open_ = open_[same_key & ~same]
            place[open_] += 1
        return result
