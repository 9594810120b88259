"""AdamW by PyTorch's fused kernel, without `torch.optim`."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019): the numbers of ``torch.optim.AdamW(fused=True)``.

    The first optimizer of `torch.optim` in a process imports PyTorch's compiler, which takes five seconds of a core:
    more than the training of a small model takes.

    Args:
        groups: (parameters, weight decay) of each group.
    """

    def __init__(self, groups: Sequence[tuple[list[nn.Parameter], float]], betas: tuple[float, float], epsilon: float):
        self.betas, self.epsilon = betas, epsilon
        self.groups = [
            (
                parameters,
                decay,
                [torch.zeros_like(parameter) for parameter in parameters],
                [torch.zeros_like(parameter) for parameter in parameters],
                [torch.zeros((), device=parameter.device) for parameter in parameters],
            )
            for parameters, decay in groups
        ]
        self.parameters = [parameter for parameters, _ in groups for parameter in parameters]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Update all parameters from their gradients at a learning rate, and forget the gradients."""
        for parameters, decay, means, squares, steps in self.groups:
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                parameters,
                [_gradient(parameter) for parameter in parameters],
                means,
                squares,
                [],
                steps,
                lr=rate,
                beta1=self.betas[0],
                beta2=self.betas[1],
                weight_decay=decay,
                eps=self.epsilon,
                amsgrad=False,
                maximize=False,
            )
        for parameter in self.parameters:
            parameter.grad = None


def _gradient(parameter: nn.Parameter) -> Tensor:
    if parameter.grad is None:
        raise RuntimeError(
            f"a parameter of shape {list(parameter.shape)} has no gradient: it takes no part in the loss"
        )
    return parameter.grad
