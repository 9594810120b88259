"""Pretraining speed: ours, ours with each technique off in turn, and Hugging Face's Trainer, on the same instances.

    python benchmarks/pretraining.py --size tiny --output pretraining.json

Runs on CPU anywhere and on CUDA where there is one. Without --source it makes a corpus of made-up words. On CPUs
variants take turns, so that a busy machine disturbs all alike; on a GPU each has the memory for itself. The best round
counts.
"""

import argparse
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from linkbert.command import pair, run
from linkbert.pretraining.data import Corpus, open_source
from linkbert.pretraining.devices import choose_device, prepare_cuda
from linkbert.pretraining.flops import peak_of, training_flops
from linkbert.pretraining.loop import Trainer
from linkbert.pretraining.masking import Vocabulary
from linkbert.pretraining.objective import Techniques
from linkbert.pretraining.recipe import Recipe
from linkbert.pretraining.run import build_model
from linkbert.pretraining.synthetic import write_instances, write_tokenizer, write_tokens
from linkbert.text.vocabulary import read_vocabulary

SIZES = {
    "demo": (2, 64, 2, 256),
    "tiny": (2, 128, 2, 512),
    "base": (12, 768, 12, 3072),
    "large": (24, 1024, 16, 4096),
}
Clock = Callable[[], float]
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "cpu": time.process_time}
TECHNIQUES = [technique.name for technique in fields(Techniques)]
# What costs time instead, and only on a GPU: kernels with the same bits in every run.
DETERMINISTIC = "deterministic"
# What a step has where it is not said: minutes of a CPU, and enough for a GPU to be busy.
DEFAULTS = {
    "cpu": {"batch_size": 32, "steps": 2, "micro_batch_tokens": 8192},
    "cuda": {"batch_size": 1024, "steps": 10, "micro_batch_tokens": None},
}
HUGGING_FACE_TOKENS = 32_768  # of a padded micro-batch on a GPU: its logits are those of all positions
SIZE_KEYS = ("num_layers", "hidden_size", "num_heads", "intermediate_size")


class Ours:
    """Our trainer, a few steps at a time."""

    def __init__(self, recipe: Recipe, corpus: Corpus, vocabulary: Vocabulary, device: torch.device, off: str | None):
        self.techniques = replace(Techniques(), **({off: False} if off in TECHNIQUES else {}))
        model = build_model(recipe, vocabulary, None, self.techniques.padded_vocabulary).to(device).train()
        self.trainer = Trainer(model, recipe, corpus, vocabulary, device, techniques=self.techniques)
        self.deterministic = device.type == "cuda" and recipe.deterministic and off != DETERMINISTIC

    def run(self, steps: int, clock: Clock) -> tuple[int, float, float]:
        """Real tokens, seconds, and seconds spent waiting for data."""
        trainer, tokens, waited = self.trainer, 0, 0.0
        torch.use_deterministic_algorithms(self.deterministic)
        # The first step warms up, and finds the micro-batches that fit into memory.
        while True:
            data = trainer.prefetch()
            if trainer.update(next(data), 0.5):
                break
            data.close()
        synchronize(trainer.device)
        began = clock()
        for _ in range(steps):
            asked = time.perf_counter()
            step = next(data)
            waited += time.perf_counter() - asked
            if not trainer.update(step, 0.5):
                sys.exit("out of memory in the middle: choose a smaller --micro-batch-tokens")
            trainer.step += 1
            tokens += step.tokens
        synchronize(trainer.device)
        seconds = clock() - began
        data.close()
        return tokens, seconds, waited


class HuggingFace:
    """`transformers.Trainer` with `BertForPreTraining` and the library's collator, as its examples set them up."""

    def __init__(self, recipe: Recipe, corpus: Corpus, tokenizer: Path, vocabulary: Vocabulary, device: torch.device):
        from transformers import BertConfig, BertForPreTraining, PreTrainedTokenizerFast

        self.recipe, self.corpus, self.vocabulary, self.device = recipe, corpus, vocabulary, device
        names = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
        self.tokenizer = PreTrainedTokenizerFast(
            tokenizer_file=str(tokenizer / "tokenizer.json"),
            **{f"{name}_token": token for name, token in names.items()},
        )
        config = build_model(recipe, vocabulary, None).config.to_hf()
        self.model = BertForPreTraining(BertConfig(**config))
        self.micro = max((recipe.micro_batch_tokens or HUGGING_FACE_TOKENS) // recipe.length, 1)

    def examples(self, count: int) -> list[dict[str, Any]]:
        """The first instances of the corpus, ready made."""
        rows, made = self.corpus.samples(0, count), []
        for number in range(count):
            tokens = self.corpus.sources[rows.source[number]].tokens
            a = tokens[rows.a_start[number] :][: rows.a_length[number]].tolist()
            b = tokens[rows.b_start[number] :][: rows.b_length[number]].tolist()
            cls, sep = self.vocabulary.cls, self.vocabulary.sep
            made.append(
                {
                    "input_ids": [cls, *a, sep, *b, sep],
                    "token_type_ids": [0] * (len(a) + 2) + [1] * (len(b) + 1),
                    "next_sentence_label": int(rows.relation[number] % 2),
                }
            )
        return made

    def run(self, steps: int, clock: Clock) -> tuple[int, float, float]:
        """Real tokens, seconds, 0."""
        from transformers import DataCollatorForLanguageModeling, Trainer, TrainerCallback, TrainingArguments

        torch.use_deterministic_algorithms(False)
        size, device = self.recipe.batch_size, self.device
        examples = self.examples(size * (steps + 1))
        times: list[float] = []

        class Timer(TrainerCallback):
            def on_step_end(self, *arguments: Any, **more: Any) -> None:
                synchronize(device)
                times.append(clock())

        with tempfile.TemporaryDirectory() as folder:
            settings = TrainingArguments(
                folder,
                per_device_train_batch_size=min(self.micro, size),
                gradient_accumulation_steps=max(size // self.micro, 1),
                max_steps=steps + 1,
                learning_rate=self.recipe.learning_rate,
                weight_decay=0.01,
                use_cpu=device.type == "cpu",
                bf16=device.type == "cuda",
                report_to=[],
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                dataloader_num_workers=0 if device.type == "cpu" else 8,
                train_sampling_strategy="sequential",
            )
            collator = DataCollatorForLanguageModeling(self.tokenizer, mlm_probability=0.15)
            trainer = Trainer(self.model, settings, collator, examples, callbacks=[Timer()])
            trainer.train()
        tokens = sum(len(example["input_ids"]) for example in examples[size:])
        return tokens, times[-1] - times[0], 0.0


def synchronize(device: torch.device) -> None:
    """Wait for the device."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def gemm_peak(device: torch.device) -> float:
    """FLOP/s of one large square matrix product in the type that training uses."""
    size, kind = (8192, torch.bfloat16) if device.type == "cuda" else (1536, torch.float32)
    left, right = (torch.randn(size, size, device=device, dtype=kind) for _ in range(2))
    best = float("inf")
    for _ in range(6):
        synchronize(device)
        began = time.perf_counter()
        left @ right
        synchronize(device)
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best


def prepare(options: argparse.Namespace, folder: Path) -> tuple[Path, Path, Path]:
    """Tokenizer, tokens and instances: those given, or made-up ones."""
    if options.source:
        return options.tokenizer, Path(options.source[0]), options.source[1]
    write_tokenizer(folder / "tokenizer", options.words)
    write_tokens(folder / "tokens", options.words, 2_000_000)
    count = options.batch_size * (options.steps + 2) * options.rounds
    write_instances(folder / "instances", [count], 2_000_000, options.length, full=options.full)
    return folder / "tokenizer", folder / "tokens", folder / "instances"


class Round(NamedTuple):
    """What one variant did in one round."""

    rate: float  # real tokens a second
    waiting: float  # share of the time spent waiting for data
    memory: int | None  # bytes of the GPU at most


def measure_round(variant: Ours | HuggingFace, options: argparse.Namespace, device: torch.device) -> Round:
    """Some steps of a variant."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    tokens, seconds, waited = variant.run(options.steps, CLOCKS[options.clock])
    memory = torch.cuda.max_memory_allocated() if device.type == "cuda" else None
    gc.collect()
    return Round(tokens / seconds, waited / seconds, memory)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All variants; real tokens a second, their ratio to ours, fill, utilization."""
    device = choose_device(options.device)
    if device.type == "cuda":
        prepare_cuda(deterministic=True)
    for name, value in DEFAULTS["cuda" if device.type == "cuda" else "cpu"].items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    tokenizer, tokens, instances = prepare(options, folder)
    recipe = Recipe.parse(
        {
            "objective": "mlm_drp",
            "size": dict(zip(SIZE_KEYS, SIZES[options.size], strict=True)),
            "length": options.length,
            "steps": 1_000_000,
            "batch_size": options.batch_size,
            "learning_rate": 1e-4,
            "warmup": 10,
            "dropout": options.dropout,
            "attention_dropout": options.attention_dropout,
            "micro_batch_tokens": options.micro_batch_tokens,
            "compile": options.compile,
        }
    )
    vocabulary = read_vocabulary(tokenizer)
    files = sorted(instances.glob("epoch-*.npy"))
    corpus = Corpus([open_source(tokens, files, vocabulary, options.length, 3)], 0)
    makers: dict[str, Callable[[], Ours | HuggingFace]] = {
        "ours": lambda: Ours(recipe, corpus, vocabulary, device, None)
    }
    measured_here = {"compiled": recipe.compiles(device.type), DETERMINISTIC: device.type == "cuda"}
    for technique in [*TECHNIQUES, DETERMINISTIC] if options.ablate else []:
        if measured_here.get(technique, True):
            makers[f"without {technique}"] = partial(Ours, recipe, corpus, vocabulary, device, technique)
    if options.hugging_face:
        makers["Hugging Face Trainer"] = lambda: HuggingFace(recipe, corpus, tokenizer, vocabulary, device)
    best: dict[str, Round] = {}
    for group in [[name] for name in makers] if device.type == "cuda" else [list(makers)]:
        variants = {name: makers[name]() for name in group}
        for turn in range(options.rounds):
            for name, variant in variants.items():
                one = measure_round(variant, options, device)
                best[name] = max(best.get(name, one), one)
                print(f"round {turn + 1}: {name}: {one.rate:,.0f} tokens/s", file=sys.stderr)
        del variants, variant
        gc.collect()
    config = build_model(recipe, vocabulary, None).config
    lengths = corpus.samples(0, min(10_000, int(corpus.pass_sizes(0).sum()))).lengths
    flops = training_flops(config, float(lengths.mean()))
    named = peak_of(torch.cuda.get_device_name(device)) if device.type == "cuda" else None
    measured = gemm_peak(device)
    report = {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "settings": {
            key: str(value) for key, value in vars(options).items() if key not in ("output", "source", "tokenizer")
        },
        "fill": float(np.mean(lengths) / options.length),
        "flops_per_token": flops,
        "peak": {"name": named[0], "flops": named[1]} if named else None,
        "gemm_flops": measured,
        "variants": {
            name: {
                "tokens_per_second": one.rate,
                "ratio": one.rate / best["ours"].rate,
                "of_gemm": one.rate * flops / measured,
                "of_peak": one.rate * flops / named[1] if named else None,
                "waiting_for_data": one.waiting,
                "gpu_memory": one.memory,
            }
            for name, one in best.items()
        },
    }
    return report


def table(report: dict[str, Any]) -> str:
    """The report as Markdown."""
    peak = report["peak"]
    against = peak["name"] if peak else f"a matrix product measured here, {report['gemm_flops'] / 1e9:.0f} GFLOP/s"
    lines = [
        f"{report['device']}, {report['threads']} threads, torch {report['torch']}; sequences fill "
        f"{100 * report['fill']:.0f} % of their length; utilization against {against}.",
        "",
        "| | real tokens/s | of ours | utilization | waiting for data | GPU memory |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, row in report["variants"].items():
        used = row["of_peak"] if peak else row["of_gemm"]
        memory = f"{row['gpu_memory'] / 2**30:.1f} GiB" if row["gpu_memory"] else "–"
        lines.append(
            f"| {name} | {row['tokens_per_second']:,.0f} | {row['ratio']:.2f} | {100 * used:.1f} % | "
            f"{100 * row['waiting_for_data']:.1f} % | {memory} |"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int | None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--source", type=pair, help="TOKENS=INSTANCES; else made up")
    parser.add_argument("--tokenizer", type=Path, help="tokenizer folder, with --source")
    parser.add_argument("--words", type=int, default=30_522, help="of the made-up vocabulary")
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--full", type=float, default=0.9, help="share of made-up instances that fill the length")
    parser.add_argument("--batch-size", type=int, help="sequences of a step; 32 on CPU, 1024 on CUDA")
    parser.add_argument("--micro-batch-tokens", type=int, help="8192 on CPU; on CUDA what fits")
    parser.add_argument("--steps", type=int, help="of a round; 2 on CPU, 10 on CUDA")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--attention-dropout", type=float, default=0.1)
    parser.add_argument("--compile", action=argparse.BooleanOptionalAction, default="auto", help="auto: on CUDA")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: for one thread on a machine in use")
    parser.add_argument("--ablate", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--hugging-face", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--output", type=Path, help="JSON to write")
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as folder:
        report = measure(options, Path(folder))
    print(table(report))
    if options.output:
        options.output.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return None


if __name__ == "__main__":
    run(main)
