"""Sequences concatenated without padding, and the padded blocks in which ordinary attention sees them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from linkbert.errors import UserError

# Sequences share a padded group while the shortest fills at least this share of the longest.
GROUP_FILL = 0.9
# Attention weights of a group, at most (one sequence at least): on CPUs measured, larger blocks leave the cache; a GPU
# without a flash kernel has a few large blocks to start instead of hundreds.
GROUP_WEIGHTS = {"cpu": 1 << 21, "cuda": 1 << 27}


@dataclass
class PackedBatch:
    """B sequences of T real tokens, one after the other; no position is padding."""

    tokens: Tensor  # int64 [T]
    segments: Tensor  # int64 [T], 0 for A and 1 for B
    positions: Tensor  # int64 [T], from 0 in every sequence
    cu_seqlens: Tensor  # int32 [B + 1], first token of each sequence; the last entry is T
    max_length: int
    keys: Tensor | None = None  # int64 [B], what dropout of each sequence is drawn from; None draws fresh keys
    lengths: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64), repr=False)  # [B], on the host
    real: np.ndarray | None = None  # [B], tokens of each sequence where the rest of `lengths` is padding
    # For kernels that count draws themselves: by what, and from which number on, one for each sequence.
    seed: int | None = None
    first: int = 0

    def each(self, move: Callable[[Tensor], Tensor]) -> "PackedBatch":
        """The same with other copies of its tensors; the lengths stay on the host."""
        tensors = ("tokens", "segments", "positions", "cu_seqlens", "keys")
        return replace(self, **{name: move(held) for name in tensors if (held := getattr(self, name)) is not None})

    def padded(self, width: int) -> tuple["PackedBatch", Tensor]:
        """The ordinary padded form, every sequence `width` long, and the new row of each token: int64 [T].

        Slower in every way: it is what packing is measured against.
        """
        starts = np.arange(len(self.lengths)) * width
        rows = torch.from_numpy(np.repeat(starts, self.lengths)).to(self.positions.device) + self.positions
        cells = [
            flat.new_zeros(len(self.lengths) * width).index_copy(0, rows, flat) for flat in (self.tokens, self.segments)
        ]
        lengths = np.full(len(self.lengths), width)
        positions = torch.arange(width, device=rows.device).repeat(len(lengths))
        cu_seqlens = torch.arange(len(lengths) + 1, dtype=torch.int32, device=rows.device) * width
        return PackedBatch(*cells, positions, cu_seqlens, width, self.keys, lengths, self.lengths), rows

    def __len__(self) -> int:
        return len(self.cu_seqlens) - 1

    @property
    def cls_rows(self) -> Tensor:
        """Row of each sequence's first token: int32 [B]."""
        return self.cu_seqlens[:-1]

    @property
    def sequence_of(self) -> Tensor:
        """The sequence that each token belongs to: int64 [T]."""
        return torch.zeros_like(self.tokens).index_fill(0, self.cu_seqlens[1:-1].long(), 1).cumsum(0)


def pack_arrays(
    tokens: np.ndarray,
    segments: np.ndarray,
    lengths: np.ndarray,
    keys: np.ndarray | None = None,
    seed: int | None = None,
    first: int = 0,
) -> PackedBatch:
    """A batch from flat tokens [T], segments [T] and the lengths [B] of its sequences, each at least 1.

    Args:
        keys: int64 [B], what dropout of each sequence is drawn from.
        seed, first: the same for kernels that count draws themselves, where the sequences are numbered `first` and on;
            they count from the first of `keys` otherwise.
    """
    if seed is None and keys is not None:
        seed = int(keys[0])
    lengths = np.asarray(lengths, np.int64)
    ends = lengths.cumsum()
    positions = np.arange(len(tokens)) - np.repeat(ends - lengths, lengths)
    return PackedBatch(
        torch.from_numpy(np.asarray(tokens, np.int64)),
        torch.from_numpy(np.asarray(segments, np.int64)),
        torch.from_numpy(positions),
        torch.from_numpy(np.concatenate([[0], ends]).astype(np.int32)),
        int(lengths.max()),
        None if keys is None else torch.from_numpy(np.asarray(keys).astype(np.int64)),
        lengths,
        seed=seed,
        first=first,
    )


def pack(sequences: Sequence[Sequence[int]], segments: Sequence[Sequence[int]] | None = None) -> PackedBatch:
    """A batch from B sequences of token numbers and their segment numbers (all 0 where not given).

    Raises:
        UserError: for no sequence, an empty one, or segments of other lengths.
    """
    lengths = np.fromiter((len(sequence) for sequence in sequences), np.int64, len(sequences))
    if not len(lengths) or not lengths.all():
        raise UserError("A batch needs at least one sequence, and every sequence at least one token.")
    tokens = np.concatenate([np.asarray(sequence, np.int64) for sequence in sequences])
    if segments is None:
        flat = np.zeros_like(tokens)
    else:
        if [len(segment) for segment in segments] != lengths.tolist():
            raise UserError("A batch needs one segment number for each token.")
        flat = np.concatenate([np.asarray(segment, np.int64) for segment in segments])
    return pack_arrays(tokens, flat, lengths)


@dataclass(frozen=True)
class Block:
    """Some sequences of similar length, padded: b x L keys, queried by b x M rows."""

    sequences: int  # b
    keys: int  # L
    queries: int  # M
    valid: Tensor | None  # bool [b, 1, 1, L], keys that are tokens; None where all are


@dataclass(frozen=True)
class Grouping:
    """Packed rows laid out as padded blocks, one block after the other."""

    blocks: tuple[Block, ...]
    key_rows: Tensor  # int64, the packed row of each key cell; row 0 where the cell is padding
    key_cells: Tensor  # int64 [T], the cell of each packed row
    query_rows: Tensor  # as key_rows, over the queried rows
    query_cells: Tensor  # int64 [Q], as key_cells


def _cells(lengths: np.ndarray, chosen: list[np.ndarray], widths: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The rows of all cells, and the cells of all rows, of blocks of the chosen sequences, each padded to its width."""
    starts = lengths.cumsum() - lengths
    rows, cells, base = [], np.empty(lengths.sum(), np.int64), 0
    for members, width in zip(chosen, widths, strict=True):
        column = np.arange(width)
        real = column < lengths[members][:, None]
        block = np.where(real, starts[members][:, None] + column, 0)
        cells[block[real]] = base + np.flatnonzero(real)
        rows.append(block.ravel())
        base += block.size
    return np.concatenate(rows), cells


def group_sequences(
    lengths: np.ndarray,
    heads: int,
    query_counts: np.ndarray | None = None,
    device: torch.device | str = "cpu",
    tokens: np.ndarray | None = None,
) -> Grouping:
    """Lay out sequences of these lengths [B] in padded blocks of similar length.

    `query_counts` [B] says how many rows of each sequence are queried, where that is not all of them; `tokens` [B] how
    many of its rows are tokens, where the others are padding already.
    """
    tokens = lengths if tokens is None else tokens
    most = GROUP_WEIGHTS.get(torch.device(device).type, GROUP_WEIGHTS["cuda"])
    order = np.argsort(-lengths, kind="stable")
    descending = lengths[order]
    chosen, first = [], 0
    while first < len(order):
        width = descending[first]
        last = int(np.searchsorted(-descending, -width * GROUP_FILL, side="right"))
        last = min(last, first + max(most // (heads * int(width) ** 2), 1))
        chosen.append(np.sort(order[first:last]))
        first = last
    widths = [int(lengths[members].max()) for members in chosen]
    key_rows, key_cells = _cells(lengths, chosen, widths)
    if query_counts is None:
        query_widths, query_rows, query_cells = widths, key_rows, key_cells
    else:
        query_widths = [int(query_counts[members].max()) for members in chosen]
        query_rows, query_cells = _cells(query_counts, chosen, query_widths)
    blocks = []
    for members, width, queries in zip(chosen, widths, query_widths, strict=True):
        real = np.arange(width) < tokens[members][:, None]
        valid = None if real.all() else torch.from_numpy(real)[:, None, None, :].to(device)
        blocks.append(Block(len(members), width, queries, valid))
    tensors = (torch.from_numpy(array).to(device) for array in (key_rows, key_cells, query_rows, query_cells))
    return Grouping(tuple(blocks), *tensors)
