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


def narrow(x: torch.Tensor) -> torch.Tensor:
    """x as matrix products take it, in bf16 under autocast: what is stored between them costs much of the time."""
    device = x.device.type
    return x.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else x


def wide(x: torch.Tensor) -> torch.Tensor:
    """x in fp32 at least: sums are made in it, and norms."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def autocast(device: torch.device, half: bool) -> torch.autocast:
    """The context of a forward pass: bf16 in and between matrix products where `half`; weights and sums in fp32."""
    return torch.autocast(device.type, torch.bfloat16, enabled=half)
