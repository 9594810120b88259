"""Tokens of many sentences, each distinct word tokenized once.

BERT's tokenizer splits at spaces first and treats each word alike wherever it stands, so the tokens of a text are those
of its words, one after the other. Natural text repeats its words: looking them up is several times as fast as
tokenizing them again. Any other tokenizer is given whole sentences.
"""

from dataclasses import dataclass
from itertools import chain, islice

import numpy as np
from tokenizers import Tokenizer, normalizers, pre_tokenizers

_REMEMBERED = 500_000  # words: some 150 MB; then the memory starts anew
_TOGETHER = 256


@dataclass(frozen=True)
class Encoded:
    """The tokens of s sentences laid end to end with a space between: t tokens.

    `tokens` [t]; `lengths` int64 [s] tokens of each sentence; `start`, `end` int64 [t] characters of each token.
    """

    tokens: np.ndarray
    lengths: np.ndarray
    start: np.ndarray
    end: np.ndarray


class PieceEncoder:
    """Tokenizes sentences; what it returns does not depend on what it was given before."""

    def __init__(self, model: Tokenizer, dtype: type = np.uint16):
        self.model, self.dtype = model, dtype
        self.by_word = splits_at_spaces(model)
        self._forget()

    def _forget(self) -> None:
        self.numbers = _Numbers()
        self.first = np.zeros(1, np.int64)  # [pieces + 1] of each piece in the three arrays that follow
        self.tokens = np.zeros(0, self.dtype)
        self.start, self.end = np.zeros(0, np.int32), np.zeros(0, np.int32)

    def __call__(self, sentences: list[str]) -> Encoded:
        if len(self.numbers) > _REMEMBERED or not self.by_word:
            self._forget()
        pieces = " ".join(sentences).split(" ") if self.by_word and sentences else sentences
        number = np.fromiter(map(self.numbers.__getitem__, pieces), np.int64, len(pieces))
        self._learn()
        count = self.first[number + 1] - self.first[number]
        characters = np.fromiter(map(len, pieces), np.int64, len(pieces)) + 1
        base = np.repeat(np.cumsum(characters) - characters, count)
        total = np.cumsum(count)
        place = np.repeat(self.first[number] - (total - count), count) + np.arange(len(base))
        words = np.ones(len(sentences), np.int64)
        if self.by_word:
            words += np.fromiter((sentence.count(" ") for sentence in sentences), np.int64, len(sentences))
        ends = np.concatenate([[0], total])[np.cumsum(words)]
        lengths = np.diff(ends, prepend=0)
        return Encoded(self.tokens[place], lengths, base + self.start[place], base + self.end[place])

    def _learn(self) -> None:
        """Tokenize the pieces that were never seen before."""
        fresh = list(islice(self.numbers, len(self.first) - 1, None))
        if not fresh:
            return
        # Some hundred words at a time, because the library takes longer to begin with a text than with a word.
        step = _TOGETHER if self.by_word else 1
        texts = [" ".join(fresh[i : i + step]) for i in range(0, len(fresh), step)]
        encodings = self.model.encode_batch(texts, add_special_tokens=False)
        ids = [encoding.ids for encoding in encodings]
        tokens = np.fromiter(chain.from_iterable(ids), self.dtype, sum(map(len, ids)))
        spans = chain.from_iterable(chain.from_iterable(encoding.offsets for encoding in encodings))
        start, end = np.fromiter(spans, np.int32, 2 * len(tokens)).reshape(-1, 2).T
        text_length = np.fromiter(map(len, texts), np.int64, len(texts)) + 1
        base = np.repeat(np.cumsum(text_length) - text_length, [len(some) for some in ids])
        length = np.fromiter(map(len, fresh), np.int64, len(fresh)) + 1
        piece = np.cumsum(length) - length  # where each begins, all laid end to end
        first = np.searchsorted(base + start, piece + length)
        base -= np.repeat(piece, np.diff(first, prepend=0))
        self.first = np.concatenate([self.first, self.first[-1] + first])
        self.tokens = np.concatenate([self.tokens, tokens])
        self.start = np.concatenate([self.start, (base + start).astype(np.int32)])
        self.end = np.concatenate([self.end, (base + end).astype(np.int32)])


class _Numbers(dict[str, int]):
    """Numbers pieces in the order in which they are first asked for."""

    def __missing__(self, piece: str) -> int:
        number = self[piece] = len(self)
        return number


def splits_at_spaces(model: Tokenizer) -> bool:
    """Whether a text's tokens are those of its words: so for BERT's tokenizer without added words of its own."""
    bert = isinstance(model.normalizer, normalizers.BertNormalizer)
    bert &= isinstance(model.pre_tokenizer, pre_tokenizers.BertPreTokenizer)
    return bert and all(token.special for token in model.get_added_tokens_decoder().values())
