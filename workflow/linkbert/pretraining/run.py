"""A pretraining run from its folders to a model folder."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from linkbert.cluster import EXIT_RETRY
from linkbert.errors import UserError
from linkbert.files import atomic_folder, fingerprint, meta_fingerprint, sha256_of, write_json, write_meta
from linkbert.model.bert import RELATIONS, BertForPreTraining
from linkbert.model.config import ModelConfig
from linkbert.model.folder import write_model
from linkbert.model.precision import in_half
from linkbert.model.weights import load_into, read_config, read_weights
from linkbert.pretraining.checkpoint import Checkpoints
from linkbert.pretraining.data import Corpus, heldout_rows, open_source
from linkbert.pretraining.devices import choose_device, prepare_cuda
from linkbert.pretraining.distributed import World
from linkbert.pretraining.evaluation import Heldout
from linkbert.pretraining.flops import peak_of
from linkbert.pretraining.loop import Trainer
from linkbert.pretraining.masking import Vocabulary
from linkbert.pretraining.recipe import Recipe
from linkbert.pretraining.signals import Interrupted, StopRequest
from linkbert.rng import key_of
from linkbert.text.vocabulary import read_vocabulary

# Of a relation there are fewer than this share of the instances only where a corpus has few links or documents.
RARE = 0.05
log = logging.getLogger(__name__)
Pair = tuple[Path, Path]


@dataclass(frozen=True)
class Paths:
    """Where a run reads and writes."""

    tokenizer: Path
    sources: Sequence[Pair]  # tokens folder, instances folder
    evaluation: Sequence[Pair]  # tokens folder, folder of heldout.npy
    init: Path | None
    checkpoints: Path
    output: Path

    def inputs(self) -> dict[str, Any]:
        """What the run is made from, by fingerprint."""
        tokenizer = self.tokenizer / "tokenizer.json"
        words = tokenizer if tokenizer.exists() else self.tokenizer / "vocab.txt"
        init = None
        if self.init:
            files = [self.init / name for name in ("model.safetensors", "pytorch_model.bin")]
            init = next((sha256_of(file) for file in files if file.exists()), None)

        def both(pairs: Sequence[Pair]) -> list[list[str]]:
            return [[meta_fingerprint(first), meta_fingerprint(second)] for first, second in pairs]

        return {
            "tokenizer": sha256_of(words),
            "sources": both(self.sources),
            "evaluation": both(self.evaluation),
            "init": init,
        }


def build_model(
    recipe: Recipe, vocabulary: Vocabulary, init: Path | None, pad_vocabulary: bool = True
) -> BertForPreTraining:
    """A fresh model, or one that continues a released BERT.

    A relation head of another size than the objective's is made fresh, as is a missing language-model head.

    Raises:
        UserError: where the released model has another vocabulary or shape than the recipe.
    """
    size = recipe.size
    config = ModelConfig(
        vocabulary.size,
        size["hidden_size"],
        size["num_layers"],
        size["num_heads"],
        size["intermediate_size"],
        size.get("max_positions", max(recipe.length, 512)),
        dropout=recipe.dropout,
        attention_dropout=recipe.attention_dropout,
        initializer_range=size.get("initializer_range", 0.02),
        vocabulary_multiple=64 if pad_vocabulary else 1,
    )
    if init:
        released = read_config(init)
        if released.vocab_size != vocabulary.size:
            raise UserError(
                f"{init}: its model has {released.vocab_size} words, the tokenizer {vocabulary.size}; "
                "use the tokenizer that the model was released with."
            )
        for key in ("hidden_size", "num_layers", "num_heads", "intermediate_size"):
            if getattr(released, key) != getattr(config, key):
                raise UserError(
                    f"{init}: its {key} is {getattr(released, key)}, the recipe says {getattr(config, key)}."
                )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(key_of(recipe.seed, "initialization") % (1 << 63))
        model = BertForPreTraining(config, recipe.relations or 2)
    if init:
        weights = read_weights(init)
        if "encoder.positions.weight" in weights:
            weights["encoder.positions.weight"] = weights["encoder.positions.weight"][: config.max_positions]
        load_into(model.encoder, weights, "encoder.", str(init))
        for prefix, head in (("pooler.", model.pooler), ("mlm.", model.mlm), ("relation.", model.relation)):
            shapes = {name: tensor.shape for name, tensor in head.state_dict().items()}
            if all(
                prefix + name in weights and weights[prefix + name].shape == shape for name, shape in shapes.items()
            ):
                load_into(head, weights, prefix, str(init))
            else:
                log.info("%s: no fitting %s head in it; a fresh one is trained.", init, prefix.rstrip("."))
    return model


def pretrain(name: str, recipe: Recipe, paths: Paths, threads: int | None = None, device: str = "auto") -> int:
    """Pretrain a model and write its folder; continues from the newest checkpoint.

    Returns:
        0, or `EXIT_RETRY` where a signal stopped it after saving.

    Raises:
        UserError: for inputs that do not fit each other, a checkpoint of another run, a loss that is not finite.
    """
    stop = StopRequest()
    stop.listen()
    if threads:
        torch.set_num_threads(threads)
    chosen = choose_device(device)
    if chosen.type == "cuda":
        prepare_cuda(recipe.deterministic)
    world = World.join(chosen.type)
    if chosen.type == "cuda":
        chosen = torch.device("cuda", world.local_rank if world.size > 1 else chosen.index or 0)
        torch.cuda.set_device(chosen)
        torch.set_float32_matmul_precision("high" if recipe.precision != "fp32" else "highest")
    try:
        return _pretrain(name, recipe, paths, chosen, world, stop)
    finally:
        world.leave()


def _pretrain(name: str, recipe: Recipe, paths: Paths, device: torch.device, world: World, stop: StopRequest) -> int:
    vocabulary = read_vocabulary(paths.tokenizer)
    inputs = paths.inputs()
    if not paths.sources:
        raise UserError("--sources: at least one TOKENS=INSTANCES is needed.")

    def opened(tokens: Path, files: list[Path], relations: int):
        return open_source(tokens, files, vocabulary, recipe.length, relations)

    sources = []
    for tokens, folder in paths.sources:
        files = sorted(folder.glob("epoch-*.npy"))
        if not files:
            raise UserError(f"{folder}: holds no epoch-*.npy; is it a folder of instances?")
        sources.append(opened(tokens, files, recipe.relations))
    corpus = Corpus(sources, recipe.seed)
    if world.rank == 0:
        tell_mixture(corpus.mixture, recipe)
    heldout = None
    if paths.evaluation:
        held = [opened(tokens, [folder / "heldout.npy"], 3) for tokens, folder in paths.evaluation]
        identity = fingerprint([inputs["evaluation"], recipe.evaluation_instances])
        heldout = Heldout(held, heldout_rows(held, recipe.evaluation_instances), vocabulary, identity)
    model = build_model(recipe, vocabulary, paths.init).to(device)
    trained_from = {key: value for key, value in inputs.items() if key != "evaluation"}
    half = in_half(recipe.precision, device)
    identity = fingerprint([recipe.identity(), half, trained_from], 16)
    checkpoints = Checkpoints(paths.checkpoints, identity, recipe.keep)
    world.on_first(checkpoints.lock)
    try:
        trainer = Trainer(model, recipe, corpus, vocabulary, device, world, checkpoints, heldout, stop=stop)
        trainer.resume()
        try:
            trainer.train()
        except Interrupted:
            world.wait()  # the first process to leave would end the one that still writes
            log.info("stopped at step %d by a signal, saved; run again to continue", trainer.step)
            return EXIT_RETRY
        world.on_first(partial(write_output, name, trainer, paths, inputs))
    finally:
        checkpoints.close()
    return 0


def tell_mixture(shares: Sequence[float], recipe: Recipe) -> None:
    """Log what pairs there are to learn from, and warn where one of the relations to be told apart is rare."""
    told = ", ".join(f"{100 * share:.1f} % {name}" for name, share in zip(RELATIONS, shares, strict=True))
    log.info("instances: %s", told)
    rare = [name for name, share in zip(RELATIONS[: recipe.relations], shares, strict=False) if share < RARE]
    if rare:
        log.warning(
            "%s pairs are less than %.0f %% of the instances, so their relation is hardly learned; links whose targets "
            "are not in the corpus lead nowhere (report.md of its graph counts them).",
            " and ".join(rare),
            100 * RARE,
        )


def write_output(name: str, trainer: Trainer, paths: Paths, inputs: dict[str, Any]) -> None:
    """The model folder: weights, tokenizer, `training.json`, `meta.json`."""
    recipe, device = trainer.recipe, trainer.device
    cuda = device.type == "cuda"
    peak = peak_of(torch.cuda.get_device_name(device)) if cuda else None
    training = {
        "recipe": recipe.to_json(),
        "schedule": "steps" if recipe.steps is not None else "minutes",
        "steps": trainer.step,
        "tokens": trainer.tokens,
        "relations": dict(zip(RELATIONS, trainer.corpus.mixture, strict=True)),
        "mean_length": trainer.tokens / (trainer.step * recipe.batch_size),
        "seconds": trainer.seconds,
        "device": torch.cuda.get_device_name(device) if cuda else "cpu",
        "processes": trainer.world.size,
        "threads": torch.get_num_threads(),
        "flops_per_token": trainer.flops_per_token(),
        "peak": peak[0] if peak else None,
        "utilization": trainer.utilization(trainer.tokens, trainer.device_seconds),
        "versions": {"torch": torch.__version__},
        "curve": trainer.curve,
        "evaluation": trainer.evaluations,
    }
    with atomic_folder(paths.output) as folder:
        linkbert = {"objective": recipe.objective, "name": name}
        digest = write_model(folder, trainer.model, paths.tokenizer, linkbert)
        write_json(folder / "training.json", training | {"weights_sha256": digest})
        counts = {"steps": trainer.step, "tokens": trainer.tokens, "instances": trainer.step * recipe.batch_size}
        parameters = {"name": name, "recipe": recipe.to_json()}
        write_meta(folder, "pretrain", inputs=inputs, parameters=parameters, counts=counts, weights_sha256=digest)
