"""Training and prediction over packed batches.

An optimizer step sees exactly `batch_size` units (examples, windows of spans, questions of choices) in random order, as
one or several packed micro-batches that together do no padding work. Everything random is a function of (seed, task,
epoch, input): results depend neither on the micro-batches, but for rounding, nor on the runs before.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from linkbert.finetune.features import Features
from linkbert.finetune.method import Method, Predictions
from linkbert.finetune.network import Network
from linkbert.finetune.recipe import Recipe
from linkbert.finetune.tasks import Example
from linkbert.finetune.words import occurring_words
from linkbert.model.precision import autocast, has_bfloat16
from linkbert.optimizer import AdamW
from linkbert.progress import Progress
from linkbert.rng import generator, key_of, mix

# Tokens of a micro-batch in training and in evaluation. A CPU works fastest out of its caches; a GPU wants to be full.
TRAINING_TOKENS = {"cpu": 4096, "cuda": 16384}
EVALUATION_TOKENS = {"cpu": 4096, "cuda": 65536}
# Parameters that never decay: biases and the gains of layer norms.
UNDECAYED = ("bias", "norm.weight")


def optimizer_of(network: Network, recipe: Recipe) -> AdamW:
    """AdamW as the Hugging Face Trainer sets it up."""
    decayed, undecayed = [], []
    for name, parameter in network.named_parameters():
        (undecayed if name.endswith(UNDECAYED) else decayed).append(parameter)
    return AdamW([(decayed, recipe.weight_decay), (undecayed, 0.0)], recipe.betas, recipe.epsilon)


def batches(units: int, recipe: Recipe, seed: int, task: str) -> Iterator[tuple[int, np.ndarray]]:
    """(epoch, units) of every optimizer step of a run."""
    left, epoch = recipe.steps(units), 0
    while left:
        order = generator(seed, "order", task, epoch).permutation(units)
        for first in range(0, units, recipe.batch_size):
            if not left:
                return
            yield epoch, order[first : first + recipe.batch_size]
            left -= 1
        epoch += 1


def split(units: np.ndarray, lengths: np.ndarray, most: int) -> list[np.ndarray]:
    """Units, longest first, in parts of at most `most` tokens; a longer unit is a part of its own."""
    units = units[np.argsort(-lengths[units], kind="stable")]
    sizes = lengths[units]
    if sizes.sum() <= most:
        return [units]
    parts, first, total = [], 0, 0
    for place, size in enumerate(sizes.tolist()):
        if total and total + size > most:
            parts.append(units[first:place])
            first, total = place, 0
        total += size
    return [*parts, units[first:]]


def train(network: Network, method: Method, features: Features, seed: int, task: str, device: torch.device) -> float:
    """Train in place; returns the mean loss over all steps, which is not finite where the run diverged."""
    recipe = method.recipe
    steps = recipe.steps(len(features))
    kept = math.prod(1 - recipe.rate(step, steps) * recipe.weight_decay for step in range(steps))
    with occurring_words(network.encoder, features, kept) as renumbered:
        return _train(network, method, renumbered, seed, task, device)


def _train(network: Network, method: Method, features: Features, seed: int, task: str, device: torch.device) -> float:
    recipe = method.recipe
    lengths, most = features.unit_lengths, TRAINING_TOKENS[device.type]
    steps = recipe.steps(len(features))
    optimizer = optimizer_of(network, recipe)
    rows = np.arange(len(features.lengths))
    network.train()
    losses, keys, known_epoch = [], rows, -1
    progress = Progress(f"{task} seed {seed}", steps, "steps", every=30)  # shorter runs say nothing but their scores
    for step, (epoch, units) in enumerate(batches(len(features), recipe, seed, task)):
        if epoch != known_epoch:
            keys, known_epoch = mix(key_of(seed, "dropout", task, epoch), rows).astype(np.int64), epoch
        weight = method.weight(features, units)
        for part in split(units, lengths, most):
            inputs = method.inputs(features, part, keys).to(device)
            with autocast(device, has_bfloat16(device)):
                logits = network(inputs)
            loss = method.loss(logits, inputs) / weight
            loss.backward()
            losses.append(loss.detach())
        torch.nn.utils.clip_grad_norm_(optimizer.parameters, recipe.clip, foreach=True)
        optimizer.step(recipe.rate(step, steps))
        progress.update()
    return float(torch.stack(losses).sum()) / steps


@torch.inference_mode()
def predict(
    network: Network,
    method: Method,
    features: Features,
    examples: Sequence[Example],
    device: torch.device,
) -> Predictions:
    """Predictions for a whole split.

    A diverged model, whose outputs are no numbers, predicts as if they were 0; how many outputs (several an example) is
    counted as ``not_finite``.
    """
    network.eval()
    kept, index, broken = [], [], torch.zeros((), dtype=torch.int64, device=device)
    for part in split(np.arange(len(features)), features.unit_lengths, EVALUATION_TOKENS[device.type]):
        inputs = method.inputs(features, part).to(device)
        with autocast(device, has_bfloat16(device)):
            logits = network(inputs)
        broken += logits.isfinite().logical_not().sum()
        logits = logits.nan_to_num(0.0, 0.0, 0.0)
        kept.append(method.keep(logits, inputs))
        index.append(inputs.index)
    values = torch.cat(kept).cpu().numpy()
    ordered = np.empty_like(values)
    ordered[np.concatenate(index)] = values
    predictions = method.decode(ordered, features, examples)
    if broken:
        predictions.counts["not_finite"] = int(broken)
    return predictions
