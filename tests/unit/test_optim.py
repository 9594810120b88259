import pytest
import torch

from linkbert.model.bert import BertForPreTraining, ModelConfig
from linkbert.pretraining.optim import adamw, decay_groups, linear_schedule

MODEL = BertForPreTraining(ModelConfig(50, 8, 1, 2, 16, 16))


def test_biases_and_norms_do_not_decay():
    decayed, exempt = decay_groups(MODEL, 0.01)
    assert (decayed["weight_decay"], exempt["weight_decay"]) == (0.01, 0.0)
    names = {id(parameter): name for name, parameter in MODEL.named_parameters()}
    assert {names[id(parameter)] for parameter in exempt["params"]} == {
        name for name in names.values() if name.endswith("bias") or "norm" in name
    }
    assert len(decayed["params"]) + len(exempt["params"]) == len(names)


def test_adamw_equals_the_textbook():
    weight = torch.nn.Linear(3, 2, bias=False)
    start = weight.weight.detach().clone()
    optimizer = adamw(weight, 0.1, (0.9, 0.98), 1e-6, 0.01)
    first = second = torch.zeros(2, 3)
    for step in range(1, 4):
        gradient = torch.full((2, 3), float(step))
        weight.weight.grad = gradient.clone()
        optimizer.step()
        first, second = 0.9 * first + 0.1 * gradient, 0.98 * second + 0.02 * gradient**2
        update = (first / (1 - 0.9**step)) / ((second / (1 - 0.98**step)).sqrt() + 1e-6)
        start = start * (1 - 0.1 * 0.01) - 0.1 * update
    torch.testing.assert_close(weight.weight.detach(), start)


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
