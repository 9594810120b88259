"""Runs of n words as 64-bit numbers, the same in every corpus and every process."""

import re
from collections.abc import Sequence
from hashlib import blake2b
from itertools import chain

import numpy as np

_WORD = re.compile(r"\w+")
_REMEMBERED = 500_000  # words: some 100 MB; then the memory starts anew
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xD6E8FEB86659FD93)


class Shingles:
    """Finds the runs of `size` words in texts; words are lower-case letters and digits, whatever is between them."""

    def __init__(self, size: int):
        self.size = size
        self.hashes = _Hashes()

    def __call__(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """uint64 [g] of all runs in order, and int64 [g] the number of the text that each is in."""
        if len(self.hashes) > _REMEMBERED:
            self.hashes = _Hashes()
        words = [_WORD.findall(text.lower()) for text in texts]
        counts = np.fromiter(map(len, words), np.int64, len(words))
        flat = chain.from_iterable(words)
        values = np.fromiter(map(self.hashes.__getitem__, flat), np.uint64, int(counts.sum()))
        text = np.repeat(np.arange(len(texts)), counts)
        runs = max(len(values) - self.size + 1, 0)
        total = np.zeros(runs, np.uint64)
        with np.errstate(over="ignore"):
            for place in range(self.size):
                total = (total + values[place : place + runs]) * _FACTOR
            total ^= total >> np.uint64(32)
            total *= _MIX
            total ^= total >> np.uint64(32)
        whole = text[:runs] == text[len(text) - runs :]  # begins and ends in the same text
        return total[whole], text[:runs][whole]


class _Hashes(dict[str, int]):
    def __missing__(self, word: str) -> int:
        digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        value = self[word] = int.from_bytes(digest, "little")
        return value
