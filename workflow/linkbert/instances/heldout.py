"""The documents that no model is trained on."""

import numpy as np

from linkbert.rng import key_of, uniform


def held_out(documents: int, seed: int, fraction: float) -> np.ndarray:
    """bool [D]: whether each document is held out, a pure function of its number, the seed and the fraction."""
    return uniform(key_of(seed, "heldout"), np.arange(documents)) < fraction
