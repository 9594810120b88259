"""Dropout that depends on a sequence and a position, never on the batch around them.

An ordinary generator ties the mask of a token to everything drawn before it, so that results change with the number of
ranks and with the size of micro-batches. Here the mask of a token is a window of one fixed table of random bits; which
window follows from a hash of (key of the sequence, position, place in the model). The keys are drawn by whoever makes
the batch: `pretrain` derives them from seed, pass and instance. A table costs one gather: on a CPU that is faster than
drawing.
"""

from functools import lru_cache
from typing import NamedTuple

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
    """Scaled keep masks: 0 with `probability`, else 1 / (1 - probability). As bool: whether it is kept."""
    generator = torch.Generator().manual_seed(0x11)
    draws = torch.rand(WINDOWS * STRIDE + WIDEST, generator=generator)
    return ((draws >= probability) / (1 - probability)).to(device, dtype)


@lru_cache(maxsize=8)
def _scale(probability: float, device: torch.device) -> Tensor:
    """What is kept is multiplied with this [], a tensor because the compiler knows no other numbers that may change."""
    return torch.full((), 1 / (1 - probability), device=device)


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


def windows(bits: Tensor, starts: Tensor, width: int) -> Tensor:
    """Windows [N, width] of the table that begin at so many strides [N]."""
    return bits.as_strided((WINDOWS, width), (STRIDE, 1)).index_select(0, starts)


def _starts(keys: Tensor) -> Tensor:
    """Where in the table masks begin, in strides: int64, as many as there are keys of tokens at their sites."""
    return _shift(keys * _FIRST, 48)


class Masks(NamedTuple):
    """The masks of some sites, to be made within the arithmetic that they belong to: what the compiler can take."""

    bits: Tensor  # the table; of bool on GPUs, where memory is what a mask costs
    scale: Tensor | None  # where the table is not scaled already
    starts: tuple[Tensor, ...]  # int64 [T] for each site

    def of(self, *sites: int) -> "Masks":
        """Those of some of the sites, which are counted from 0."""
        return self._replace(starts=tuple(self.starts[site] for site in sites))

    def rows(self, rows: Tensor) -> "Masks":
        """Those of some tokens only."""
        return self._replace(starts=tuple(start.index_select(0, rows) for start in self.starts))

    def __call__(self, x: Tensor, site: int) -> Tensor:
        """Drop elements of x [T, width] with the masks of one of the sites; the result is in fp32."""
        keep = windows(self.bits, self.starts[site], x.shape[-1])
        return x * keep if self.scale is None else torch.where(keep, x.float() * self.scale, 0.0)


@lru_cache(maxsize=8)
def _numbers(sites: tuple[int, ...], device: torch.device) -> Tensor:
    """What the keys are mixed with for each site: int64 [S, 1]."""
    return torch.tensor([_signed(site * _GOLDEN) for site in sites]).to(device)[:, None]


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
        keys = self.keys ^ _signed(site * _GOLDEN)
        if places > 1:
            keys = (keys[:, None] + torch.arange(places, device=keys.device) * _GOLDEN).view(-1)
        return windows(_table(probability, like.device, like.dtype), _starts(keys), width)

    def at(self, probability: float, sites: tuple[int, ...]) -> Masks:
        """The masks of some sites at once: a GPU has as many kernels to start for one."""
        device = self.keys.device
        # Copies, not views: the compiler would make a graph for each offset of a view.
        starts = torch.unbind_copy(_starts(self.keys ^ _numbers(sites, device)))
        if self.keys.is_cuda:
            return Masks(_table(probability, device, torch.bool), _scale(probability, device), starts)
        return Masks(_table(probability, device, torch.float32), None, starts)

    def __call__(self, x: Tensor, probability: float, site: int) -> Tensor:
        """Drop elements of x [T, width]."""
        return x * self.mask(probability, site, x.shape[-1], x)
