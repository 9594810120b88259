"""The few collective operations of training; each does nothing in a run of one process."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from linkbert.errors import UserError


@dataclass(frozen=True)
class World:
    """One process among those that `torchrun` started, or the only one."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    hosts: dist.ProcessGroup | None = None  # for numbers of the host: no GPU is waited for

    @classmethod
    def join(cls, device_type: str) -> "World":
        """Meet the other processes, by NCCL on CUDA and gloo on CPU.

        Raises:
            UserError: where there are more processes on this machine than GPUs.
        """
        size, local_rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
        if size == 1:
            return cls()
        if device_type == "cuda" and local_rank >= torch.cuda.device_count():
            raise UserError(
                f"process {local_rank + 1} of this machine has no GPU: it has {torch.cuda.device_count()}; start as "
                "many processes as it has GPUs (--nproc-per-node)."
            )
        if not dist.is_initialized():
            if device_type == "cuda":
                # Before they meet: NCCL would take the first GPU for all, and each process keep memory there.
                torch.cuda.set_device(local_rank)
                dist.init_process_group("nccl", device_id=torch.device("cuda", local_rank))
            else:
                dist.init_process_group("gloo")
        hosts = dist.new_group(backend="gloo")
        return cls(dist.get_rank(), size, local_rank, hosts)

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

    def any(self, *facts: bool) -> list[bool]:
        """For each of some facts whether it holds in any process."""
        if self.size == 1:
            return list(facts)
        tensor = torch.tensor(facts, dtype=torch.uint8)
        dist.all_reduce(tensor, op=dist.ReduceOp.MAX, group=self.hosts)
        return [bool(fact) for fact in tensor]

    def wait(self) -> None:
        """Return when all processes are here."""
        if self.size > 1:
            dist.barrier(group=self.hosts)

    def on_first(self, do: Callable[[], None]) -> None:
        """Do what one process does for all. Where it fails, the others fail with the same words, and none waits on.

        Raises:
            UserError: in the other processes, whatever the first one raises.
        """
        error = None
        if self.rank == 0:
            try:
                do()
            except Exception as failure:
                error = failure
        if self.size > 1:
            said = [None if error is None else str(error)]
            dist.broadcast_object_list(said, src=0, group=self.hosts)
            if self.rank and said[0] is not None:
                raise UserError(said[0])
        if error is not None:
            raise error

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Sum the gradients over processes, in one message after the last micro-batch."""
        if self.size == 1:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        dist.all_reduce(flat)
        for parameter, summed in zip(trained, flat.split([gradient.numel() for gradient in gradients]), strict=True):
            parameter.grad = summed.view_as(parameter)
