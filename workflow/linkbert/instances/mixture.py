"""How likely each relation must be drawn for the realised mixture to be the declared one.

Not every anchor can have every relation: the last sentence of a document has no continuation, and many segments hold
no link. Drawing among what is possible in the declared proportions would make the rest too frequent, so the relations
get weights: an anchor draws relation k with probability w_k / (sum of w over its possible relations).
"""

import numpy as np

# An anchor's kind is a number of three bits: 1 contiguous, 2 random, 4 linked are possible.
POSSIBLE = (np.arange(8)[:, None] >> np.arange(3) & 1).astype(bool)
_TURNS = 1000
_LEAST = 1e-9


def realised(kinds: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """float64 [3]: the shares of the relations for anchors counted by kind [8] under weights [3].

    Anchors without any possible relation of positive weight make no instance and do not count.
    """
    chances = POSSIBLE * weights
    total = chances.sum(axis=1)
    share = kinds @ np.divide(chances, total[:, None], out=np.zeros((8, 3)), where=total[:, None] > 0)
    return share / max(share.sum(), 1e-300)


def fit(kinds: np.ndarray, mixture: np.ndarray) -> np.ndarray:
    """The weights [3] whose realised shares are the declared `mixture` [3], or as near to it as the anchors permit.

    Iterative proportional fitting. Where the mixture can be had, it finds the solution that is most even over the
    kinds; where it cannot (too few anchors hold links, say), it tends to the nearest one in relative entropy.
    """
    weights = np.where(mixture > 0, 1.0, 0.0)
    share = np.zeros(3)
    for _ in range(_TURNS):
        before, share = share, realised(kinds, weights)
        factor = np.divide(mixture, share, out=np.ones(3), where=share > 0)
        weights = weights * factor
        weights = np.where(mixture > 0, np.maximum(weights / weights.max(), _LEAST), 0.0)
        if np.abs(share - before).max() < 1e-9:  # also where the mixture is out of reach and weights go on growing
            break
    return weights


def draw(possible: np.ndarray, weights: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """int64 [n]: a relation for each anchor from uniform draws [n], -1 where `possible` bool [n, 3] allows none."""
    ladder = np.cumsum(possible * weights, axis=1)
    # Rounding must not lift a draw to the top of the ladder, which belongs to no relation.
    height = np.minimum(chance * ladder[:, 2], np.nextafter(ladder[:, 2], 0))
    return np.where(ladder[:, 2] > 0, (height[:, None] >= ladder[:, :2]).sum(axis=1), -1)
