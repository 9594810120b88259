"""A WordPiece vocabulary learned from text, the same on every run.

The `tokenizers` library numbers the pieces of equal count in the order of a hash table, which differs between
processes; the world promises the same bytes for the same seed.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_WORD = re.compile(r"\w+|[^\w\s]")


def learn(texts: Iterable[str], size: int, lowercase: bool) -> list[str]:
    """At most `size` pieces: special tokens, single characters, then merges of the most frequent neighbors.

    Inner pieces begin with ``##``. Of equally frequent pairs the alphabetically first is merged.
    """
    counts = Counter(word for text in texts for word in _WORD.findall(_normal(text, lowercase)))
    words = [([word[0], *("##" + letter for letter in word[1:])], count) for word, count in sorted(counts.items())]
    pieces = dict.fromkeys(SPECIAL)
    # All of ASCII, so that no text of a task has unknown words for want of a bracket.
    ascii_ = _normal("".join(map(chr, range(33, 127))), lowercase)
    letters = {*ascii_, *("##" + letter for letter in ascii_ if letter.isalnum())}
    pieces.update(dict.fromkeys(sorted(letters.union(*(parts for parts, _ in words)))))
    pairs: Counter[tuple[str, str]] = Counter()
    where: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
    for i, (parts, count) in enumerate(words):
        for pair in pairwise(parts):
            pairs[pair] += count
            where[pair].add(i)
    while len(pieces) < size and pairs:
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        if pairs[best] < 2:
            break
        merged = best[0] + best[1].removeprefix("##")
        pieces[merged] = None
        for i in sorted(where.pop(best)):
            parts, count = words[i]
            for pair in pairwise(parts):
                pairs[pair] -= count
            parts = _merge(parts, best, merged)
            words[i] = (parts, count)
            for pair in pairwise(parts):
                pairs[pair] += count
                where[pair].add(i)
        pairs.pop(best, None)
    return list(pieces)


def _merge(parts: list[str], pair: tuple[str, str], merged: str) -> list[str]:
    found, i = [], 0
    while i < len(parts):
        if tuple(parts[i : i + 2]) == pair:
            found.append(merged)
            i += 2
        else:
            found.append(parts[i])
            i += 1
    return found


def _normal(text: str, lowercase: bool) -> str:
    """As BERT's normalizer: lower case takes accents away, too."""
    if not lowercase:
        return text
    decomposed = unicodedata.normalize("NFD", text.lower())
    return "".join(letter for letter in decomposed if unicodedata.category(letter) != "Mn")
