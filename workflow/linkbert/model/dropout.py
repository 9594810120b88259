"""Dropout that depends on a sequence and a position, never on the batch around them.

An ordinary generator ties the mask of a token to everything drawn before it, so that results change with the number of
ranks and with the size of micro-batches. Here the mask of a token is a window of one fixed table of random bits; which
window follows from a hash of (key of the sequence, position, place in the model). The keys are drawn by whoever makes
the batch: `pretrain` derives them from seed, pass and instance. A table costs one gather: on a CPU that is faster than
drawing.
"""

from functools import lru_cache

import torch
from torch import Tensor

WINDOWS = 1 << 16  # starting points in the table
STRIDE = 16  # elements between starting points
WIDEST = 4096  # elements of the widest window
_GOLDEN = 0x9E3779B97F4A7C15 - (1 << 64)
_FIRST = 0xBF58476D1CE4E5B9 - (1 << 64)
_SECOND = 0x94D049BB133111EB - (1 << 64)


@lru_cache(maxsize=8)
def _table(probability: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Scaled keep masks: 0 with `probability`, else 1 / (1 - probability)."""
    generator = torch.Generator().manual_seed(0x11)
    draws = torch.rand(WINDOWS * STRIDE + WIDEST, generator=generator)
    return ((draws >= probability) / (1 - probability)).to(device, dtype)


def _signed(number: int) -> int:
    """A Python integer modulo 2^64, as int64."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def _shift(z: Tensor, bits: int) -> Tensor:
    """Logical right shift; that of int64 is arithmetic."""
    return (z >> bits) & ((1 << (64 - bits)) - 1)


def mix(z: Tensor) -> Tensor:
    """splitmix64's finalizer on int64 [...], as `rng.mix` has it on uint64."""
    z = (z ^ _shift(z, 30)) * _FIRST
    z = (z ^ _shift(z, 27)) * _SECOND
    return z ^ _shift(z, 31)


class Dropout:
    """The dropout of one forward pass over packed tokens.

    Args:
        keys: int64 [T], one for each token.
    """

    def __init__(self, keys: Tensor):
        self.keys = keys

    @classmethod
    def of(cls, sequence_keys: Tensor, sequence_of: Tensor, positions: Tensor) -> "Dropout":
        """From the keys of sequences [B], the sequence of each token [T] and its position [T]."""
        return cls(mix(sequence_keys[sequence_of] + positions * _GOLDEN))

    def rows(self, rows: Tensor) -> "Dropout":
        """The same for some tokens only."""
        return Dropout(self.keys.index_select(0, rows))

    def between(self, first: int, end: int) -> "Dropout":
        """The same for a range of tokens."""
        return Dropout(self.keys[first:end])

    def mask(self, probability: float, site: int, width: int, like: Tensor, places: int = 1) -> Tensor:
        """Scaled keep masks [T * places, width] for one site of the model that has so many places for each token."""
        table = _table(probability, like.device, like.dtype)
        return table.as_strided((WINDOWS, width), (STRIDE, 1)).index_select(0, self._windows(site, places))

    # Never compiled (`bert.compile_layers`): the compiler's bounds of int64 products overflow; it is little work.
    def _windows(self, site: int, places: int) -> Tensor:
        keys = self.keys ^ _signed(site * _GOLDEN)
        if places > 1:
            keys = (keys[:, None] + torch.arange(places, device=keys.device) * _GOLDEN).view(-1)
        return _shift(keys * _FIRST, 48)

    def __call__(self, x: Tensor, probability: float, site: int) -> Tensor:
        """Drop elements of x [T, width]."""
        return x * self.mask(probability, site, x.shape[-1], x)
