"""AdamW with BERT's decay groups, and warm-up followed by linear decay."""

from torch import nn

from linkbert.optimizer import AdamW


def decay_groups(model: nn.Module, weight_decay: float) -> list[tuple[list[nn.Parameter], float]]:
    """The trained parameters in two groups: matrices and embeddings decay; biases and norms do not."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    decayed = [parameter for parameter in trained if parameter.ndim > 1]
    exempt = [parameter for parameter in trained if parameter.ndim <= 1]
    return [(decayed, weight_decay), (exempt, 0.0)]


def adamw(
    model: nn.Module,
    betas: tuple[float, float] = (0.9, 0.98),
    epsilon: float = 1e-6,
    weight_decay: float = 0.01,
    fused: bool = True,
) -> AdamW:
    """The optimizer of a model."""
    return AdamW(decay_groups(model, weight_decay), betas, epsilon, fused)


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
