"""Extractive answers against a plain re-statement of the official SQuAD v1.1 rules."""

import re
import string

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkbert.metrics import score
from linkbert.metrics.text import exact_match, normalize, token_f1


def reference_normalize(text):
    """Lower; drop ASCII punctuation; articles to a space; squeeze white space."""
    kept = "".join(character for character in text.lower() if character not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def reference_scores(prediction, golds):
    best_exact, best_f1 = 0.0, 0.0
    for gold in golds:
        a, b = reference_normalize(prediction), reference_normalize(gold)
        best_exact = max(best_exact, float(a == b))
        left = b.split()
        same = 0
        for word in a.split():
            if word in left:
                left.remove(word)
                same += 1
        if same:
            precision, recall = same / len(a.split()), same / len(b.split())
            best_f1 = max(best_f1, 2 * precision * recall / (precision + recall))
    return best_exact, best_f1


WORDS = ["the", "a", "an", "The", "A.", "cat", "Cat's", "CAT", "42", "4.2", "—", "é", "É", "ﬁn", "İ", "the-cat", "",
         " ", "\u00a0", "«a»", "theatre", "...", "U.S.", "a_b", "naïve", "日本", "\t", "an\nthe"]  # fmt: skip


def random_answer(rng):
    return " ".join(rng.choice(WORDS, size=rng.integers(0, 6)))


def test_equals_the_official_rules_on_random_answers():
    rng = np.random.default_rng(0)
    for _ in range(5000):
        prediction, golds = random_answer(rng), [random_answer(rng) for _ in range(rng.integers(1, 4))]
        exact, f1 = reference_scores(prediction, golds)
        assert exact_match(prediction, golds) == exact
        assert token_f1(prediction, golds) == pytest.approx(f1, abs=1e-12)


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=30), st.lists(st.text(max_size=30), min_size=1, max_size=3))
def test_equals_the_official_rules_on_any_text(prediction, golds):
    assert normalize(prediction) == reference_normalize(prediction)
    assert (exact_match(prediction, golds), pytest.approx(token_f1(prediction, golds))) == reference_scores(
        prediction, golds
    )


@pytest.mark.parametrize(
    ("prediction", "golds", "exact", "f1"),
    [
        ("The cat", ["cat"], 1, 1),
        ("cat cat", ["cat"], 0, 2 / 3),
        ("big cat", ["cat", "big cat sat"], 0, 0.8),
        ("", ["cat"], 0, 0),
        ("the", ["a"], 1, 0),  # nothing is left of either: equal, yet no word in common
        ("cats", ["cat"], 0, 0),
    ],
)
def test_known_answers(prediction, golds, exact, f1):
    assert exact_match(prediction, golds) == exact
    assert token_f1(prediction, golds) == pytest.approx(f1)


def test_score_takes_the_mean_and_counts_missing_answers_as_wrong():
    examples = [{"id": "1", "golds": ["red cat"]}, {"id": "2", "golds": ["the"]}, {"id": "3", "golds": ["dog"]}]
    found = score("squad", examples, {"1": "cat", "3": "dog"})
    assert list(found) == ["f1", "exact_match", "missing"]
    assert found["f1"] == pytest.approx(100 * (2 / 3 + 1) / 3)
    assert found["exact_match"] == pytest.approx(100 / 3)
    assert found["missing"] == 1
    # An empty answer is an answer, and normalizes to what "the" normalizes to; a missing one is not.
    assert score("squad", examples, {"1": "cat", "2": "", "3": "dog"})["exact_match"] == pytest.approx(200 / 3)
