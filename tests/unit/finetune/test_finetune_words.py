"""Training the word embeddings that occur, and no others: the same weights as training the whole table."""

from contextlib import nullcontext

import numpy as np
import pytest
import torch

from linkbert.finetune import loop
from linkbert.finetune.methods import METHODS
from linkbert.finetune.network import Checkpoint
from linkbert.finetune.recipe import recipe_of
from linkbert.finetune.words import occurring_words

CPU = torch.device("cpu")


@pytest.fixture
def checkpoint(model) -> Checkpoint:
    return Checkpoint(model, CPU)


def features_of(world, checkpoint, kind: str = "classification", **more):
    settings = {"learning_rate": 5e-3, "batch_size": 8, "epochs": 2, "length": 64, **more}
    random = np.random.default_rng(4)
    examples = [world.makers[kind][0](random, str(i)) for i in range(24)]
    method = METHODS[kind](world.makers[kind][1], recipe_of("test", settings, kind))
    return method, method.features(examples, checkpoint.tokenizer)


@pytest.mark.parametrize("kind", ["classification", "span", "tagging"])
@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_the_weights_are_those_of_training_the_whole_table(world, checkpoint, monkeypatch, kind, decay):
    method, features = features_of(world, checkpoint, kind, weight_decay=decay)
    before = checkpoint.encoder.words.weight.clone()
    ends = []
    for whole in (False, True):
        if whole:
            monkeypatch.setattr(loop, "occurring_words", lambda encoder, features, kept: nullcontext(features))
        network = checkpoint.network(method, 0)
        loss = loop.train(network, method, features, 0, "task", CPU)
        ends.append((loss, {name: tensor.clone() for name, tensor in network.state_dict().items()}))
    (loss, weights), (reference_loss, reference) = ends
    assert loss == pytest.approx(reference_loss, rel=1e-5)
    assert weights.keys() == reference.keys()
    for name, tensor in weights.items():
        assert torch.allclose(tensor, reference[name], rtol=1e-4, atol=2e-5), name
    absent = np.setdiff1d(np.arange(len(before)), features.pieces)
    assert len(absent) > 10
    moved = (weights["encoder.words.weight"][absent] - before[absent]).abs().max()
    assert moved > 1e-3 if decay else moved == 0


def test_only_occurring_words_are_held_and_inputs_stay_the_same(world, checkpoint):
    method, features = features_of(world, checkpoint)
    encoder, units = checkpoint.encoder.eval(), np.arange(4)
    whole = encoder.words
    expected = encoder(method.inputs(features, units).batch)
    with occurring_words(encoder, features, 1.0) as renumbered:
        assert encoder.words.num_embeddings == len(np.unique(features.pieces)) < whole.num_embeddings
        assert renumbered.pieces.dtype == features.pieces.dtype
        assert torch.equal(encoder(method.inputs(renumbered, units).batch), expected)
    assert encoder.words is whole and torch.equal(encoder(method.inputs(features, units).batch), expected)


def test_an_error_leaves_the_whole_table(world, checkpoint):
    _, features = features_of(world, checkpoint)
    whole, before = checkpoint.encoder.words, checkpoint.encoder.words.weight.clone()
    with pytest.raises(KeyboardInterrupt), occurring_words(checkpoint.encoder, features, 0.5):
        checkpoint.encoder.words.weight.detach().zero_()
        raise KeyboardInterrupt
    assert checkpoint.encoder.words is whole and torch.equal(whole.weight, before)
