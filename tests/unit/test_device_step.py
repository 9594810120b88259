"""A training step as a GPU runs it, on tensors without content: whatever makes the host wait for the device fails."""

from dataclasses import replace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from linkbert.model import dropout
from linkbert.model.attention import Attention
from linkbert.pretraining import objective
from linkbert.pretraining.data import Corpus, MicroBatch, open_source
from linkbert.pretraining.loop import Trainer
from linkbert.pretraining.loss import cross_entropy_sum
from linkbert.pretraining.recipe import Recipe
from linkbert.pretraining.run import build_model
from linkbert.pretraining.synthetic import write_instances, write_tokenizer, write_tokens
from linkbert.text.vocabulary import read_vocabulary

WORDS, TOKENS, LENGTH = 300, 20_000, 64
RECIPE = {
    "objective": "mlm_drp",
    "size": {"num_layers": 2, "hidden_size": 64, "num_heads": 2, "intermediate_size": 128, "max_positions": 64},
    "length": LENGTH,
    "steps": 10,
    "batch_size": 8,
    "learning_rate": 1e-4,
    "warmup": 2,
    "micro_batch_tokens": 256,
    "precision": "bf16",
}


@pytest.fixture(autouse=True)
def no_table_stays():
    """What dropout makes once in a process has no content here."""
    made = (dropout._table, dropout._scale, dropout._numbers)
    for cache in made:
        cache.cache_clear()
    yield
    for cache in made:
        cache.cache_clear()


@pytest.fixture
def trainer(tmp_path):
    """A function that makes a trainer with the kernels of a GPU whose parameters are shapes alone."""

    def make(mode: FakeTensorMode, **settings) -> Trainer:
        recipe = Recipe.parse(RECIPE | settings)
        write_tokenizer(tmp_path / "tokenizer", WORDS)
        write_tokens(tmp_path / "tokens", WORDS, TOKENS)
        write_instances(tmp_path / "instances", [40], TOKENS, LENGTH)
        vocabulary = read_vocabulary(tmp_path / "tokenizer")
        files = sorted((tmp_path / "instances").glob("epoch-*.npy"))
        corpus = Corpus([open_source(tmp_path / "tokens", files, vocabulary, LENGTH, 3)], 0)
        model = build_model(recipe, vocabulary, None).train()
        for module in model.modules():
            for name, parameter in module._parameters.items():
                if parameter is not None:
                    module._parameters[name] = torch.nn.Parameter(mode.from_tensor(parameter.data))
        return Trainer(model, recipe, corpus, vocabulary, torch.device("cpu"))

    return make


def without_content(micro: MicroBatch, mode: FakeTensorMode) -> MicroBatch:
    def fake(owner, names):
        return {name: mode.from_tensor(getattr(owner, name)) for name in names}

    batch = replace(micro.batch, **fake(micro.batch, ("tokens", "segments", "positions", "cu_seqlens", "keys")))
    return replace(micro, batch=batch, **fake(micro, ("rows", "hidden", "labels", "cls", "relations")))


def as_on_a_gpu(states, weight, bias, labels, chunk, half, compiled):
    """The loss in half precision; compiled or not, it is the same here."""
    return cross_entropy_sum(states, weight, bias, labels, 32, True, False)


@pytest.mark.parametrize("probability", [0.0, 0.1])
def test_a_step_reads_nothing_from_the_device(trainer, monkeypatch, probability):
    monkeypatch.setattr(Attention, "has_flash", staticmethod(lambda x: True))
    monkeypatch.setattr(torch.cuda, "manual_seed", lambda seed: None)
    monkeypatch.setattr(objective, "cross_entropy_sum", as_on_a_gpu)
    with FakeTensorMode() as mode:
        one = trainer(mode, attention_dropout=probability)
        step = one.make_step(0)
        assert len(step.micros) == 2
        assert one.update(replace(step, micros=[without_content(micro, mode) for micro in step.micros]), 0.5)
        assert one._sums.shape == (3,)


def test_reading_from_the_device_would_be_noticed(trainer):
    """The explicit attention lays out its blocks on the host."""
    with FakeTensorMode() as mode:
        one = trainer(mode)
        micros = [without_content(micro, mode) for micro in one.make_step(0).micros]
        with pytest.raises(RuntimeError):
            one.update(replace(one.make_step(0), micros=micros), 0.5)
