import pytest

from linkbert.model.config import ModelConfig
from linkbert.pretraining.flops import peak_of, recipe_tokens, training_flops


@pytest.mark.parametrize(
    ("shape", "mega"),
    [((128, 2, 2, 512), 7.46), ((768, 12, 12, 3072), 587.9), ((1024, 24, 16, 4096), 1992)],
)
def test_paper_models(shape, mega):
    """By hand: 3 (24 H² L + 4 S H L + 0.15 · 2 (H² + H V)) for S = 512 and V = 30,522."""
    assert training_flops(ModelConfig(30_522, *shape), 512) / 1e6 == pytest.approx(mega, rel=1e-3)


def test_recipe_and_peaks():
    assert recipe_tokens(10_000, 2048, 512) == 10_485_760_000
    assert peak_of("NVIDIA H200") == ("H200 bf16, 989 TFLOP/s", 989e12)
    assert peak_of("abacus") is None


def test_boards_of_one_name_have_peaks_of_their_own():
    boards = ("NVIDIA H100 80GB HBM3", "NVIDIA H100 NVL", "NVIDIA H100 PCIe")
    assert [peak_of(board)[1] / 1e12 for board in boards] == [989, 835, 756]
    # A slice of a board; a board without bf16.
    assert peak_of("NVIDIA H100 80GB HBM3 MIG 1g.10gb") is None and peak_of("Tesla V100-SXM2-32GB") is None
