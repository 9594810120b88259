"""Extractive answers: exact match and token F1 as SQuAD v1.1 and MRQA 2019 score them."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


@lru_cache(maxsize=1 << 16)
def normalize(text: str) -> str:
    """Lower case, without ASCII punctuation, then without articles, with single spaces: in this order.

    >>> normalize("The  U.S. Army's")
    'us armys'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, golds: Sequence[str]) -> float:
    """1 where the normalized prediction equals a normalized gold answer, else 0."""
    normalized = normalize(prediction)
    return float(any(normalized == normalize(gold) for gold in golds))


def token_f1(prediction: str, golds: Sequence[str]) -> float:
    """The best F1 over the gold answers, between bags of normalized words.

    As in the official scorer two answers without a word have F1 0, even where they match exactly.
    """
    words = Counter(normalize(prediction).split())
    number = words.total()
    best = 0.0
    for gold in golds:
        gold_words = Counter(normalize(gold).split())
        common = (words & gold_words).total()
        if common:
            precision, recall = common / number, common / gold_words.total()
            best = max(best, 2 * precision * recall / (precision + recall))
    return best
