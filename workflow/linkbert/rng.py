"""Randomness that depends only on what it is for: never on the number of cores, shards or ranks.

Two tools. `generator` gives a numpy Generator for a named purpose, to be passed by hand to whatever draws.
`uniform` and `mix` are counter based: the value for an index is a pure function of (key, index), so any part of
a sequence can be computed anywhere, in any order (splitmix64, Steele et al., OOPSLA 2014).
"""

import hashlib

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def key_of(*names: object) -> int:
    """A 64-bit key from any names, e.g. ``key_of(seed, "relation", epoch)``."""
    digest = hashlib.sha256("\x1f".join(str(name) for name in names).encode()).digest()
    return int.from_bytes(digest[:8], "little")


def generator(*names: object) -> np.random.Generator:
    """An independent numpy Generator for a named purpose, e.g. ``generator(seed, "few-shot", task)``."""
    return np.random.Generator(np.random.Philox(key_of(*names)))


def mix(key: int, index: np.ndarray) -> np.ndarray:
    """Pseudo-random uint64 [n] for uint64/int64 counters [n] under a key."""
    with np.errstate(over="ignore"):
        z = np.asarray(index).astype(np.uint64) * _GOLDEN + np.uint64(key)
        z = (z ^ (z >> np.uint64(30))) * _FIRST
        z = (z ^ (z >> np.uint64(27))) * _SECOND
        return z ^ (z >> np.uint64(31))


def uniform(key: int, index: np.ndarray) -> np.ndarray:
    """Pseudo-random float64 [n] in [0, 1) for counters [n] under a key."""
    return (mix(key, index) >> np.uint64(11)).astype(np.float64) * 2.0**-53
