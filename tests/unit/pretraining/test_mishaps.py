"""What goes wrong in the loop: an end in the middle, a loss that explodes, too little memory, data that fails."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from linkbert.errors import UserError
from linkbert.pretraining.checkpoint import Checkpoints
from linkbert.pretraining.evaluation import measure
from linkbert.pretraining.loop import Speed
from linkbert.pretraining.objective import Techniques
from linkbert.pretraining.prefetch import Prefetch
from linkbert.pretraining.signals import Interrupted, StopRequest


@pytest.mark.parametrize("stop", [1, 3, 5, 11])
def test_a_continued_run_has_the_same_bits(folders, undisturbed, tmp_path, stop, trainer, curve):
    first = trainer(folders, checkpoints=Checkpoints(tmp_path, "x"), log_every=2)
    first.make_step, make = lambda step: make(step) if step < stop else 1 / 0, first.make_step
    with pytest.raises(ZeroDivisionError):
        first.train()
    first.save()
    first.checkpoints.wait()
    second = trainer(folders, checkpoints=Checkpoints(tmp_path, "x"), log_every=2)
    second.resume()
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


def failing(one, times, error=None):
    """Let the next forward passes fail; the list grows by the tokens of each."""
    backward, failed = one.backward, []

    def scarce(micro, hidden):
        if len(failed) < times:
            failed.append(len(micro.batch.tokens))
            raise error or torch.OutOfMemoryError("no room")
        return backward(micro, hidden)

    one.backward = scarce
    return failed


def test_too_little_memory_shrinks_micro_batches(folders, undisturbed, trainer, curve):
    one = trainer(folders, micro_batch_tokens=2048)
    failed = failing(one, 3)
    one.train()
    # A step has fewer tokens than were allowed: what failed is halved, not what was allowed.
    assert failed[0] < 2048
    assert all(later <= 0.7 * earlier for earlier, later in pairwise(failed))
    assert curve(one) == pytest.approx(curve(undisturbed), abs=2e-5)


def test_too_little_memory_for_one_sequence_is_the_end(folders, trainer):
    one = trainer(folders)
    failing(one, 1000)
    with pytest.raises(UserError, match=r"Memory does not suffice for \d+ tokens at once"):
        one.train()


@pytest.mark.parametrize(
    "words",
    [
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "CUDA error: out of memory",
        "Triton Error [CUDA]: out of memory",
        "[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory: you tried",
    ],
)
def test_memory_runs_short_in_many_words(folders, trainer, words):
    one = trainer(folders)
    failing(one, 1, RuntimeError(words))
    assert not one.update(one.make_step(0), 0.5)
    failing(one, 1, RuntimeError("CUDA error: an illegal memory access was encountered"))
    with pytest.raises(RuntimeError, match="illegal"):
        one.update(one.make_step(0), 0.5)


def test_evaluation_takes_smaller_batches_where_memory_fails(folders, trainer, heldout, monkeypatch):
    one, asked = trainer(folders), []
    one.heldout = heldout
    one.evaluate()

    def scarce(model, rows, tokens, device, world):
        asked.append(tokens)
        if len(asked) < 3:
            raise torch.OutOfMemoryError("no room")
        return measure(model, rows, tokens, device, world)

    monkeypatch.setattr("linkbert.pretraining.loop.measure", scarce)
    one.evaluate()
    assert asked == [one.micro_tokens, one.micro_tokens // 2, one.micro_tokens // 4]
    assert one.evaluations[1]["mlm"]["loss"] == pytest.approx(one.evaluations[0]["mlm"]["loss"], rel=1e-5)


def test_a_continued_run_keeps_the_micro_batches_that_fitted(folders, trainer):
    """On the same devices: it would round otherwise until memory fails again."""
    first = trainer(folders, micro_batch_tokens=200)
    failing(first, 1)
    assert not first.update(first.make_step(0), 0.5)
    same, other = trainer(folders, micro_batch_tokens=200), trainer(folders, micro_batch_tokens=300)
    for one in (same, other):
        one.restore({**first.state(), "step": 0})
    assert same.micro_tokens == first.micro_tokens < 200
    assert other.micro_tokens == 300
    elsewhere = trainer(folders, micro_batch_tokens=200)
    elsewhere.restore({**first.state(), "step": 0, "place": ["a small card", 1, 200]})
    assert elsewhere.micro_tokens == 200


def test_an_evaluation_on_other_instances_is_not_taken_for_this_one(folders, trainer, heldout):
    first, same, other = (trainer(folders, steps=4) for _ in range(3))
    first.heldout = same.heldout = heldout
    first.train()
    other.heldout = replace(heldout, rows=heldout.rows.take(np.arange(7)), identity="seven")
    for one in (same, other):
        one.restore({**first.state(), "step": 4})
        one.train()
    assert same.evaluations == first.evaluations
    assert [report["mlm"]["instances"] for report in other.evaluations] == [7]


def test_the_rate_after_a_stop_is_that_of_this_process(folders, trainer):
    """The tokens of the steps before it are not divided by the time of those after it."""
    first = trainer(folders, log_every=4)
    make, first.stop = first.make_step, StopRequest()

    def warned(step):
        first.stop.asked = step == 6
        return make(step)

    first.make_step, first.techniques = warned, Techniques(prefetch=False)
    with pytest.raises(Interrupted):
        first.train()
    assert first.step == 7
    second = trainer(folders, log_every=4)
    second.restore({**first.state(), "step": 7})
    second.speed = clock = Clock()
    second.train()
    tokens = [int(second.corpus.samples(step * 10, step * 10 + 10).lengths.sum()) for step in range(12)]
    assert clock.asked == [tokens[7], sum(tokens[8:12])]


class Clock(Speed):
    """Writes down the tokens it is asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        super().__init__()

    def __call__(self) -> float:
        self.asked.append(self.tokens)
        return super().__call__()


def test_prefetch_keeps_order_and_tells_errors():
    for ahead in (0, 2):
        batches = Prefetch(lambda number: number if number < 7 else 1 / 0, 3, ahead)
        assert [next(batches) for _ in range(4)] == [3, 4, 5, 6]
        with pytest.raises(ZeroDivisionError):
            next(batches)
        batches.close()
