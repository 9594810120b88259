import pytest
import torch

from linkbert.errors import UserError
from linkbert.model.precision import has_bfloat16, in_half

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture
def card(monkeypatch):
    """A GPU of some compute capability."""

    def insert(*capability):
        has_bfloat16.cache_clear()
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
        monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a card")

    yield insert
    has_bfloat16.cache_clear()


def test_bf16_is_taken_where_a_gpu_is_built_for_it(card):
    card(9, 0)
    assert in_half("auto", GPU)
    assert in_half("bf16", GPU)
    assert not in_half("fp32", GPU)
    assert not in_half("auto", CPU)
    assert in_half("bf16", CPU)


def test_older_gpus_compute_in_fp32_or_say_why_not(card):
    card(7, 5)
    assert not in_half("auto", GPU)
    with pytest.raises(UserError, match=r"a card is older.*use precision auto or fp32"):
        in_half("bf16", GPU)
