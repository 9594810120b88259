"""The weights that bring the realised mixture to the declared one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkbert.instances.mixture import draw, fit, realised

THIRDS = np.full(3, 1 / 3)


def kinds(**counts: int) -> np.ndarray:
    """Counts of anchors by possible relations, e.g. cr=5: contiguous and random."""
    result = np.zeros(8)
    for name, count in counts.items():
        result[sum(1 << "crl".index(letter) for letter in name)] = count
    return result


def test_everything_possible_needs_no_correction() -> None:
    assert fit(kinds(crl=10), THIRDS) == pytest.approx([1, 1, 1])
    assert realised(kinds(crl=10), np.array([2.0, 1, 1])) == pytest.approx([0.5, 0.25, 0.25])


@pytest.mark.parametrize(
    "counts",
    [
        kinds(crl=60, cr=40),  # linked must win more often where it can
        kinds(crl=40, cr=55, r=5),
        kinds(crl=50, rl=20, r=10, c=20),
    ],
)
def test_a_reachable_mixture_is_reached(counts: np.ndarray) -> None:
    assert realised(counts, fit(counts, THIRDS)) == pytest.approx(THIRDS, abs=1e-6)
    halves = np.array([0.5, 0.5, 0.0])
    assert realised(counts, fit(counts, halves)) == pytest.approx(halves, abs=1e-6)


def test_an_unreachable_mixture_is_approached() -> None:
    # Only a tenth of the anchors hold a link: all of them go to it, the rest is shared evenly.
    few = kinds(crl=10, cr=90)
    assert realised(few, fit(few, THIRDS)) == pytest.approx([0.45, 0.45, 0.1], abs=1e-4)
    # Half of the anchors can be random only.
    ends = kinds(crl=50, r=50)
    assert realised(ends, fit(ends, THIRDS)) == pytest.approx([0.25, 0.5, 0.25], abs=1e-4)
    # No link anywhere.
    assert realised(kinds(cr=9), fit(kinds(cr=9), THIRDS)) == pytest.approx([0.5, 0.5, 0], abs=1e-4)


@given(st.lists(st.integers(0, 1000), min_size=8, max_size=8), st.integers(0, 2))
def test_weights_are_always_usable(counts: list[int], absent: int) -> None:
    mixture = np.where(np.arange(3) == absent, 0, 0.5)
    weights = fit(np.array(counts, float), mixture)
    assert np.isfinite(weights).all()
    assert weights[absent] == 0
    assert (np.delete(weights, absent) > 0).all()


def test_draws_follow_the_weights_and_what_is_possible() -> None:
    chance = (np.arange(10_000) + 0.5) / 10_000
    everything = np.ones((10_000, 3), bool)
    drawn = draw(everything, np.array([1.0, 2.0, 1.0]), chance)
    assert np.bincount(drawn).tolist() == [2500, 5000, 2500]
    for allowed in range(8):
        possible = np.tile(np.arange(3) == np.arange(3), (10_000, 1)) & (allowed >> np.arange(3) & 1).astype(bool)
        drawn = draw(possible, np.array([0.2, 0.0, 0.7]), chance)
        wanted = {k for k in (0, 2) if allowed >> k & 1} or {-1}
        assert set(drawn.tolist()) == wanted


def test_the_highest_draw_stays_inside() -> None:
    weights = np.array([0.1, 0.2, 0.3])
    top = np.array([1 - 2.0**-53])
    for possible, relation in (([1, 1, 1], 2), ([1, 1, 0], 1), ([1, 0, 0], 0)):
        assert draw(np.array([possible], bool), weights, top) == relation


def test_the_lowest_draw_is_possible_too() -> None:
    for possible, relation in (([0, 1, 1], 1), ([0, 0, 1], 2), ([1, 0, 1], 0)):
        assert draw(np.array([possible], bool), np.array([0.1, 0.2, 0.3]), np.array([0.0])) == relation
