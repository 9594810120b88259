"""From instances on disk to masked, packed micro-batches.

The training data are one endless sequence. Sample *g* belongs to a pass over all sources; the pass permutes its
instances by a keyed bijection, so that nothing is stored and any sample is found at once. Everything about a sample
(its order, its masks, its dropout) follows from the seed and numbers, never from ranks, packing or what came before:
the whole state of the data is the number of steps done.
"""

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from linkbert.errors import UserError
from linkbert.model.packing import PackedBatch, pack_arrays
from linkbert.pretraining.masking import Masking, Vocabulary, choose
from linkbert.pretraining.masking import replace as replace_hidden
from linkbert.rng import key_of, mix

FIELDS = ("a_start", "a_length", "b_start", "b_length", "relation")
SPECIALS = 3  # [CLS] A [SEP] B [SEP]
SCAN = 1 << 20  # rows or tokens read at a time


def permute(key: int, index: np.ndarray, size: int) -> np.ndarray:
    """A keyed bijection of 0 … size-1, int64 [n] to int64 [n]: four Feistel rounds, walking past `size`."""
    half = np.uint64(max((max(size - 1, 1).bit_length() + 1) // 2, 1))
    low = (np.uint64(1) << half) - np.uint64(1)
    keys = [key_of(key, "feistel", turn) for turn in range(4)]

    def rounds(value: np.ndarray) -> np.ndarray:
        left, right = value >> half, value & low
        for turn in keys:
            left, right = right, left ^ (mix(turn, right) & low)
        return left << half | right

    value = rounds(np.asarray(index).astype(np.uint64))
    while (outside := value >= size).any():
        value[outside] = rounds(value[outside])
    return value.astype(np.int64)


@dataclass(frozen=True)
class Source:
    """The tokens of one corpus and its instances, in as many draws (epochs) as were sampled."""

    tokens: np.ndarray
    epochs: tuple[np.ndarray, ...]
    name: str


def open_source(
    tokens: str | Path, files: Sequence[Path], vocabulary: Vocabulary, length: int, relations: int
) -> Source:
    """Map a source into memory and look through it once.

    Raises:
        UserError: for missing or empty files, instances longer than `length`, of a relation that the objective does not
            know, or outside the tokens, and tokens outside the vocabulary.
    """
    path = Path(tokens) / "tokens.npy"
    if not path.exists():
        raise UserError(f"{path}: no such file; is {tokens} a folder of tokens?")
    words = np.load(path, mmap_mode="r").view(np.ndarray)
    for first in range(0, len(words), SCAN):
        largest = int(words[first : first + SCAN].max())
        if largest >= vocabulary.size:
            raise UserError(
                f"{path}: holds the word number {largest}, but the tokenizer has {vocabulary.size} words; "
                "tokenize the corpus with the tokenizer of this model."
            )
    epochs = tuple(_open_instances(file, len(words), length, relations) for file in files)
    return Source(words, epochs, str(tokens))


def _open_instances(file: Path, tokens: int, length: int, relations: int) -> np.ndarray:
    if not file.exists():
        raise UserError(f"{file}: no such file.")
    rows = np.load(file, mmap_mode="r").view(np.ndarray)
    if rows.dtype.names is None or not set(FIELDS) <= set(rows.dtype.names):
        raise UserError(f"{file}: not an instance file; its rows need the fields {', '.join(FIELDS)}.")
    if not len(rows):
        raise UserError(f"{file}: holds no instance; sample from a larger corpus or hold out less.")
    for first in range(0, len(rows), SCAN):
        part = rows[first : first + SCAN]
        longest = int((part["a_length"] + part["b_length"]).max()) + SPECIALS
        if longest > length:
            raise UserError(
                f"{file}: an instance has {longest} tokens, but the recipe's length is {length}; "
                "sample again, or raise the length."
            )
        end = max(int((part[f"{side}_start"] + part[f"{side}_length"]).max()) for side in "ab")
        start = min(int(part[f"{side}_start"].min()) for side in "ab")
        if start < 0 or end > tokens:
            raise UserError(f"{file}: an instance lies outside the {tokens} tokens; were the tokens made again since?")
        if relations and int(part["relation"].max()) >= relations:
            raise UserError(
                f"{file}: holds relation {int(part['relation'].max())}, but the objective tells {relations} apart; "
                "use another sampling or the objective mlm_drp."
            )
    return rows


@dataclass(frozen=True)
class Rows:
    """Instances n by value: where their tokens lie, and who they are."""

    source: np.ndarray  # int64 [n]
    a_start: np.ndarray
    a_length: np.ndarray
    b_start: np.ndarray
    b_length: np.ndarray
    relation: np.ndarray
    mask_keys: np.ndarray  # uint64 [n]
    sample: np.ndarray  # int64 [n], their numbers in the endless sequence, which key dropout

    def __len__(self) -> int:
        return len(self.source)

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each instance's sequence."""
        return self.a_length + self.b_length + SPECIALS

    def take(self, index: np.ndarray) -> "Rows":
        """Some of the instances."""
        return Rows(**{name: array[index] for name, array in vars(self).items()})


@dataclass
class MicroBatch:
    """What one forward and backward pass needs."""

    batch: PackedBatch  # tokens as the model sees them
    rows: Tensor  # int64 [Q], ascending: hidden positions and [CLS]
    places: Tensor  # int64 [B + K], where [CLS] of each sequence, then each hidden position lie among `rows`
    order: Tensor  # int64 [Q], the inverse of `places`
    labels: Tensor  # int64 [K]
    relations: Tensor  # int64 [B]

    @property
    def cls(self) -> Tensor:
        """Where [CLS] lies among `rows`: int64 [B]."""
        return self.places[: len(self.relations)]

    @property
    def hidden(self) -> Tensor:
        """Where the hidden positions lie among `rows`: int64 [K]."""
        return self.places[len(self.relations) :]

    def each(self, move: Callable[[Tensor], Tensor]) -> "MicroBatch":
        """The same with other copies of its tensors."""
        own = ("rows", "places", "order", "labels", "relations")
        return replace(self, batch=self.batch.each(move), **{name: move(getattr(self, name)) for name in own})

    def to(self, device: torch.device) -> "MicroBatch":
        """The same on another device."""
        return self if device.type == "cpu" else self.each(lambda tensor: tensor.to(device, non_blocking=True))

    def pin(self) -> "MicroBatch":
        """The same in page-locked memory, from where a device copies without waiting."""
        return self.each(Tensor.pin_memory)


class Corpus:
    """The endless, shuffled sequence of training samples over several sources."""

    def __init__(self, sources: Sequence[Source], seed: int):
        self.sources, self.seed = list(sources), seed
        self.ends = np.zeros(1, np.int64)  # first sample of each pass so far, grown as passes are reached
        self._growing = threading.Lock()

    @cached_property
    def mixture(self) -> list[float]:
        """The shares of contiguous, random and linked pairs among the instances of all sources and draws."""
        drawn = [np.bincount(rows["relation"], minlength=3) for source in self.sources for rows in source.epochs]
        return (np.sum(drawn, 0) / np.sum(drawn)).tolist()

    def pass_sizes(self, number: int) -> np.ndarray:
        """Instances of each source in a pass."""
        return np.array([len(source.epochs[number % len(source.epochs)]) for source in self.sources])

    def samples(self, first: int, end: int) -> Rows:
        """Samples first … end-1 of the endless sequence."""
        with self._growing:
            while self.ends[-1] < end:
                self.ends = np.append(self.ends, self.ends[-1] + self.pass_sizes(len(self.ends) - 1).sum())
        parts = []
        while first < end:
            number = int(np.searchsorted(self.ends, first, side="right")) - 1
            stop = min(end, int(self.ends[number + 1]))
            parts.append(self._of_pass(number, np.arange(first, stop) - self.ends[number], np.arange(first, stop)))
            first = stop
        return Rows(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})

    def _of_pass(self, number: int, places: np.ndarray, samples: np.ndarray) -> Rows:
        sizes = self.pass_sizes(number)
        instance = permute(key_of(self.seed, "order", number), places, int(sizes.sum()))
        ends = sizes.cumsum()
        source = np.searchsorted(ends, instance, side="right")
        fields = {name: np.empty(len(instance), np.int64) for name in FIELDS}
        for which, one in enumerate(self.sources):
            mine = np.flatnonzero(source == which)
            rows = one.epochs[number % len(one.epochs)][instance[mine] - (ends[which] - sizes[which])]
            for name in FIELDS:
                fields[name][mine] = rows[name]
        # A sample is met once, so its number alone keys dropout; masks belong to (pass, instance).
        masks = mix(key_of(self.seed, "mask", number), instance)
        return Rows(source, **fields, mask_keys=masks, sample=samples)


def heldout_rows(sources: Sequence[Source], limit: int | None = None) -> Rows:
    """The held-out instances of all sources, or `limit` of them spread evenly; masks depend on the row alone."""
    rows = [source.epochs[0] for source in sources]
    which = np.repeat(np.arange(len(rows)), [len(part) for part in rows])
    number = np.concatenate([np.arange(len(part)) for part in rows])
    if limit and limit < len(which):
        chosen = np.arange(limit) * len(which) // limit
        which, number = which[chosen], number[chosen]
    fields = {name: np.empty(len(which), np.int64) for name in FIELDS}
    for source, part in enumerate(rows):
        mine = np.flatnonzero(which == source)
        taken = part[number[mine]]
        for name in FIELDS:
            fields[name][mine] = taken[name]
    keys = mix(key_of("heldout", "mask"), which << 40 | number)
    return Rows(which, **fields, mask_keys=keys, sample=number)


def _runs(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The numbers of all runs `starts` + 0 … `lengths`-1, one run after the other."""
    ends = lengths.cumsum()
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)


def assemble(
    rows: Rows, sources: Sequence[Source], vocabulary: Vocabulary, masking: Masking, seed: int | None = None
) -> MicroBatch:
    """Gather, mask and pack instances, in their order.

    Args:
        seed: of dropout, where there is any; the samples follow one another then.
    """
    lengths = rows.lengths
    starts = lengths.cumsum() - lengths
    middle = starts + 1 + rows.a_length
    tokens = np.full(lengths.sum(), vocabulary.sep, np.int64)
    tokens[starts] = vocabulary.cls
    for which, source in enumerate(sources):
        mine = slice(None) if len(sources) == 1 else np.flatnonzero(rows.source == which)
        for start, length, at in (
            (rows.a_start, rows.a_length, starts + 1),
            (rows.b_start, rows.b_length, middle + 1),
        ):
            tokens[_runs(at[mine], length[mine])] = source.tokens[_runs(start[mine], length[mine])]
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    positions = np.arange(len(tokens)) - starts[sequence]
    segments = (positions > (rows.a_length + 1)[sequence]).astype(np.int64)
    counters = rows.mask_keys[sequence] + positions.astype(np.uint64)
    hidden = choose(tokens, sequence, counters, vocabulary, masking)
    seen = replace_hidden(tokens, hidden, counters, vocabulary, masking)
    keys = None if seed is None else mix(key_of(seed, "dropout"), rows.sample).view(np.int64)
    packed = pack_arrays(seen, segments, lengths, keys, seed, int(rows.sample[0]))
    # [CLS] is never hidden, so the rows are distinct, and each kind's places follow from one sort.
    wanted = np.concatenate([starts, hidden])
    order = np.argsort(wanted, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    arrays = (wanted[order], place, order, tokens[hidden], rows.relation)
    return MicroBatch(packed, *(torch.from_numpy(array) for array in arrays))


def pieces(tokens: int, limit: int, world: int) -> int:
    """Into how many micro-batches of about `limit` tokens a step of so many tokens is cut.

    A power of two, at least one for each rank: so 1, 2, 4, … ranks compute the same micro-batches, however many each.
    """
    needed = max(-(-tokens // limit), world)
    number = 1 << (needed - 1).bit_length()
    return -(-number // world) * world


def cut(rows: Rows, parts: int) -> list[Rows]:
    """The instances of a step in so many runs, in their order, of as equal numbers of tokens as whole ones allow."""
    ends = rows.lengths.cumsum()
    part = (2 * ends - rows.lengths) * parts // (2 * ends[-1])  # by the middle token
    bounds = np.searchsorted(part, np.arange(parts + 1))
    return [rows.take(np.arange(*pair)) for pair in itertools.pairwise(bounds)]


def micro_batches(rows: Rows, tokens: int) -> Iterator[Rows]:
    """Cut instances, in their order, into runs of at most `tokens` tokens (one instance at least)."""
    ends = np.concatenate([[0], rows.lengths.cumsum()])
    first = 0
    while first < len(rows):
        last = max(int(np.searchsorted(ends, ends[first] + tokens, side="right")) - 1, first + 1)
        yield rows.take(np.arange(first, last))
        first = last
