import pytest
import torch

from linkbert.model.bert import BertForPreTraining
from linkbert.model.config import ModelConfig
from linkbert.pretraining.optim import adamw, decay_groups, linear_schedule

MODEL = BertForPreTraining(ModelConfig(50, 8, 1, 2, 16, 16))


def test_biases_and_norms_do_not_decay():
    (decayed, decay), (exempt, none) = decay_groups(MODEL, 0.01)
    assert (decay, none) == (0.01, 0.0)
    names = {id(parameter): name for name, parameter in MODEL.named_parameters()}
    assert {names[id(parameter)] for parameter in exempt} == {
        name for name in names.values() if name.endswith("bias") or "norm" in name
    }
    assert len(decayed) + len(exempt) == len(names)


@pytest.mark.parametrize("fused", [True, False])
def test_adamw_equals_the_textbook(fused):
    weight = torch.nn.Linear(3, 2, bias=False)
    start = weight.weight.detach().clone()
    optimizer = adamw(weight, (0.9, 0.98), 1e-6, 0.01, fused)
    first = second = torch.zeros(2, 3)
    for step in range(1, 4):
        gradient = torch.full((2, 3), float(step))
        weight.weight.grad = gradient.clone()
        optimizer.step(0.1)
        first, second = 0.9 * first + 0.1 * gradient, 0.98 * second + 0.02 * gradient**2
        update = (first / (1 - 0.9**step)) / ((second / (1 - 0.98**step)).sqrt() + 1e-6)
        start = start * (1 - 0.1 * 0.01) - 0.1 * update
    torch.testing.assert_close(weight.weight.detach(), start)


def test_adamw_equals_that_of_torch_and_continues():
    """Its bits are those of ``torch.optim.AdamW(fused=True)``, also after its state was saved and loaded."""
    ours, theirs = torch.nn.Linear(5, 4), torch.nn.Linear(5, 4)
    theirs.load_state_dict(ours.state_dict())
    optimizer = adamw(ours)
    groups = [{"params": parameters, "weight_decay": decay} for parameters, decay in decay_groups(theirs, 0.01)]
    reference = torch.optim.AdamW(groups, 1e-2, (0.9, 0.98), 1e-6, fused=True)
    for step in range(6):
        if step == 3:
            state, optimizer = optimizer.state_dict(), adamw(ours)
            optimizer.load_state_dict(state)
        x = torch.randn(7, 5, generator=torch.Generator().manual_seed(step))
        for layer in (ours, theirs):
            layer(x).pow(2).sum().backward()
        optimizer.step(1e-2)
        reference.step()
        reference.zero_grad()
        assert all(torch.equal(*pair) for pair in zip(ours.parameters(), theirs.parameters(), strict=True))


def test_schedule_of_steps():
    shares = [linear_schedule(step, step / 100, 20) for step in range(100)]
    assert shares[0] == pytest.approx(0.05)
    assert shares[19] == shares[20] == pytest.approx(1)
    assert shares[60] == pytest.approx(0.5)
    assert shares[99] == pytest.approx(1 / 80)
    assert linear_schedule(100, 1.0, 20) == 0
    assert linear_schedule(0, 0.0, 0) == 1


def test_schedule_of_a_budget():
    assert linear_schedule(7, 0.05, 0.1) == pytest.approx(0.5)
    assert linear_schedule(7, 0.1, 0.1) == pytest.approx(1)
    assert linear_schedule(7, 0.55, 0.1) == pytest.approx(0.5)
    assert linear_schedule(7, 1.0, 0.1) == 0
