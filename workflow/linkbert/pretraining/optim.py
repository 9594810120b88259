"""AdamW with BERT's decay groups, and warm-up followed by linear decay."""

import torch
from torch import nn


def decay_groups(model: nn.Module, weight_decay: float) -> list[dict]:
    """Parameters in two groups: matrices and embeddings decay; biases and norms do not."""
    decayed = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    exempt = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": exempt, "weight_decay": 0.0}]


def adamw(
    model: nn.Module,
    learning_rate: float,
    betas: tuple[float, float] = (0.9, 0.98),
    epsilon: float = 1e-6,
    weight_decay: float = 0.01,
    fused: bool = True,
) -> torch.optim.AdamW:
    """The optimizer of a model, in one kernel for each group where `fused`."""
    return torch.optim.AdamW(decay_groups(model, weight_decay), learning_rate, betas, epsilon, fused=fused)


def linear_schedule(step: int, progress: float, warmup: float) -> float:
    """The share of the peak learning rate for one update.

    Warm-up rises to 1; then the share falls linearly and would reach 0 at the end of training. It depends on progress
    alone, so that it holds for a number of steps and for a budget of time.

    Args:
        step: updates already made.
        progress: share of training already done, from 0 to 1.
        warmup: share of training spent warming up, or, from 1 on, a number of updates.

    >>> [linear_schedule(step, step / 8, 4) for step in range(8)]
    [0.25, 0.5, 0.75, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    if warmup >= 1:
        if step < warmup:
            return (step + 1) / warmup
        # With steps known, progress is step / steps; so warm-up ended at this progress.
        end = progress * warmup / step
    else:
        if progress < warmup:
            return progress / warmup
        end = warmup
    return max(1 - progress, 0.0) / (1 - end)
