"""The evaluation on held-out instances: sums over any batches are those over single instances."""

import numpy as np
import pytest
import torch

from linkbert.pretraining.data import heldout_rows, open_source
from linkbert.pretraining.distributed import World
from linkbert.pretraining.evaluation import Heldout, measure, ratio, summarize
from linkbert.pretraining.recipe import Recipe
from linkbert.pretraining.run import build_model
from linkbert.text.vocabulary import read_vocabulary


def test_evaluation_is_that_of_single_instances(folders, small):
    vocabulary = read_vocabulary(folders / "tokenizer")
    held = [open_source(folders / "tokens", [folders / "instances" / "heldout.npy"], vocabulary, small.length, 3)]
    model = build_model(Recipe.parse(small.recipe), vocabulary, None)
    heldout = Heldout(held, heldout_rows(held), vocabulary)

    def evaluate(model, relations, tokens):
        result = measure(model, heldout, tokens, torch.device("cpu"), World())
        return summarize(result.numpy(), heldout.rows, relations)

    whole = evaluate(model, 3, 10_000)
    single = evaluate(model, 3, 1)
    assert model.training
    assert whole["relation"] == single["relation"]
    for part in ("loss", "accuracy"):
        assert whole["mlm"][part]["value"] == pytest.approx(single["mlm"][part]["value"], abs=1e-5)
        by_relation = whole["mlm_by_relation"].values()
        total = sum(one[part]["value"] * one[part]["count"] for one in by_relation)
        assert total / whole["mlm"][part]["count"] == pytest.approx(whole["mlm"][part]["value"])
    # Untrained, the model guesses: about log V.
    assert whole["mlm"]["loss"]["value"] == pytest.approx(np.log(small.words), abs=0.3)
    other = build_model(Recipe.parse(small.recipe | {"objective": "mlm_nsp"}), vocabulary, None)
    pairs = evaluate(other, 2, 500)
    contiguous, random = (int((heldout.rows.relation == number).sum()) for number in (0, 1))
    assert np.array(pairs["relation"]["confusion"]).sum(1).tolist() == [contiguous, random]
    assert "relation" not in evaluate(model, 0, 500)


def test_ranks_measure_what_one_process_does(folders, small):
    vocabulary = read_vocabulary(folders / "tokenizer")
    held = [open_source(folders / "tokens", [folders / "instances" / "heldout.npy"], vocabulary, small.length, 3)]
    model = build_model(Recipe.parse(small.recipe), vocabulary, None)
    heldout, device = Heldout(held, heldout_rows(held), vocabulary), torch.device("cpu")
    parts = [measure(model, heldout, 500, device, World(rank, 3)) for rank in range(3)]
    torch.testing.assert_close(sum(parts), measure(model, heldout, 500, device, World()))


def test_ratio_and_its_error():
    found = ratio(np.array([2.0, 0.0, 1.0]), np.array([2.0, 1.0, 1.0]))
    assert found == {"value": 0.75, "error": pytest.approx(np.sqrt(0.25 + 0.5625 + 0.0625) / 4), "count": 4}
    assert ratio(np.zeros(0), np.zeros(0))["value"] is None
