"""Half precision, where a device is built for it."""

from functools import lru_cache

import torch

from linkbert.errors import UserError

# NVIDIA's first generation with bf16 and a flash kernel is Ampere.
CAPABILITY = (8, 0)


@lru_cache
def has_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bf16 at speed, attention included."""
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= CAPABILITY


def in_half(precision: str, device: torch.device) -> bool:
    """Whether to compute in bf16: as a recipe says, where ``auto`` is a GPU that is built for it.

    Raises:
        UserError: for bf16 on a GPU that is not.
    """
    if precision == "bf16" and device.type == "cuda" and not has_bfloat16(device):
        raise UserError(
            f"precision bf16: {torch.cuda.get_device_name(device)} is older than compute capability 8.0, which has it "
            "first; use precision auto or fp32."
        )
    return precision == "bf16" or (precision == "auto" and has_bfloat16(device))


def autocast(device: torch.device, half: bool) -> torch.autocast:
    """The context of a forward pass: matrix products in bf16 where `half`, weights and sums in fp32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=half)
