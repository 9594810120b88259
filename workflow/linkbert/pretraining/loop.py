"""The pretraining loop: resumable at any step, the same for any number of ranks and any size of micro-batch."""

import logging
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch

from linkbert.errors import UserError
from linkbert.model.bert import BertForPreTraining, compile_rows
from linkbert.model.precision import autocast, in_half
from linkbert.pretraining.checkpoint import Checkpoints
from linkbert.pretraining.data import Corpus, MicroBatch, assemble, cut, pieces
from linkbert.pretraining.devices import attempt, first_micro_tokens
from linkbert.pretraining.distributed import World
from linkbert.pretraining.evaluation import Heldout, measure, summarize
from linkbert.pretraining.flops import peak_of, training_flops
from linkbert.pretraining.masking import Vocabulary
from linkbert.pretraining.objective import Techniques, losses
from linkbert.pretraining.optim import adamw, linear_schedule
from linkbert.pretraining.prefetch import Prefetch
from linkbert.pretraining.recipe import Recipe
from linkbert.pretraining.signals import Interrupted, StopRequest
from linkbert.progress import Progress, count

# Threads that make batches. One makes nine million tokens a second: enough for all but a tiny model on a fast GPU.
CUDA_WORKERS = 4
log = logging.getLogger(__name__)


class Speed:
    """Tokens a second, of this process since it was last asked or restarted."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget what was before, e.g. an evaluation."""
        self.tokens, self.since = 0, time.monotonic()

    def __call__(self) -> float:
        """The rate up to now, and a new start."""
        rate = self.tokens / (time.monotonic() - self.since)
        self.restart()
        return rate


@dataclass(frozen=True)
class Step:
    """The data of one optimizer step on one rank."""

    micros: list[MicroBatch]
    tokens: int  # of all ranks
    parts: int  # micro-batches of all ranks


class Trainer:
    """One run: model, optimizer, place in the data, and what was logged.

    Args:
        model: on the device already.
        checkpoints: where its state is kept; None keeps none.
        stop: watched after every step.
    """

    def __init__(
        self,
        model: BertForPreTraining,
        recipe: Recipe,
        corpus: Corpus,
        vocabulary: Vocabulary,
        device: torch.device,
        world: World | None = None,
        checkpoints: Checkpoints | None = None,
        heldout: Heldout | None = None,
        techniques: Techniques | None = None,
        stop: StopRequest | None = None,
    ):
        self.model, self.recipe, self.corpus, self.vocabulary = model, recipe, corpus, vocabulary
        self.device, self.world, self.checkpoints, self.heldout = device, world or World(), checkpoints, heldout
        techniques = techniques or Techniques()
        self.techniques = replace(techniques, compiled=techniques.compiled and recipe.compiles(device.type))
        self.stop = stop or StopRequest()
        if self.techniques.compiled:
            compile_rows(model.encoder)
        if not recipe.relations:
            # Heads without an objective keep their initialization; decay must not touch them.
            model.relation.requires_grad_(False)
            model.pooler.requires_grad_(False)
        fused = self.techniques.fused_optimizer
        self.optimizer = adamw(model, recipe.betas, recipe.epsilon, recipe.weight_decay, fused)
        self.trained = self.optimizer.parameters
        self.micro_tokens = recipe.micro_batch_tokens or first_micro_tokens(model.config, device.type)
        self.half = in_half(recipe.precision, device)
        # A share of all steps is a number of them; only a budget of time has no other way to say it.
        self.warmup = recipe.warmup
        if recipe.warmup < 1 and recipe.steps is not None:
            self.warmup = recipe.warmup * recipe.steps if recipe.warmup * recipe.steps >= 1 else 0
        self.step, self.tokens, self.seconds = 0, 0, 0.0
        self.device_seconds = 0.0  # summed over ranks
        self.speed, self.stopping = Speed(), False
        self.curve: list[dict[str, Any]] = []
        self.evaluations: list[dict[str, Any]] = []
        self.waited = 0.0  # seconds spent waiting for data
        # Since the last line of the curve: sums of both losses, of the norm, and steps.
        self._sums, self._since = torch.zeros(3, dtype=torch.float64, device=device), 0

    # Data ------------------------------------------------------------------------------------------------------------

    def make_step(self, step: int) -> Step:
        """The micro-batches of a step that this rank computes."""
        size = self.recipe.batch_size
        rows = self.corpus.samples(step * size, (step + 1) * size)
        tokens, world = int(rows.lengths.sum()), self.world
        parts = pieces(tokens, self.micro_tokens, world.size)
        shares = cut(rows, parts)[world.rank :: world.size]
        corpus, masking = self.corpus, self.recipe.masking
        micros = [assemble(part, corpus.sources, self.vocabulary, masking, corpus.seed) for part in shares if len(part)]
        if self.device.type == "cuda":
            micros = [micro.pin() for micro in micros]
        return Step(micros, tokens, parts)

    def prefetch(self) -> Prefetch[Step]:
        """The steps from this one on."""
        workers = CUDA_WORKERS if self.device.type == "cuda" else 1
        return Prefetch(self.make_step, self.step, workers + 1 if self.techniques.prefetch else 0, workers)

    # State -----------------------------------------------------------------------------------------------------------

    @property
    def place(self) -> list[Any]:
        """What decides which micro-batches fit."""
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "cpu"
        return [name, self.world.size, self.recipe.micro_batch_tokens]

    def state(self) -> dict[str, Any]:
        """Everything that a continued run needs."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "tokens": self.tokens,
            "seconds": self.seconds,
            "device_seconds": self.device_seconds,
            "micro_tokens": self.micro_tokens,
            "place": self.place,
            "curve": list(self.curve),
            "evaluations": list(self.evaluations),
            "evaluated_on": self.heldout.identity if self.heldout else None,
            "sums": self._sums,
            "since": self._since,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.tokens = state["step"], state["tokens"]
        self.seconds, self.device_seconds = state["seconds"], state["device_seconds"]
        if state["place"] == self.place:  # what fitted there; other micro-batches would round otherwise
            self.micro_tokens = state["micro_tokens"]
        self.curve = state["curve"]
        if self.heldout and state["evaluated_on"] == self.heldout.identity:
            self.evaluations = state["evaluations"]
        self._sums.copy_(state["sums"])
        self._since = state["since"]

    def resume(self) -> None:
        """Go on from the newest checkpoint, where there is one.

        Raises:
            UserError: where the ranks do not all read the same one.
        """
        state = self.checkpoints.load() if self.checkpoints else None
        if state is not None:
            self.restore(state)
        first, last = -self.world.largest(-self.step), self.world.largest(self.step)
        if first != last:
            raise UserError(
                f"{self.checkpoints.folder}: one process reads a checkpoint of step {first:.0f}, another one of step "
                f"{last:.0f}. Does every machine see the same files? Start it again when they do."
            )
        if self.step:
            log.info("continuing at step %d", self.step)

    def save(self) -> None:
        """Checkpoint this step, if its numbers are finite."""
        self._check_finite()
        if self.checkpoints and self.world.rank == 0:
            self.checkpoints.save(self.step, self.state())

    def _check_finite(self) -> None:
        if not torch.isfinite(self._sums).all():
            raise UserError(
                f"step {self.step}: the loss or its gradient is not finite. Lower the learning rate, lengthen the "
                "warm-up, or use precision fp32; the last checkpoint is intact."
            )

    # Training --------------------------------------------------------------------------------------------------------

    def progress(self) -> float:
        """The share of training done, the same on all ranks."""
        if self.recipe.steps is not None:
            return self.step / self.recipe.steps
        return min(self.world.largest(self.seconds) / (60 * self.recipe.max_minutes), 1.0)

    def train(self) -> None:
        """Train to the end.

        Raises:
            Interrupted: after a signal, with the state saved.
            UserError: for a loss that is not finite, or memory too small for one sequence.
        """
        recipe, began = self.recipe, time.monotonic() - self.seconds
        elsewhere = self.device_seconds - self.seconds * self.world.size  # before, by another number of ranks
        budget = 60 * recipe.max_minutes if recipe.max_minutes else None
        bar = Progress("pretrain", recipe.steps, "steps", silent=self.world.rank > 0, budget=budget)
        bar.resume_at(self.step, self.seconds)
        data = self.prefetch()
        self.speed.restart()
        self.model.train()
        try:
            while (progress := self.progress()) < 1:
                waiting = time.monotonic()
                step = next(data)
                self.waited += time.monotonic() - waiting
                while not self.update(step, progress):
                    data.close()
                    data = self.prefetch()
                    step = next(data)
                self.step += 1
                self.tokens += step.tokens
                self.speed.tokens += step.tokens
                self._since += 1
                self.seconds = time.monotonic() - began
                self.device_seconds = elsewhere + self.seconds * self.world.size
                if self.device.type == "cpu":
                    self._check_finite()
                last = self.progress() >= 1
                if self.step % recipe.log_every == 0 or last:
                    self.log(progress)
                if recipe.evaluate_every and self.step % recipe.evaluate_every == 0:
                    self.evaluate()
                if last or self.step % recipe.checkpoint_every == 0:
                    self.save()
                bar.update(note=self.note() if self.curve else "")
                if self.stopping and not last:
                    self.leave()
        finally:
            data.close()
        if not self.evaluations or self.evaluations[-1]["step"] != self.step:
            self.evaluate()
        if self.checkpoints:
            self.checkpoints.wait()
        bar.close(self.note())

    def update(self, step: Step, progress: float) -> bool:
        """One optimizer step; False where memory did not suffice and smaller micro-batches have to be made."""
        recipe, world = self.recipe, self.world
        hidden = sum(len(micro.labels) for micro in step.micros)
        # Filled on the device: a number copied there would make the host wait for all work before it.
        hidden = world.sum(torch.full((), float(hidden), device=self.device))
        sums = torch.zeros(2, device=self.device)
        _, failure = attempt(partial(self._accumulate, step, hidden, sums))
        # On any rank: all make smaller micro-batches, or none does; all stop after this step, or none.
        failed, self.stopping = world.any(failure is not None, self.stop.asked)
        if failed:
            self._shrink(step, failure or MemoryError("on another rank"))
            return False
        world.sum_gradients(self.trained)
        world.sum(sums)
        norm = torch.nn.utils.clip_grad_norm_(self.trained, recipe.clip)
        self.optimizer.step(recipe.learning_rate * linear_schedule(self.step, progress, self.warmup))
        self._sums += torch.cat([sums, norm[None]])
        return True

    def _accumulate(self, step: Step, hidden: torch.Tensor, sums: torch.Tensor) -> None:
        """Add up the gradients of a step's micro-batches, and their losses."""
        for micro in step.micros:
            sums += self.backward(micro.to(self.device), hidden)

    def backward(self, micro: MicroBatch, hidden: torch.Tensor) -> torch.Tensor:
        """Add the gradients of a micro-batch; its share of both losses [2].

        Args:
            hidden: hidden tokens of the whole step, over all ranks.
        """
        with autocast(self.device, self.half):
            relations = bool(self.recipe.relations)
            mlm, relation = losses(self.model, micro, self.techniques, relations, self.recipe.length)
        mlm, relation = mlm / hidden, relation / self.recipe.batch_size
        (mlm + relation).backward()
        return torch.stack([mlm.detach(), relation.detach()])

    def _shrink(self, step: Step, error: Exception) -> None:
        self.optimizer.forget()
        self.micro_tokens = self._smaller(min(self.micro_tokens, -(-step.tokens // step.parts)), error)

    def _smaller(self, tokens: int, error: Exception) -> int:
        """Half as many tokens, after freeing what is kept for reuse."""
        if tokens <= self.recipe.length:
            raise UserError(
                f"Memory does not suffice for {tokens} tokens at once ({error}). "
                "Use a smaller model, a smaller vocabulary, or a larger machine; the last checkpoint is intact."
            ) from None
        # The engine holds the graph of a backward pass that failed until the next one ends.
        torch.zeros((), requires_grad=True).clone().backward()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        log.warning("Out of memory with %d tokens at once: from now on half as many.", tokens)
        return max(-(-tokens // 2), self.recipe.length)

    # Reports ---------------------------------------------------------------------------------------------------------

    def log(self, progress: float) -> None:
        """Add a line to the curve: means since the last one, at the learning rate of this step."""
        self._check_finite()
        mlm, relation, norm = (self._sums / self._since).tolist()
        self.curve.append(
            {
                "step": self.step,
                "loss": mlm + relation,
                "mlm_loss": mlm,
                "relation_loss": relation if self.recipe.relations else None,
                "learning_rate": self.recipe.learning_rate * linear_schedule(self.step - 1, progress, self.warmup),
                "tokens_per_second": self.speed(),
                "gradient_norm": norm,
            }
        )
        self._sums.zero_()
        self._since = 0

    def evaluate(self) -> None:
        """Add a held-out evaluation, in smaller batches where memory fails any rank."""
        if self.heldout is None:
            return
        tokens = self.micro_tokens
        while True:
            with autocast(self.device, self.half):
                result, failure = attempt(partial(measure, self.model, self.heldout, tokens, self.device, self.world))
            if not self.world.any(failure is not None)[0]:
                break
            tokens = self._smaller(tokens, failure or MemoryError("on another rank"))
        report = summarize(self.world.sum(result).cpu().numpy(), self.heldout.rows, self.recipe.relations)
        self.evaluations.append({"step": self.step, **report})
        self.speed.restart()

    def utilization(self, tokens: float, device_seconds: float) -> float | None:
        """Model FLOP/s over the peak of the devices; None where it is not known."""
        peak = peak_of(torch.cuda.get_device_name(self.device)) if self.device.type == "cuda" else None
        return tokens * self.flops_per_token() / (device_seconds * peak[1]) if peak else None

    def flops_per_token(self) -> float:
        """Training operations a token, at the mean length so far."""
        mean = self.tokens / max(self.step * self.recipe.batch_size, 1)
        return training_flops(self.model.config, mean, self.recipe.masking.probability)

    def note(self) -> str:
        """The newest line of the curve, for people."""
        line = self.curve[-1]
        rate = line["tokens_per_second"]
        parts = [f"loss {line['loss']:.3f}", f"mlm {line['mlm_loss']:.3f}"]
        if line["relation_loss"] is not None:
            parts.append(f"relation {line['relation_loss']:.3f}")
        parts += [f"{count(rate)} tokens/s", f"{rate * self.flops_per_token() / 1e12:.3g} TFLOP/s"]
        if (used := self.utilization(rate, self.world.size)) is not None:
            parts.append(f"MFU {100 * used:.1f} % of bf16 peak")
        return ", ".join(parts)

    def leave(self) -> None:
        """Save, and raise `Interrupted`."""
        self.save()
        if self.checkpoints:
            self.checkpoints.wait()
        raise Interrupted
