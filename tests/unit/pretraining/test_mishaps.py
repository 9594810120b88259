"""What goes wrong in the loop: an end in the middle, a loss that explodes, too little memory, data that fails."""

import numpy as np
import pytest
import torch

from linkbert.errors import UserError
from linkbert.pretraining.checkpoint import Checkpoints
from linkbert.pretraining.objective import Techniques
from linkbert.pretraining.prefetch import Prefetch


@pytest.mark.parametrize("stop", [1, 3, 5, 11])
def test_a_continued_run_has_the_same_bits(folders, undisturbed, tmp_path, stop, trainer, curve):
    first = trainer(folders, checkpoints=Checkpoints(tmp_path, "x"), log_every=2)
    first.make_step, make = lambda step: make(step) if step < stop else 1 / 0, first.make_step
    with pytest.raises(ZeroDivisionError):
        first.train()
    first.save()
    first.checkpoints.wait()
    second = trainer(folders, checkpoints=Checkpoints(tmp_path, "x"), log_every=2)
    second.restore(second.checkpoints.load())
    assert second.step == stop
    second.train()
    for name, tensor in undisturbed.model.state_dict().items():
        assert torch.equal(tensor, second.model.state_dict()[name]), name
    assert second.tokens == undisturbed.tokens
    pairs = np.array(curve(undisturbed)).reshape(-1, 2).mean(1)
    assert curve(second) == pytest.approx(pairs.tolist(), abs=1e-6)


def test_a_loss_that_explodes_stops_and_spares_the_checkpoint(folders, tmp_path, trainer):
    one = trainer(folders, checkpoints=Checkpoints(tmp_path, "x"), checkpoint_every=2)
    make = one.make_step

    def poisoned(step):
        if step == 5:
            with torch.no_grad():
                one.model.encoder.norm.weight.fill_(float("nan"))
        return make(step)

    one.make_step = poisoned
    one.techniques = Techniques(prefetch=False)
    with pytest.raises(UserError, match="not finite"):
        one.train()
    one.checkpoints.wait()
    state = one.checkpoints.load()
    assert state["step"] == 4
    assert all(tensor.isfinite().all() for tensor in state["model"].values())


def test_too_little_memory_shrinks_micro_batches(folders, undisturbed, trainer, curve):
    one = trainer(folders, micro_batch_tokens=2048)
    backward, failed = one.backward, []

    def scarce(micro, hidden):
        if len(failed) < 2:
            failed.append(one.micro_tokens)
            raise torch.OutOfMemoryError("no room")
        return backward(micro, hidden)

    one.backward = scarce
    one.train()
    assert failed == [2048, 1024]
    assert curve(one) == pytest.approx(curve(undisturbed), abs=2e-5)
    one = trainer(folders, micro_batch_tokens=64)
    one.backward = scarce
    failed.clear()
    with pytest.raises(UserError, match="Memory does not suffice"):
        one.train()


def test_a_continued_run_keeps_the_micro_batches_that_fitted(folders, trainer):
    """It would round otherwise until memory fails again, unless a recipe says how large they are."""
    first = trainer(folders)
    first._shrink(MemoryError("no room"))
    second, told = trainer(folders), trainer(folders, micro_batch_tokens=2048)
    assert first.micro_tokens < second.micro_tokens
    for one in (second, told):
        one.restore({**first.state(), "step": 4})
    assert (second.micro_tokens, told.micro_tokens) == (first.micro_tokens, 2048)


def test_prefetch_keeps_order_and_tells_errors():
    for ahead in (0, 2):
        batches = Prefetch(lambda number: number if number < 7 else 1 / 0, 3, ahead)
        assert [next(batches) for _ in range(4)] == [3, 4, 5, 6]
        with pytest.raises(ZeroDivisionError):
            next(batches)
        batches.close()
