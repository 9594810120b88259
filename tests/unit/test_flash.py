"""The path of a GPU through the model, with a written-out double of PyTorch's flash kernel in its place.

The double has the kernel's schema, takes sequences one by one, and draws dropout as the kernel does: for each head of
each sequence from a counter that goes on by 32, beginning where the model sets the device's generator. What is tested
is all that surrounds the kernel, its arguments and its gradients among them.
"""

import itertools
import math

import pytest
import torch

from linkbert.model.attention import Attention
from linkbert.model.bert import BertEncoder, compile_rows
from linkbert.model.config import ModelConfig
from linkbert.model.packing import PackedBatch, pack
from linkbert.rng import key_of

LENGTHS = (5, 12, 1, 9, 12, 3)
CONFIG = ModelConfig(60, 32, 3, 4, 64, 16, dropout=0.0, attention_dropout=0.0)


class Double:
    """`aten::_flash_attention_forward` and `_backward` for CPU tensors."""

    def __init__(self) -> None:
        self.seed, self.offset, self.calls = 0, 0, 0

    def manual_seed(self, seed: int) -> None:
        """As that of the device's generator."""
        self.seed, self.offset = seed, 0

    def set_offset(self, offset: int) -> None:
        """As that of the device's generator."""
        assert offset % 4 == 0
        self.offset = offset

    @staticmethod
    def parts(cu_q, cu_k):
        """The rows of each sequence's queries and keys."""
        ends = zip(cu_q.tolist(), cu_q[1:].tolist(), cu_k.tolist(), cu_k[1:].tolist(), strict=False)
        return [(slice(a, b), slice(c, d)) for a, b, c, d in ends]

    @staticmethod
    def weights(query, key):
        scores = torch.einsum("qhd,khd->hqk", query, key) / math.sqrt(query.shape[2])
        return scores.softmax(-1), scores.logsumexp(-1)

    @staticmethod
    def kept(state, number, shape, probability):
        heads, *size = shape
        seed, offset = state.tolist()
        draws = [
            torch.rand(
                size, generator=torch.Generator().manual_seed(key_of(seed, offset + (number * heads + head) * 32))
            )
            for head in range(heads)
        ]
        return (torch.stack(draws) >= probability) / (1 - probability)

    def forward(self, query, key, value, cu_q, cu_k, max_q, max_k, probability, causal, debug, **more):
        assert not causal
        assert not debug
        assert max_k == max(k.stop - k.start for _, k in self.parts(cu_q, cu_k))
        assert {name for name, size in more.items() if size not in (None, -1)} == set()
        self.calls += 1
        state = torch.tensor([self.seed % 2**62, self.offset])
        self.offset += 32 * query.shape[1] * (len(cu_q) - 1)
        context, normalizer = torch.empty_like(query), query.new_empty(query.shape[1], len(query))
        for number, (q, k) in enumerate(self.parts(cu_q, cu_k)):
            assert q.stop - q.start <= max_q
            weights, normalizer[:, q] = self.weights(query[q], key[k])
            weights = weights * self.kept(state, number, weights.shape, probability)
            context[q] = torch.einsum("hqk,khd->qhd", weights, value[k])
        return context, normalizer, state, torch.empty(0), torch.empty(0)

    def backward(
        self,
        gradient,
        query,
        key,
        value,
        context,
        normalizer,
        cu_q,
        cu_k,
        max_q,
        max_k,
        probability,
        causal,
        state,
        _,
        **more,
    ):
        assert gradient.is_contiguous()
        result = [torch.empty_like(tensor) for tensor in (query, key, value)]
        for number, (q, k) in enumerate(self.parts(cu_q, cu_k)):
            scores = torch.einsum("qhd,khd->hqk", query[q], key[k]) / math.sqrt(query.shape[2])
            weights = (scores - normalizer[:, q, None]).exp()
            kept = self.kept(state, number, weights.shape, probability)
            share = (gradient[q] * context[q]).sum(-1).T[..., None]
            d_scores = weights * (torch.einsum("qhd,khd->hqk", gradient[q], value[k]) * kept - share)
            d_scores /= math.sqrt(query.shape[2])
            result[0][q] = torch.einsum("hqk,khd->qhd", d_scores, key[k])
            result[1][k] = torch.einsum("hqk,qhd->khd", d_scores, query[q])
            result[2][k] = torch.einsum("hqk,qhd->khd", weights * kept, gradient[q])
        return tuple(result)


@pytest.fixture
def double(monkeypatch):
    """CPU tensors have a flash kernel."""
    kernel = Double()
    library = torch.library.Library("aten", "IMPL")
    library.impl("_flash_attention_forward", kernel.forward, "CPU")
    library.impl("_flash_attention_backward", kernel.backward, "CPU")
    monkeypatch.setattr(torch.cuda, "default_generators", {None: kernel})  # by the index of the CPU
    monkeypatch.setattr(Attention, "has_flash", staticmethod(lambda x: True))
    yield kernel
    library._destroy()


def batch() -> PackedBatch:
    """Sequences of several lengths, one of a single token."""
    generator = torch.Generator().manual_seed(4)
    made = pack([torch.randint(60, (length,), generator=generator).tolist() for length in LENGTHS])
    made.keys, made.seed, made.first = torch.arange(len(LENGTHS)) + 5, 5, 70
    return made


def encoder(**settings: float) -> BertEncoder:
    torch.manual_seed(1)
    shape = ModelConfig(**{**CONFIG.__dict__, **settings})
    made = BertEncoder(shape).train()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return made


def results(model: BertEncoder, rows: torch.Tensor | None) -> list[torch.Tensor]:
    """States and all gradients."""
    states = model(batch(), rows)
    weights = torch.arange(states.numel()).view_as(states).sin()
    (states * weights).sum().backward()
    return [states.detach(), *(parameter.grad for parameter in model.parameters())]


ROWS = torch.tensor([0, 3, 5, 8, 17, 18, 20, 27, 30, 38, 39, 41])


@pytest.mark.parametrize("rows", [None, ROWS], ids=["all rows", "some rows"])
def test_the_path_of_a_gpu_computes_the_same(double, monkeypatch, rows):
    flash = results(encoder(), rows)
    assert double.calls == CONFIG.num_layers
    monkeypatch.setattr(Attention, "has_flash", staticmethod(lambda x: False))
    torch.testing.assert_close(flash, results(encoder(), rows), atol=1e-4, rtol=1e-4)


def test_its_dropout_has_the_gradients_of_what_it_computes(double):
    """Against differences of the loss along random directions, with the same draws."""
    model, rows = encoder(attention_dropout=0.3).double(), ROWS

    def loss() -> torch.Tensor:
        states = model(batch(), rows)
        return (states * torch.arange(states.numel()).view_as(states).sin()).sum()

    loss().backward()
    assert double.calls == CONFIG.num_layers
    plain = encoder().double()(batch(), rows)
    assert not torch.allclose(plain, model(batch(), rows), atol=1e-2)
    for parameter in model.parameters():
        direction, gradient = torch.randn_like(parameter), parameter.grad
        with torch.no_grad():
            values = []
            for step in (1e-5, -2e-5):
                parameter += step * direction
                values.append(loss())
            parameter += 1e-5 * direction
        slope = (values[0] - values[1]) / 2e-5
        torch.testing.assert_close(slope, (gradient * direction).sum(), atol=1e-5, rtol=1e-4)


def test_its_dropout_belongs_to_the_sample_and_the_layer(double, monkeypatch):
    """Whatever batch a sequence is in, and wherever in it, its numbers are the same; other layers draw others."""
    model, whole = encoder(attention_dropout=0.4), batch()
    states = model(whole)
    ends = whole.cu_seqlens.tolist()
    for first, last in itertools.pairwise((0, 2, 5, 6)):
        rows = slice(ends[first], ends[last])
        part = pack([whole.tokens[a:b].tolist() for a, b in itertools.pairwise(ends[first : last + 1])])
        part.keys, part.seed, part.first = whole.keys[first:last], whole.seed, whole.first + first
        torch.testing.assert_close(model(part), states[rows])
        part.first += 1
        assert not torch.allclose(model(part), states[rows], atol=1e-2)
    seeds = []
    monkeypatch.setattr(double, "manual_seed", seeds.append)
    model(whole)
    assert len(set(seeds)) == len(seeds) == CONFIG.num_layers


def test_compiled_it_computes_the_same(double):
    plain = results(encoder(dropout=0.2, attention_dropout=0.2), ROWS)
    compiled = encoder(dropout=0.2, attention_dropout=0.2)
    compile_rows(compiled, "aot_eager")
    torch.testing.assert_close(results(compiled, ROWS), plain)
