"""The pretraining loop: resumable at any step, the same for any number of ranks and any size of micro-batch."""

import logging
import os
import signal
import time
from dataclasses import dataclass, replace
from typing import Any

import torch

from linkbert.errors import UserError
from linkbert.model.bert import BertForPreTraining, ModelConfig, compile_rows
from linkbert.model.precision import autocast, in_half
from linkbert.pretraining.checkpoint import Checkpoints
from linkbert.pretraining.data import Corpus, MicroBatch, assemble, pieces, share
from linkbert.pretraining.distributed import World
from linkbert.pretraining.evaluation import Heldout, evaluate
from linkbert.pretraining.flops import peak_of, training_flops
from linkbert.pretraining.masking import Vocabulary
from linkbert.pretraining.objective import Techniques, losses
from linkbert.pretraining.optim import adamw, linear_schedule
from linkbert.pretraining.prefetch import Prefetch
from linkbert.pretraining.recipe import Recipe
from linkbert.progress import Progress, count

# Tokens of a micro-batch on a CPU. On a GPU: those of BERT base, to begin with; where memory does not suffice, they are
# halved until it does.
CPU_TOKENS, CUDA_TOKENS = 8192, 1 << 17
CUDA_MOST, SMALLEST = 1 << 19, 512
# Threads that make batches. One makes nine million tokens a second: enough for all but a tiny model on a fast GPU.
CUDA_WORKERS = 4
log = logging.getLogger(__name__)


def first_micro_tokens(config: ModelConfig, device: str) -> int:
    """Tokens of the first micro-batches: on a GPU more for a smaller model, whose kernels would be too short else.

    >>> tiny = ModelConfig(vocab_size=30522, hidden_size=128, num_layers=2, num_heads=2, intermediate_size=512)
    >>> first_micro_tokens(tiny, "cuda"), first_micro_tokens(tiny, "cpu")
    (524288, 8192)
    """
    if device != "cuda":
        return CPU_TOKENS
    fitting = CUDA_TOKENS * 12 * 768 // (config.num_layers * config.hidden_size)
    return min(1 << fitting.bit_length() - 1, CUDA_MOST)


class Interrupted(Exception):
    """A scheduler asked the run to stop; its state is saved."""


class StopRequest:
    """Whether a scheduler asked this process to stop, by SIGTERM or SIGUSR1."""

    def __init__(self) -> None:
        self.asked = False

    def listen(self) -> None:
        """From now on such a signal no longer ends the process, but is remembered."""
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, self._ask)

    def _ask(self, number: int, frame: Any) -> None:
        self.asked = True


@dataclass(frozen=True)
class Step:
    """The data of one optimizer step on one rank."""

    micros: list[MicroBatch]
    tokens: int  # of all ranks


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
        self.step, self.tokens, self.seconds = 0, 0, 0.0
        self.curve: list[dict[str, Any]] = []
        self.evaluations: list[dict[str, Any]] = []
        self.waited = 0.0  # seconds spent waiting for data
        # Since the last line of the curve: sums of both losses, of the norm, and steps.
        self._sums = torch.zeros(3, dtype=torch.float64, device="cpu" if device.type == "mps" else device)
        self._since, self._since_tokens = 0, 0

    # Data ------------------------------------------------------------------------------------------------------------

    def make_step(self, step: int) -> Step:
        """The micro-batches of a step that this rank computes."""
        size = self.recipe.batch_size
        rows = self.corpus.samples(step * size, (step + 1) * size)
        tokens, world = int(rows.lengths.sum()), self.world
        parts = pieces(tokens, self.micro_tokens, world.size)
        shares = [share(rows, part, parts) for part in range(world.rank, parts, world.size)]
        micros = [
            assemble(part, self.corpus.sources, self.vocabulary, self.recipe.masking) for part in shares if len(part)
        ]
        if self.device.type == "cuda":
            micros = [micro.pin() for micro in micros]
        return Step(micros, tokens)

    def prefetch(self) -> Prefetch[Step]:
        """The steps from this one on."""
        workers = CUDA_WORKERS if self.device.type == "cuda" else 1
        return Prefetch(self.make_step, self.step, workers + 1 if self.techniques.prefetch else 0, workers)

    # State -----------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything that a continued run needs."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "tokens": self.tokens,
            "micro_tokens": self.micro_tokens,
            "seconds": self.seconds,
            "curve": list(self.curve),
            "evaluations": list(self.evaluations),
            "sums": self._sums,
            "since": [self._since, self._since_tokens],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a saved state."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.tokens, self.seconds = state["step"], state["tokens"], state["seconds"]
        if self.recipe.micro_batch_tokens is None:  # what fitted; other micro-batches would round otherwise
            self.micro_tokens = state["micro_tokens"]
        self.curve, self.evaluations = state["curve"], state["evaluations"]
        self._sums.copy_(state["sums"])
        self._since, self._since_tokens = state["since"]

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
        bar = Progress("pretrain", recipe.steps, "steps", silent=self.world.rank > 0)
        bar.resume_at(self.step)
        data, logged = self.prefetch(), time.monotonic()
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
                self._since += 1
                self._since_tokens += step.tokens
                self.seconds = time.monotonic() - began
                if self.device.type == "cpu":
                    self._check_finite()
                last = self.progress() >= 1
                if self.step % recipe.log_every == 0 or last:
                    now = time.monotonic()
                    self.log(progress, self._since_tokens / (now - logged))
                    logged = now
                if self.heldout and (last or (recipe.evaluate_every and self.step % recipe.evaluate_every == 0)):
                    self.evaluate()
                    logged = time.monotonic()
                if last or self.step % recipe.checkpoint_every == 0:
                    self.save()
                bar.update(note=self.note() if self.curve else "")
                if not last:
                    self.yield_to_signal()
        finally:
            data.close()
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
        failure = self._accumulate(step, hidden, sums)
        if world.largest(failure is not None):  # on any rank: all make smaller micro-batches, or none does
            self._shrink(failure or MemoryError("on another rank"))
            return False
        world.sum_gradients(self.trained)
        world.sum(sums)
        norm = torch.nn.utils.clip_grad_norm_(self.trained, recipe.clip)
        self.optimizer.step(recipe.learning_rate * linear_schedule(self.step, progress, recipe.warmup))
        self._sums += torch.cat([sums, norm[None]])
        return True

    def _accumulate(self, step: Step, hidden: torch.Tensor, sums: torch.Tensor) -> Exception | None:
        """Add up the gradients of a step's micro-batches, and their losses; what was raised where memory ran out."""
        try:
            for micro in step.micros:
                sums += self.backward(micro.to(self.device), hidden)
        except (torch.OutOfMemoryError, MemoryError) as error:
            return error.with_traceback(None)  # frames would keep the activations alive
        except RuntimeError as error:
            if "can't allocate memory" not in str(error):
                raise
            return error.with_traceback(None)
        return None

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

    def _shrink(self, error: Exception) -> None:
        self.optimizer.forget()
        if self.micro_tokens <= SMALLEST:
            raise UserError(
                f"Memory does not suffice for micro-batches of {self.micro_tokens} tokens ({error}). "
                "Use a smaller model, a smaller vocabulary, or a larger machine; the last checkpoint is intact."
            ) from None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        self.micro_tokens = max(self.micro_tokens // 2, SMALLEST)
        log.warning("Out of memory: micro-batches now have %d tokens.", self.micro_tokens)

    # Reports ---------------------------------------------------------------------------------------------------------

    def log(self, progress: float, rate: float) -> None:
        """Add a line to the curve: means since the last one, at the learning rate of this step."""
        self._check_finite()
        mlm, relation, norm = (self._sums / self._since).tolist()
        share_of_peak = linear_schedule(self.step - 1, progress, self.recipe.warmup)
        self.curve.append(
            {
                "step": self.step,
                "loss": mlm + relation,
                "mlm_loss": mlm,
                "relation_loss": relation if self.recipe.relations else None,
                "learning_rate": self.recipe.learning_rate * share_of_peak,
                "tokens_per_second": rate,
                "gradient_norm": norm,
            }
        )
        self._sums.zero_()
        self._since = self._since_tokens = 0

    def evaluate(self) -> None:
        """Add a held-out evaluation."""
        with autocast(self.device, self.half):
            report = evaluate(
                self.model, self.heldout, self.recipe.relations, self.micro_tokens, self.device, self.world
            )
        self.evaluations.append({"step": self.step, **report})

    def utilization(self, rate: float) -> float | None:
        """Model FLOP/s over the peak of all devices; None where the peak is not known."""
        peak = peak_of(torch.cuda.get_device_name(self.device)) if self.device.type == "cuda" else None
        return rate * self.flops_per_token() / (peak[1] * self.world.size) if peak else None

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
        if (used := self.utilization(rate)) is not None:
            parts.append(f"MFU {100 * used:.1f} % of bf16 peak")
        return ", ".join(parts)

    def yield_to_signal(self) -> None:
        """Save and raise where any rank was asked to stop."""
        if not self.world.largest(self.stop.asked):
            return
        self.save()
        if self.checkpoints:
            self.checkpoints.wait()
        raise Interrupted


def prepare_cuda(deterministic: bool) -> None:
    """Settings of CUDA that must be made before its first use in a process.

    Args:
        deterministic: kernels with the same bits in every run; PyTorch raises where one has no such form.
    """
    # Micro-batches differ in size by some tokens: blocks of fixed sizes would leave gaps between them.
    os.environ.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        os.environ.setdefault("NCCL_ALGO", "Ring")
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # nothing here reads what it did not write
