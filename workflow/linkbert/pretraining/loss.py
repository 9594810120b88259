"""Cross-entropy over a large vocabulary, a few rows of logits at a time."""

from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

# Rows of logits alive at once. On CPUs 128 rows of 30,000 words stay near the cache; the whole matrix would not. No
# such cache is large enough on a GPU, and each chunk costs a dozen kernels to start: 8192 are half a gigabyte in bf16.
CHUNK = {"cpu": 128, "cuda": 8192}


def _in_place(scores: Tensor, target: Tensor, gradient: Tensor) -> Tensor:
    """Cross-entropies of logits [k, V], summed, and in `gradient` their derivative: the fewest passes of single calls.

    Args:
        target: int64 [k, 1].
    """
    torch.softmax(scores, 1, out=gradient)
    # log sum exp through the likeliest word, whose share is at least 1 / V and so has an exact logarithm.
    normalizer = scores.amax(1) - gradient.amax(1).log()
    gradient.scatter_add_(1, target, gradient.new_full(target.shape, -1.0))
    return (normalizer - scores.gather(1, target)[:, 0]).sum()


def _in_one(scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The same of logits in half precision, which the compiler makes one kernel of: all between its ends is fp32."""
    exact = scores.float()
    normalizer = exact.logsumexp(1, keepdim=True)
    words = torch.arange(scores.shape[1], device=scores.device)
    gradient = torch.exp(exact - normalizer) - (words == target).float()
    return (normalizer - exact.gather(1, target)).sum(), gradient.to(scores.dtype)


@lru_cache
def _compiled(backend: str = "inductor") -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    kernel = torch.compile(_in_one, dynamic=True, fullgraph=True, backend=backend)

    def call(scores: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        torch._dynamo.mark_static(scores, 1)  # rows differ from call to call, the vocabulary does not
        return kernel(scores, target)

    return call


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Sum of cross-entropies; gradients are made on the way, so that no logits are kept and none computed twice."""

    @staticmethod
    def forward(
        ctx, states: Tensor, weight: Tensor, bias: Tensor, labels: Tensor, chunk: int, half: bool, compiled: bool
    ) -> Tensor:
        kind = torch.bfloat16 if half else states.dtype
        rows, words, offset = states.to(kind), weight.to(kind), bias.to(kind)
        d_states, d_weight, d_bias = torch.empty_like(rows), torch.zeros_like(weight), torch.zeros_like(bias)
        loss = states.new_zeros((), dtype=torch.float32)
        in_one = _compiled() if compiled else _in_one
        if not half:  # the same two blocks serve all chunks: fresh ones of this size cost more than the arithmetic
            logits, share = rows.new_empty(2, chunk, len(weight))
        for first in range(0, len(states), chunk):
            part, target = rows[first : first + chunk], labels[first : first + chunk, None]
            if half:
                some, gradient = in_one(torch.addmm(offset, part, words.t()), target)
                d_weight += gradient.t() @ part
            else:
                scores, gradient = logits[: len(part)], share[: len(part)]
                torch.addmm(offset, part, words.t(), out=scores)
                some = _in_place(scores, target, gradient)
                d_weight.addmm_(gradient.t(), part)
            loss += some
            torch.mm(gradient, words, out=d_states[first : first + chunk])
            d_bias += gradient.sum(0, dtype=d_bias.dtype)
        ctx.save_for_backward(d_states.to(states.dtype), d_weight, d_bias)
        return loss

    @staticmethod
    def backward(ctx, scale: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None, None, None]:
        d_states, d_weight, d_bias = ctx.saved_tensors
        return d_states * scale, d_weight * scale, d_bias * scale, None, None, None, None


def cross_entropy_sum(
    states: Tensor,
    weight: Tensor,
    bias: Tensor,
    labels: Tensor,
    chunk: int | None = None,
    half: bool = False,
    compiled: bool = False,
) -> Tensor:
    """Sum over rows of the cross-entropy of ``states @ weight.T + bias`` [K, V] with labels [K]; a scalar in fp32.

    Args:
        chunk: rows at a time; None computes all logits at once, under autocast where it is on.
        half: with a chunk, logits in bf16 and their cross-entropy in fp32; else all in the type of `states`.
        compiled: the part between the matrix products of half precision is made one kernel by the compiler.
    """
    if chunk is None or not torch.is_grad_enabled():
        return F.cross_entropy(F.linear(states, weight, bias).float(), labels, reduction="sum")
    return _ChunkedCrossEntropy.apply(states, weight, bias, labels, chunk, half, compiled)
