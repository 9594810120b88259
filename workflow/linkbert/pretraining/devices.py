"""Which device trains, how it is set up, and how much it is given at once."""

import os
from collections.abc import Callable
from typing import TypeVar

import torch

from linkbert.errors import UserError
from linkbert.model.config import ModelConfig

T = TypeVar("T")
# Tokens of a micro-batch on a CPU, of one of BERT base on a GPU, and of any on a GPU, to begin with; where memory does
# not suffice, they are halved until it does.
CPU_TOKENS, CUDA_TOKENS, MOST_TOKENS = 8192, 1 << 17, 1 << 18
# What is said where memory is short, besides `OutOfMemoryError`: by a CPU's allocator, cuBLAS, the driver and Triton.
SHORT_OF_MEMORY = ("can't allocate memory", "ALLOC_FAILED", "out of memory")


def choose_device(name: str) -> torch.device:
    """The device of this process: ``auto`` is CUDA where there is one."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UserError("--device cuda: this machine has no CUDA device; use --device cpu.")
    return torch.device(name)


def prepare_cuda(deterministic: bool) -> None:
    """Settings of CUDA that must be made before its first use in a process.

    Args:
        deterministic: kernels with the same bits in every run; PyTorch raises where one has no such form.
    """
    # Micro-batches differ in size by some tokens: blocks of fixed sizes would leave gaps between them.
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        os.environ.setdefault("NCCL_ALGO", "Ring")
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads what it did not write


def first_micro_tokens(config: ModelConfig, device: str) -> int:
    """Tokens of the first micro-batches: on a GPU fewer for a model larger than BERT base, and more for a smaller one.

    A GPU computes a micro-batch of a tiny model in some milliseconds, about as long as a host takes to start its
    kernels. Not more than twice as many: a step of the paper has a million tokens, and the four micro-batches that it
    is cut into are the same for 1, 2 and 4 ranks.

    >>> large = ModelConfig(vocab_size=30522, hidden_size=1024, num_layers=24, num_heads=16, intermediate_size=4096)
    >>> first_micro_tokens(large, "cuda"), first_micro_tokens(large, "cpu")
    (65536, 8192)
    """
    if device != "cuda":
        return CPU_TOKENS
    fitting = CUDA_TOKENS * 12 * 768 // (config.num_layers * config.hidden_size)
    return min(1 << (fitting - 1).bit_length(), MOST_TOKENS)


def short_of_memory(error: Exception) -> bool:
    """Whether less memory would have helped."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in SHORT_OF_MEMORY)


def attempt(work: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """What some work returns, or the error that less of it would have spared; any other error is raised."""
    try:
        return work(), None
    except Exception as error:
        if not short_of_memory(error):
            raise
        return None, error.with_traceback(None)  # frames would keep the activations alive
