"""A training step as a GPU runs it, on tensors without content: whatever makes the host wait for the device fails."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from linkbert.errors import UserError
from linkbert.model import dropout
from linkbert.model.attention import Attention
from linkbert.model.config import ModelConfig
from linkbert.pretraining import objective
from linkbert.pretraining.data import Corpus, MicroBatch, open_source
from linkbert.pretraining.devices import first_micro_tokens
from linkbert.pretraining.distributed import World
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
    return replace(micro, batch=batch, **fake(micro, ("rows", "places", "order", "labels", "relations")))


def as_on_a_gpu(states, weight, bias, labels, chunk, half, compiled):
    """The loss in half precision; compiled or not, it is the same here."""
    return cross_entropy_sum(states, weight, bias, labels, 32, True, False)


@pytest.mark.parametrize("probability", [0.0, 0.1])
def test_a_step_reads_nothing_from_the_device(trainer, monkeypatch, probability):
    monkeypatch.setattr(Attention, "has_flash", staticmethod(lambda x: True))
    generator = SimpleNamespace(manual_seed=int, set_offset=int)  # which take numbers of the host
    monkeypatch.setattr(torch.cuda, "default_generators", {None: generator})
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


@pytest.mark.parametrize(
    ("layers", "size", "heads", "tokens"),
    [(2, 128, 2, 262_144), (12, 768, 12, 131_072), (24, 1024, 16, 65_536)],
    ids=["tiny", "base", "large"],
)
def test_first_micro_batches(layers, size, heads, tokens):
    assert first_micro_tokens(ModelConfig(30_522, size, layers, heads, 4 * size), "cuda") == tokens


def test_each_process_has_its_gpu_before_they_meet(monkeypatch):
    done = []
    monkeypatch.setenv("WORLD_SIZE", "3")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: done.append(("device", device)))
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda *how, **more: done.append((*how, more)))
    monkeypatch.setattr(torch.distributed, "new_group", lambda backend: done.append((backend,)))
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    assert World.join("cuda").local_rank == 1
    assert done == [("device", 1), ("nccl", {"device_id": torch.device("cuda", 1)}), ("gloo",)]
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(UserError, match=r"process 3 of this machine has no GPU: it has 2"):
        World.join("cuda")
