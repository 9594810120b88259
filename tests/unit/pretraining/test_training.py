"""The loop learns, by the seed alone: neither the cut into micro-batches nor a technique changes what is computed."""

import numpy as np
import pytest
import torch

from linkbert.errors import UserError
from linkbert.pretraining.data import Corpus, open_source
from linkbert.pretraining.loop import Trainer
from linkbert.pretraining.objective import Techniques
from linkbert.pretraining.recipe import Recipe
from linkbert.pretraining.run import build_model
from linkbert.pretraining.synthetic import write_instances
from linkbert.text.vocabulary import read_vocabulary


def test_recorded_losses(undisturbed, curve):
    """Losses of this recipe as first trained; a change of them is a change of the science."""
    recorded = [5.9219, 5.8646, 5.8814, 5.8479, 5.8582, 5.7814, 5.7476, 5.7146, 5.7591, 5.7614, 5.7857, 5.6512]
    assert curve(undisturbed) == pytest.approx(recorded, abs=2e-3)
    assert undisturbed.tokens == 3539


@pytest.mark.parametrize("tokens", [64, 100, 1000])
def test_micro_batches_do_not_matter(folders, undisturbed, tokens, trainer, curve):
    one = trainer(folders, micro_batch_tokens=tokens)
    one.train()
    assert curve(one) == pytest.approx(curve(undisturbed), abs=2e-5)


@pytest.mark.parametrize(
    "techniques",
    [
        Techniques(packed=False),
        Techniques(masked_only=False),
        Techniques(last_layer_subset=False),
        Techniques(chunked_loss=False),
        Techniques(padded_vocabulary=True, fused_optimizer=False),
        Techniques(prefetch=False),
    ],
    ids=str,
)
def test_techniques_change_nothing(folders, undisturbed, techniques, trainer, curve):
    one = trainer(folders, techniques, dropout=0.0, attention_dropout=0.0)
    other = trainer(folders, dropout=0.0, attention_dropout=0.0)
    one.train()
    other.train()
    assert curve(one) == pytest.approx(curve(other), abs=2e-4)
    assert curve(one) != pytest.approx(curve(undisturbed), abs=2e-4)  # dropout does something


def test_the_seed_decides(folders, undisturbed, trainer, curve):
    again, other = trainer(folders), trainer(folders, seed=2)
    again.train()
    other.train()
    assert curve(again) == curve(undisturbed)
    assert curve(other) != curve(undisturbed)


def test_it_learns_eight_instances_by_heart(folders, tmp_path, small):
    write_instances(tmp_path / "eight", [8], small.tokens, small.length)
    files = [tmp_path / "eight" / "epoch-000.npy"]
    recipe = Recipe.parse(
        small.recipe
        | {
            "steps": 250,
            "batch_size": 8,
            "learning_rate": 1e-2,
            "dropout": 0.0,
            "attention_dropout": 0.0,
            "log_every": 10,
        }
        | {"size": small.recipe["size"] | {"hidden_size": 32}}
    )
    vocabulary = read_vocabulary(folders / "tokenizer")
    corpus = Corpus([open_source(folders / "tokens", files, vocabulary, small.length, 3)], 0)
    one = Trainer(build_model(recipe, vocabulary, None), recipe, corpus, vocabulary, torch.device("cpu"))
    one.train()
    assert one.curve[0]["mlm_loss"] > 4
    assert one.curve[-1]["mlm_loss"] < 1.5
    assert one.curve[-1]["relation_loss"] < 0.1


@pytest.mark.parametrize(("objective", "instances"), [("mlm_nsp", "pairs"), ("mlm", "instances")])
def test_other_objectives(folders, objective, instances, trainer):
    one = trainer(folders, objective=objective, instances=instances)
    start = one.model.relation.weight.clone()
    one.train()
    assert one.curve[-1]["mlm_loss"] < one.curve[0]["mlm_loss"]
    assert (one.curve[0]["relation_loss"] is None) == (objective == "mlm")
    assert torch.equal(one.model.relation.weight, start) == (objective == "mlm")


def test_half_precision_on_a_cpu_learns_the_same(folders, undisturbed, trainer, curve):
    one = trainer(folders, precision="bf16")
    one.train()
    assert curve(one) == pytest.approx(curve(undisturbed), abs=3e-2)
    assert curve(one) != pytest.approx(curve(undisturbed), abs=1e-5)


def test_a_share_of_steps_to_warm_up_loses_none(folders, trainer):
    one, other = trainer(folders, warmup=0.25), trainer(folders, warmup=3)
    for each in (one, other):
        each.train()
    assert [line["learning_rate"] for line in one.curve] == [line["learning_rate"] for line in other.curve]
    assert one.curve[0]["learning_rate"] > 0


def test_nsp_refuses_linked_instances(folders, trainer):
    with pytest.raises(UserError, match="holds relation 2"):
        trainer(folders, objective="mlm_nsp")


def test_a_budget_of_time_decays_to_nothing(folders, trainer):
    one = trainer(folders, steps=None, max_minutes=0.02, warmup=0.2)
    one.train()
    rates = [line["learning_rate"] for line in one.curve]
    assert one.step > 10
    assert 1.2 <= one.seconds < 10
    assert max(rates) > 4e-3
    assert rates[-1] < 1e-3
    peak = int(np.argmax(rates))
    assert (np.diff(rates[peak:]) < 0).all()
