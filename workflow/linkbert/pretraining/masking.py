"""Masked language modeling: which positions are hidden, and by what (paper, Section 3; BERT, Section 3.1).

Every draw is a hash of (key of the instance, position): a mask is the same on any rank, in any packing, in any order.
"""

from dataclasses import dataclass

import numpy as np

from linkbert.rng import key_of, mix, uniform

CHOOSE, REPLACE, WORD = (key_of("mlm", purpose) for purpose in ("choose", "replace", "word"))
INDEX_BITS, SEQUENCE_BITS = 22, 14


@dataclass(frozen=True)
class Vocabulary:
    """What masking knows of a tokenizer."""

    size: int
    cls: int
    sep: int
    mask: int
    special: np.ndarray  # bool [V]; never hidden, never a random replacement
    continues: np.ndarray  # bool [V]; pieces (##) that continue a word

    @property
    def words(self) -> np.ndarray:
        """Words that may replace a hidden one: int64, ascending."""
        return np.flatnonzero(~self.special)


@dataclass(frozen=True)
class Masking:
    """How tokens are hidden.

    Each sequence hides ``max(1, round(probability * candidates))`` of its candidates, the tokens that are not special;
    `masked` of the hidden become [MASK], `random` a random word, the others stay.
    """

    probability: float = 0.15
    whole_word: bool = False
    masked: float = 0.8
    random: float = 0.1


def hidden_counts(candidates: np.ndarray, probability: float) -> np.ndarray:
    """How many of `candidates` [B] are hidden: rounded half up, at least one where there is a candidate."""
    return np.minimum(np.maximum(np.floor(candidates * probability + 0.5).astype(np.int64), 1), candidates)


def _shuffled(sequence: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Indices [n] that order items by sequence, at random within each.

    One sort of plain integers, several times faster than an argsort: sequence, draw and index share 64 bits.
    """
    if len(sequence) >= 1 << INDEX_BITS or sequence[-1] >= 1 << SEQUENCE_BITS:
        return np.lexsort((draws >> np.uint64(36), sequence))
    packed = sequence.astype(np.uint64) << np.uint64(64 - SEQUENCE_BITS)
    packed |= draws >> np.uint64(36) << np.uint64(INDEX_BITS)
    packed |= np.arange(len(sequence), dtype=np.uint64)
    packed.sort()
    return (packed & np.uint64((1 << INDEX_BITS) - 1)).astype(np.int64)


def choose(
    tokens: np.ndarray, sequence: np.ndarray, counters: np.ndarray, vocabulary: Vocabulary, masking: Masking
) -> np.ndarray:
    """The hidden positions, ascending, of flat tokens [T].

    Args:
        sequence: int64 [T], ascending, the sequence of each token.
        counters: uint64 [T], key of the sequence plus position.
    """
    candidates = np.flatnonzero(~vocabulary.special[tokens])
    if not len(candidates):
        return candidates
    owner = sequence[candidates]
    quota = hidden_counts(np.bincount(owner, minlength=sequence[-1] + 1), masking.probability)
    if masking.whole_word:
        return _choose_words(tokens, candidates, owner, quota, counters, vocabulary)
    order = _shuffled(owner, mix(CHOOSE, counters[candidates]))
    first = np.searchsorted(owner, np.arange(len(quota)))
    rank = np.arange(len(order)) - first[owner]
    # `order` keeps sequences together, so owner[order] is owner and rank counts within each.
    return np.sort(candidates[order[rank < quota[owner]]])


def _choose_words(
    tokens: np.ndarray,
    candidates: np.ndarray,
    owner: np.ndarray,
    quota: np.ndarray,
    counters: np.ndarray,
    vocabulary: Vocabulary,
) -> np.ndarray:
    """BERT's greedy rule: words in random order, each taken unless it would exceed the quota of its sequence."""
    starts = ~vocabulary.continues[tokens[candidates]]
    # A piece begins a word too where what it continues is not its neighbor: at a segment's start.
    starts[0] = True
    starts[1:] |= (np.diff(candidates) > 1) | (np.diff(owner) > 0)
    word_of = starts.cumsum() - 1
    heads, sizes = np.flatnonzero(starts), np.bincount(word_of)
    order = _shuffled(owner[heads], mix(CHOOSE, counters[candidates[heads]]))
    owners = owner[heads]
    taken, left, pending = np.zeros(len(heads), bool), quota.copy(), order
    while len(pending):
        whose, size = owners[pending], sizes[pending]
        fits = size <= left[whose]
        pending, whose, size = pending[fits], whose[fits], size[fits]
        total = size.cumsum()
        first = np.searchsorted(whose, whose)
        within = total - (total[first] - size[first])
        good = within <= left[whose]
        # A word after one that did not fit waits for the next round, as the greedy rule looks at words in order.
        bad = (~good).cumsum()
        good &= bad - bad[first] + (~good)[first] == 0
        taken[pending[good]] = True
        left -= np.bincount(whose[good], size[good], minlength=len(left)).astype(left.dtype)
        pending = pending[~good]
    return candidates[taken[word_of]]


def replace(
    tokens: np.ndarray, hidden: np.ndarray, counters: np.ndarray, vocabulary: Vocabulary, masking: Masking
) -> np.ndarray:
    """Tokens [T] as the model sees them: a copy with the hidden positions replaced."""
    seen, chosen = tokens.copy(), counters[hidden]
    draw = uniform(REPLACE, chosen)
    words = vocabulary.words
    random = words[(mix(WORD, chosen) % np.uint64(len(words))).astype(np.int64)]
    seen[hidden] = np.where(
        draw < masking.masked,
        vocabulary.mask,
        np.where(draw < masking.masked + masking.random, random, tokens[hidden]),
    )
    return seen
