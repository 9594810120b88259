"""What this machine sustains: the real loops of pretraining and fine-tuning on made-up text, for seconds each.

The numbers are for estimates (`linkbert.planning.estimate`): operations a second at each size of model, and the least
time of an optimizer step, which is what small models are bound by.
"""

import gzip
import json
import logging
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from linkbert.errors import UserError
from linkbert.files import read_json, write_json, write_meta
from linkbert.rng import generator

PATH = "results/calibration.json"
VERSION = 1
WORDS, TOKENS, INSTANCES = 8192, 2_000_000, 4096
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Calibration:
    """Measured FLOP/s by (stage, size of model), least seconds of a step by size, and where it was measured."""

    device: str
    throughput: Mapping[tuple[str, str], float]
    step_seconds: Mapping[str, float]


def read_calibration(path: Path) -> Calibration:
    """A calibration file; a UserError where it is something else."""
    content = read_json(path)
    if not isinstance(content, dict) or content.get("version") != VERSION or "sizes" not in content:
        raise UserError(f"{path}: not a calibration of this version. Make it again: python scripts/calibrate.py")
    sizes = content["sizes"]
    stages = ("pretrain", "finetune")
    return Calibration(
        content["device"],
        {(stage, size): sizes[size][stage]["flops_per_second"] for size in sizes for stage in stages},
        {size: sizes[size]["step_seconds"] for size in sizes},
    )


def calibrate(
    sizes: Mapping[str, Mapping[str, Any]],
    words: int,
    length: int,
    folder: Path,
    output: Path,
    seconds: float = 20.0,
    device: str = "auto",
    threads: int | None = None,
) -> dict[str, Any]:
    """Measure each size of model, and write the calibration.

    Args:
        sizes: name -> shape, as in the configuration.
        words: the vocabulary.
        length: tokens of a pretraining sequence.
        folder: an empty one for what is made on the way.
        seconds: of pretraining for each size; fine-tuning takes about as long.
    """
    measured: dict[str, Any] = {}
    where = ""
    for size, shape in sizes.items():
        where, measured[size] = _measure(dict(shape), words, length, folder / size, seconds, device, threads)
        found = measured[size]
        log.info(
            "%s: pretraining %.3g, fine-tuning %.3g FLOP/s; a step takes at least %.1f ms",
            *(size, found["pretrain"]["flops_per_second"], found["finetune"]["flops_per_second"]),
            1000 * found["step_seconds"],
        )
    result = {
        "version": VERSION,
        "device": where,
        "machine": platform.machine(),
        "threads": threads,
        "words": words,
        "length": length,
        "sizes": measured,
    }
    write_json(output, result)
    return result


def _measure(
    shape: dict[str, Any], words: int, length: int, folder: Path, seconds: float, device: str, threads: int | None
) -> tuple[str, dict[str, Any]]:
    from linkbert.model.config import ModelConfig
    from linkbert.pretraining.flops import training_flops

    model = folder / "model"
    training = _pretrain(shape, words, length, folder, seconds, device, threads)
    rates = [line["tokens_per_second"] for line in training["curve"][2:]] or [
        line["tokens_per_second"] for line in training["curve"]
    ]
    tokens = median(rates)
    config = ModelConfig(words, **{key: value for key, value in shape.items() if key != "initializer_range"})
    # As many examples as fill about the time that was asked for; a first, short run warms up.
    examples = max(64, min(20_000, int(0.3 * seconds * tokens / 128) // 32 * 32))
    _finetune(model, folder, 32, 32, device, threads)
    trained, steps, pieces = _finetune(model, folder, examples, 32, device, threads)
    _, single, _ = floor = _finetune(model, folder, 40, 1, device, threads)
    return training["device"], {
        "pretrain": {"tokens_per_second": tokens, "flops_per_second": tokens * training["flops_per_token"]},
        "finetune": {
            "tokens_per_second": pieces / trained,
            "flops_per_second": pieces * training_flops(config, pieces / examples, probability=0) / trained,
            "step_seconds": trained / steps,
        },
        "step_seconds": floor[0] / single,
    }


def _pretrain(
    shape: dict[str, Any], words: int, length: int, folder: Path, seconds: float, device: str, threads: int | None
) -> dict[str, Any]:
    from linkbert.pretraining.recipe import Recipe
    from linkbert.pretraining.run import Paths, choose_device, pretrain
    from linkbert.pretraining.synthetic import write_instances, write_tokenizer, write_tokens

    gpu = choose_device(device).type == "cuda"
    paths = Paths(
        folder / "tokenizer",
        [(folder / "tokens", folder / "instances")],
        [],
        None,
        folder / "checkpoints",
        folder / "model",
    )
    write_tokenizer(paths.tokenizer, words)
    write_tokens(folder / "tokens", words, TOKENS)
    write_instances(folder / "instances", [INSTANCES], TOKENS, length)
    recipe = {
        **{"objective": "mlm_drp", "size": shape, "length": length, "steps": None, "max_minutes": seconds / 60},
        # One micro-batch a step: gradients that are accumulated cost the same a token.
        **{"batch_size": 256 if gpu else 8, "learning_rate": 1e-4, "warmup": 0.1, "log_every": 1},
    }
    status = pretrain("calibration", Recipe.parse(recipe), paths, threads, device)
    if status:
        raise UserError("calibrate: stopped by a signal; nothing was measured.")
    return read_json(paths.output / "training.json")


def _finetune(
    model: Path, folder: Path, examples: int, batch_size: int, device: str, threads: int | None
) -> tuple[float, int, int]:
    """(seconds, steps, tokens) of one epoch over made-up sentences."""
    from linkbert.finetune.features import PieceTokenizer
    from linkbert.finetune.runs import run_batch

    name = f"made_up_{examples}_{batch_size}"
    task = folder / "tasks" / name
    task.mkdir(parents=True, exist_ok=True)
    draws = generator("calibration", examples)
    texts = [" ".join(f"w{word}" for word in draws.integers(0, 999, 96)) for _ in range(examples)]
    for split, number in (("train", examples), ("dev", 2), ("test", 2)):
        lines = [
            json.dumps({"id": str(index), "text_a": text, "label": "01"[index % 2]}) + "\n"
            for index, text in enumerate(texts[:number])
        ]
        (task / f"{split}.jsonl.gz").write_bytes(gzip.compress("".join(lines).encode(), 1))
    counts = {"train": examples, "dev": 2, "test": 2}
    write_meta(task, "tasks", counts=counts, kind="classification", labels=["0", "1"], metric="accuracy")
    recipe = {"learning_rate": 1e-5, "batch_size": batch_size, "epochs": 1, "length": 128}
    runs = {name: {"recipes": [recipe], "seeds": [0]}}
    output = folder / f"{name}.json"
    (run,) = run_batch("calibration", model, name, runs, folder / "tasks", folder / "runs", output, device, threads)[
        "runs"
    ]
    pieces = PieceTokenizer(model).encode(texts).offsets
    lengths = (pieces[1:] - pieces[:-1]).clip(max=126) + 2
    return run["seconds"], run["counts"]["steps"], int(lengths.sum())
