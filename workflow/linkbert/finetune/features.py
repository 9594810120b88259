"""From texts to integers: word pieces once for each distinct text, inputs as ranges of them.

An input is ``[CLS] A [SEP]`` or ``[CLS] A [SEP] B [SEP]``, where A and B are ranges of one flat array of word pieces.
Windows over one context, and the choices of one question, are ranges that overlap: nothing is tokenized or stored
twice.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from tokenizers.implementations import BertWordPieceTokenizer

from linkbert.errors import UserError
from linkbert.model.packing import PackedBatch, pack_arrays

NONE = -1  # length of B in an input that has no second segment
CHUNK = 8192  # texts given to the tokenizer at a time: bounds memory


@dataclass(frozen=True)
class WordPieces:
    """Word pieces of n distinct texts, one text after the other."""

    ids: np.ndarray  # uint16 or int32 [P]
    offsets: np.ndarray  # int64 [n + 1], first piece of each text; the last entry is P
    starts: np.ndarray | None = None  # int32 [P], first character of each piece in its text
    ends: np.ndarray | None = None  # int32 [P], character after each piece


class PieceTokenizer:
    """The tokenizer of a model's folder, as word pieces without special tokens."""

    def __init__(self, folder: Path):
        self.tokenizer = _load(Path(folder))
        self.tokenizer.no_truncation()
        self.tokenizer.no_padding()
        self.cls, self.sep = self._special(folder, "[CLS]"), self._special(folder, "[SEP]")
        # The largest number counts, not how many there are: added tokens may stand beyond a gap.
        self.size = 1 + max(self.tokenizer.get_vocab(with_added_tokens=True).values())
        self.dtype = np.uint16 if self.size <= 1 << 16 else np.int32

    def _special(self, folder: Path, token: str) -> int:
        number = self.tokenizer.token_to_id(token)
        if number is None:
            raise UserError(f"{folder}: the tokenizer has no {token}; only BERT's WordPiece tokenizers are known here.")
        return number

    def encode(self, texts: Sequence[str], characters: bool = False) -> WordPieces:
        """Word pieces of each text, with their character offsets where asked for."""
        encode = self.tokenizer.encode_batch if characters else self.tokenizer.encode_batch_fast
        ids, lengths, spans = [], np.zeros(len(texts), np.int64), []
        for first in range(0, len(texts), CHUNK):
            encoded = encode(list(texts[first : first + CHUNK]), add_special_tokens=False)
            lengths[first : first + len(encoded)] = [len(one) for one in encoded]
            ids.append(_flat((one.ids for one in encoded), self.dtype))
            if characters:
                spans.append(_flat((pair for one in encoded for pair in one.offsets), np.int32).reshape(-1, 2))
        pieces = np.concatenate(ids) if ids else np.zeros(0, self.dtype)
        offsets = np.concatenate([[0], lengths.cumsum()])
        if not characters:
            return WordPieces(pieces, offsets)
        pairs = np.concatenate(spans) if spans else np.zeros((0, 2), np.int32)
        return WordPieces(pieces, offsets, pairs[:, 0].copy(), pairs[:, 1].copy())


def _flat(parts: Iterable[Sequence[int]], dtype: type) -> np.ndarray:
    return np.fromiter((number for part in parts for number in part), dtype)


def _load(folder: Path) -> Tokenizer:
    """``tokenizer.json``, or BERT's tokenizer from ``vocab.txt`` where an older model has no such file."""
    file, words = folder / "tokenizer.json", folder / "vocab.txt"
    if file.is_file():
        return Tokenizer.from_file(str(file))
    if not words.is_file():
        raise UserError(f"{folder}: neither tokenizer.json nor vocab.txt; a model's folder holds its tokenizer.")
    settings = folder / "tokenizer_config.json"
    lowercase = (
        json.loads(settings.read_text(encoding="utf-8")).get("do_lower_case", True) if settings.is_file() else True
    )
    return Tokenizer.from_str(BertWordPieceTokenizer(str(words), lowercase=lowercase).to_str())


def distinct(texts: Iterable[str]) -> tuple[list[str], np.ndarray]:
    """The distinct texts in order of first occurrence, and for each text its number among them."""
    numbers: dict[str, int] = {}
    index = [numbers.setdefault(text, len(numbers)) for text in texts]
    return list(numbers), np.asarray(index, np.int64)


@dataclass
class Features:
    """The inputs of one split: n rows, made of ranges of `pieces`."""

    pieces: np.ndarray  # [P + 2], word pieces, then [CLS] and [SEP]
    a_start: np.ndarray  # int64 [n]
    a_length: np.ndarray  # int64 [n]
    b_start: np.ndarray  # int64 [n]
    b_length: np.ndarray  # int64 [n], NONE where there is no second segment
    units: np.ndarray  # int64 [u + 1], the rows of each unit; batches are made of whole units
    targets: dict[str, np.ndarray]  # what the method of the kind needs
    counts: dict[str, int] = field(default_factory=dict)  # what was cut

    def __post_init__(self) -> None:
        self.lengths: np.ndarray = self.a_length + 2 + np.where(self.b_length == NONE, 0, self.b_length + 1)

    def __len__(self) -> int:
        return len(self.units) - 1

    @property
    def unit_lengths(self) -> np.ndarray:
        """Tokens of each unit: int64 [u]."""
        return np.add.reduceat(self.lengths, self.units[:-1])

    def rows(self, units: np.ndarray) -> np.ndarray:
        """The rows of some units, unit after unit."""
        return ranges(self.units[units], self.units[units + 1] - self.units[units])

    def pack(self, rows: np.ndarray, keys: np.ndarray | None = None) -> PackedBatch:
        """Some rows as one packed batch on the host."""
        lengths, first = self.lengths[rows], self.a_length[rows]
        ends = lengths.cumsum()
        begins = ends - lengths
        position = np.arange(ends[-1]) - np.repeat(begins, lengths)
        segment = position > np.repeat(first + 1, lengths)
        source = position + np.where(
            segment, np.repeat(self.b_start[rows] - first - 2, lengths), np.repeat(self.a_start[rows] - 1, lengths)
        )
        cls, sep = len(self.pieces) - 2, len(self.pieces) - 1
        source[begins] = cls
        source[begins + first + 1] = sep
        source[ends - 1] = sep
        return pack_arrays(self.pieces[source], segment, lengths, keys)


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The concatenation of ``arange(start, start + length)``.

    >>> ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    ends = lengths.cumsum()
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)


def with_specials(pieces: np.ndarray, tokenizer: PieceTokenizer) -> np.ndarray:
    """Pieces followed by the two special tokens, where `Features.pack` looks for them."""
    return np.concatenate([pieces, np.array([tokenizer.cls, tokenizer.sep], pieces.dtype)])


def truncate_longest_first(a: np.ndarray, b: np.ndarray, room: int) -> tuple[np.ndarray, np.ndarray]:
    """Lengths of two segments cut to `room` pieces together, as Hugging Face's ``longest_first`` cuts them."""
    short, long = np.minimum(a, b), np.maximum(a, b)
    # Either the longer one takes what the shorter leaves, or both get half, the odd piece going to the longer.
    cut = np.where(short > room, short, np.maximum(short, room - short))
    both = short + cut > room
    fits = a + b <= room
    new_short = np.where(fits, short, np.where(both, room // 2, short))
    new_long = np.where(fits, long, np.where(both, room // 2 + room % 2, np.minimum(cut, long)))
    swapped = a > b
    return np.where(swapped, new_long, new_short), np.where(swapped, new_short, new_long)


def pair_features(
    firsts: Sequence[str],
    seconds: Sequence[str | None],
    tokenizer: PieceTokenizer,
    length: int,
    units: np.ndarray,
    targets: dict[str, np.ndarray],
) -> Features:
    """Inputs of one text or two, cut to `length` by ``longest_first``."""
    n = len(firsts)
    texts, index = distinct([*firsts, *("" if second is None else second for second in seconds)])
    words = tokenizer.encode(texts)
    starts, lengths = words.offsets[:-1][index], np.diff(words.offsets)[index]
    paired = np.fromiter((second is not None for second in seconds), bool, n)
    a, b = lengths[:n], np.where(paired, lengths[n:], 0)
    cut_a, cut_b = truncate_longest_first(a, b, length - 3)
    cut_a = np.where(paired, cut_a, np.minimum(a, length - 2))
    truncated = int(((cut_a < a) | (cut_b < b)).sum())
    return Features(
        with_specials(words.ids, tokenizer),
        starts[:n],
        cut_a,
        starts[n:],
        np.where(paired, cut_b, NONE),
        units,
        targets,
        {"truncated": truncated} if truncated else {},
    )
