"""Arithmetic of training: floating-point operations a token, recipe totals, peaks of devices."""

from linkbert.model.config import ModelConfig

# Dense bf16 peak of one device in FLOP/s, from the makers' data sheets, by its whole name as PyTorch reports it: boards
# called H100 differ, and a slice of one (MIG) has the board's name in its own.
PEAKS = {
    "NVIDIA B200": 2250e12,
    "NVIDIA GH200 480GB": 989e12,
    "NVIDIA H200": 989e12,
    "NVIDIA H200 NVL": 835e12,
    "NVIDIA H100 80GB HBM3": 989e12,
    "NVIDIA H100 NVL": 835e12,
    "NVIDIA H100 PCIe": 756e12,
    "NVIDIA A100-SXM4-40GB": 312e12,
    "NVIDIA A100-SXM4-80GB": 312e12,
    "NVIDIA A100-PCIE-40GB": 312e12,
    "NVIDIA A100 80GB PCIe": 312e12,
    "NVIDIA L40S": 362e12,
}


def encoder_flops(config: ModelConfig, length: float) -> float:
    """Forward operations a token of the layers, in sequences of this length.

    The mean length of sequences that differ gives a little too few: a token attends to its own sequence, and long ones
    have more tokens.
    """
    size, inner = config.hidden_size, config.intermediate_size
    matrices = 2 * (4 * size * size + 2 * size * inner)
    attention = 4 * length * size
    return config.num_layers * (matrices + attention)


def head_flops(config: ModelConfig) -> float:
    """Forward operations of the language-model head for one hidden token."""
    return 2 * config.hidden_size * (config.hidden_size + config.vocab_size)


def training_flops(config: ModelConfig, length: float, probability: float = 0.15) -> float:
    """Operations to train on one token: three times the forward pass, the head on hidden tokens only.

    Skipping parts of the last layer is not subtracted, nor recomputation added: utilization is then comparable between
    implementations.
    """
    return 3 * (encoder_flops(config, length) + probability * head_flops(config))


def recipe_tokens(steps: int, batch_size: int, length: int) -> int:
    """Tokens of a recipe with full sequences."""
    return steps * batch_size * length


def peak_of(device_name: str) -> tuple[str, float] | None:
    """The name and dense bf16 FLOP/s of a known device, e.g. ``("H200 bf16, 989 TFLOP/s", 989e12)``; None otherwise."""
    if (peak := PEAKS.get(device_name)) is None:
        return None
    return f"{device_name.removeprefix('NVIDIA ')} bf16, {peak / 1e12:.0f} TFLOP/s", peak
