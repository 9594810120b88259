"""Cross-entropy over a large vocabulary, a few rows of logits at a time."""

import torch
import torch.nn.functional as F
from torch import Tensor

# Rows of logits alive at once. On CPUs 128 rows of 30,000 words stay near the cache; the whole matrix would not.
CHUNK = 128


class _ChunkedCrossEntropy(torch.autograd.Function):
    """Sum of cross-entropies; gradients are made on the way, so that no logits are kept and none computed twice."""

    @staticmethod
    def forward(ctx, states: Tensor, weight: Tensor, bias: Tensor, labels: Tensor, chunk: int) -> Tensor:
        d_states, d_weight, d_bias = torch.empty_like(states), torch.zeros_like(weight), torch.zeros_like(bias)
        loss = states.new_zeros((), dtype=torch.float32)
        # The same two blocks serve all chunks: fresh ones of this size cost more than the arithmetic on them.
        logits, share = states.new_empty(2, chunk, len(weight))
        for first in range(0, len(states), chunk):
            part, target = states[first : first + chunk], labels[first : first + chunk, None]
            scores, gradient = logits[: len(part)], share[: len(part)]
            torch.addmm(bias, part, weight.t(), out=scores)
            torch.softmax(scores, 1, out=gradient)
            # log sum exp through the likeliest word, whose share is at least 1 / V and so has an exact logarithm.
            normalizer = scores.amax(1) - gradient.amax(1).log()
            loss += (normalizer - scores.gather(1, target)[:, 0]).sum()
            gradient.scatter_add_(1, target, gradient.new_full(target.shape, -1.0))
            torch.mm(gradient, weight, out=d_states[first : first + chunk])
            d_weight.addmm_(gradient.t(), part)
            d_bias += gradient.sum(0)
        ctx.save_for_backward(d_states, d_weight, d_bias)
        return loss

    @staticmethod
    def backward(ctx, scale: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        d_states, d_weight, d_bias = ctx.saved_tensors
        return d_states * scale, d_weight * scale, d_bias * scale, None, None


def cross_entropy_sum(
    states: Tensor, weight: Tensor, bias: Tensor, labels: Tensor, chunk: int | None = CHUNK
) -> Tensor:
    """Sum over rows of the cross-entropy of ``states @ weight.T + bias`` [K, V] with labels [K]; a scalar in fp32.

    Args:
        chunk: rows at a time, in the type of `states`; None computes all logits at once, under autocast where it is on.
    """
    if chunk is None or not torch.is_grad_enabled():
        return F.cross_entropy(F.linear(states, weight, bias).float(), labels, reduction="sum")
    return _ChunkedCrossEntropy.apply(states, weight, bias, labels, chunk)
