"""The few collective operations of training; each does nothing in a run of one process."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class World:
    """One process among those that `torchrun` started, or the only one."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    hosts: dist.ProcessGroup | None = None  # for numbers of the host: no GPU is waited for

    @classmethod
    def join(cls, device_type: str) -> "World":
        """Meet the other processes, by NCCL on CUDA and gloo on CPU."""
        size = int(os.environ.get("WORLD_SIZE", "1"))
        if size == 1:
            return cls()
        if not dist.is_initialized():
            dist.init_process_group("nccl" if device_type == "cuda" else "gloo")
        hosts = dist.new_group(backend="gloo")
        return cls(dist.get_rank(), size, int(os.environ.get("LOCAL_RANK", "0")), hosts)

    def leave(self) -> None:
        """Part from the other processes."""
        if self.size > 1 and dist.is_initialized():
            dist.destroy_process_group()

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def largest(self, number: float) -> float:
        """The maximum over processes of a number that the host knows."""
        if self.size == 1:
            return number
        tensor = torch.tensor(number, dtype=torch.float64)
        dist.all_reduce(tensor, op=dist.ReduceOp.MAX, group=self.hosts)
        return float(tensor)

    def wait(self) -> None:
        """Return when all processes are here."""
        if self.size > 1:
            dist.barrier()

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sum the gradients over processes, in one message.

        Training accumulates over many micro-batches before this, so overlapping it with the last one gains little.
        """
        if self.size == 1:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in trained]
        flat = torch._utils._flatten_dense_tensors(gradients)
        dist.all_reduce(flat)
        for gradient, summed in zip(gradients, torch._utils._unflatten_dense_tensors(flat, gradients), strict=True):
            gradient.copy_(summed)
