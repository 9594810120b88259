"""Entity and word scores against seqeval and scikit-learn."""

import warnings

import numpy as np
import pytest
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities
from sklearn.metrics import f1_score as cell_f1

from linkbert.metrics.tagging import entities, entity_f1, word_f1s

SCHEMES = {
    "untyped": ["B", "I", "O"],
    "one type": ["B-X", "I-X", "O"],
    "types": ["B-PER", "I-PER", "B-LOC", "I-LOC", "B-A-B", "I-A-B", "O"],
    "bioes": [f"{prefix}-{kind}" for prefix in "BIES" for kind in ("X", "Y")] + ["O"],
    "inside only": ["I-PAR", "I-INT", "I-OUT", "O"],
}


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize("scheme", SCHEMES)
def test_entities_are_seqevals(scheme):
    rng = np.random.default_rng(0)
    for _ in range(1500):
        tags = rng.choice(SCHEMES[scheme], size=rng.integers(0, 12)).tolist()
        assert entities(tags) == get_entities(tags)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_entity_f1_equals_seqeval(scheme):
    rng = np.random.default_rng(1)
    for _ in range(100):
        lengths = rng.integers(1, 12, size=rng.integers(1, 6))
        gold = [rng.choice(SCHEMES[scheme], size=n).tolist() for n in lengths]
        # Mostly right predictions, so that matches occur; sometimes nothing is predicted.
        keep = rng.choice([0.0, 0.7, 1.0])
        predicted = [
            [tag if rng.random() < keep else str(rng.choice(SCHEMES[scheme])) for tag in tags] for tags in gold
        ]
        if rng.random() < 0.1:
            predicted = [["O"] * n for n in lengths]
        expected = [metric(gold, predicted, zero_division=0) for metric in (f1_score, precision_score, recall_score)]
        assert entity_f1(gold, predicted) == pytest.approx(expected)


def test_entity_f1_without_any_entity_is_0():
    assert entity_f1([["O", "O"]], [["O", "O"]]) == (0, 0, 0)


def test_word_scores_equal_sklearn_by_type():
    rng = np.random.default_rng(2)
    tags = SCHEMES["inside only"]
    for _ in range(200):
        gold, predicted = rng.choice(tags, size=(2, rng.integers(1, 30)), p=[0.2, 0.1, 0.1, 0.6]).tolist()
        found = word_f1s([gold], [predicted])
        kinds = sorted({tag for tag in gold + predicted if tag != "O"})
        assert list(found) == [kind[2:] for kind in kinds]
        if kinds:
            assert list(found.values()) == pytest.approx(
                cell_f1(gold, predicted, labels=kinds, average=None, zero_division=0).tolist()
            )


def test_word_scores_equal_seqeval_where_every_word_is_an_entity():
    rng = np.random.default_rng(3)
    for _ in range(100):
        gold, predicted = rng.choice(["PAR", "INT", "OUT", "O"], size=(2, 25)).tolist()
        as_entities = [[tag if tag == "O" else f"B-{tag}" for tag in tags] for tags in (gold, predicted)]
        as_inside = [[tag if tag == "O" else f"I-{tag}" for tag in tags] for tags in (gold, predicted)]
        found = word_f1s([as_inside[0]], [as_inside[1]])
        expected = f1_score([as_entities[0]], [as_entities[1]], average="macro", zero_division=0)
        assert np.mean(list(found.values())) == pytest.approx(expected)
