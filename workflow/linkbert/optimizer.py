"""AdamW by PyTorch's fused kernel, without `torch.optim`."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class AdamW:
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2019): the numbers of ``torch.optim.AdamW(fused=True)``.

    The first optimizer of `torch.optim` in a process imports PyTorch's compiler, which takes five seconds of a core:
    more than the training of a small model takes.

    Args:
        groups: (parameters, weight decay) of each group.
        fused: False takes one parameter at a time, in several kernels; to measure what fusing gives.
    """

    def __init__(
        self,
        groups: Sequence[tuple[list[nn.Parameter], float]],
        betas: tuple[float, float],
        epsilon: float,
        fused: bool = True,
    ):
        self.betas, self.epsilon, self.fused = betas, epsilon, fused
        self.groups = [
            (
                parameters,
                decay,
                [torch.zeros_like(parameter) for parameter in parameters],
                [torch.zeros_like(parameter) for parameter in parameters],
                # One at a time reads its number of updates on the host: on a GPU each would be waited for.
                [torch.zeros((), device=parameter.device if fused else "cpu") for parameter in parameters],
            )
            for parameters, decay in groups
            if parameters
        ]
        self.parameters = [parameter for parameters, _ in groups for parameter in parameters]

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Update all parameters from their gradients at a learning rate, and forget the gradients."""
        for parameters, decay, means, squares, steps in self.groups:
            gradients = [_gradient(parameter) for parameter in parameters]
            settings = {
                "lr": rate,
                "beta1": self.betas[0],
                "beta2": self.betas[1],
                "weight_decay": decay,
                "eps": self.epsilon,
                "amsgrad": False,
                "maximize": False,
            }
            if self.fused:
                torch._foreach_add_(steps, 1)
                torch._fused_adamw_(parameters, gradients, means, squares, [], steps, **settings)
            else:
                from torch.optim.adamw import adamw

                adamw(parameters, gradients, means, squares, [], steps, foreach=False, **settings)
        self.forget()

    def forget(self) -> None:
        """Drop all gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Both moments and the number of updates of every parameter, in the order of the groups."""
        names = ("means", "squares", "steps")
        return {name: [group[2 + place] for group in self.groups] for place, name in enumerate(names)}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` gave."""
        for place, name in enumerate(("means", "squares", "steps")):
            for group, saved in zip(self.groups, state[name], strict=True):
                for tensor, value in zip(group[2 + place], saved, strict=True):
                    tensor.copy_(value)


def _gradient(parameter: nn.Parameter) -> Tensor:
    if parameter.grad is None:
        raise RuntimeError(
            f"a parameter of shape {list(parameter.shape)} has no gradient: it takes no part in the loss"
        )
    return parameter.grad
