"""Pretraining speed: ours, ours with each technique off in turn, and Hugging Face's Trainer, on the same instances.

    python benchmarks/pretraining.py --size tiny --output pretraining.json

Runs on CPU anywhere and on CUDA where there is one. Without --source it makes a corpus of made-up words. On CPUs
variants take turns, so that a busy machine disturbs all alike; on a GPU each has the memory for itself. The best round
counts. A variant that fails is named and the others go on; --output is written after every round, and what was measured
is printed however it ends. On a GPU nothing is begun after --minutes.
"""

import argparse
import gc
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import fields, replace
from functools import partial
from importlib.util import find_spec
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
# What is measured where it is not said: minutes of a CPU, and enough for a GPU to be busy and not to live on the steps
# that were made while it warmed up.
DEFAULTS = {
    "cpu": {"batch_size": 32, "steps": 2, "rounds": 3, "micro_batch_tokens": 8192},
    "cuda": {"batch_size": 1024, "steps": 10, "rounds": 2, "micro_batch_tokens": None, "minutes": 9.0},
}
CUDA_STEPS = {"demo": 100, "tiny": 100, "large": 5}
HUGGING_FACE_TOKENS = 32_768  # of a padded micro-batch on a GPU: its logits are those of all positions
HIDDEN = ("output", "source", "tokenizer")  # paths of this machine
HUGGING_FACE_STEPS = 10  # at most: its Python makes too few batches a second for more of a tiny model
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
            try:
                if not trainer.update(next(data), 0.5):
                    continue
                synchronize(trainer.device)
                began = clock()
                for _ in range(steps):
                    asked = time.perf_counter()
                    step = next(data)
                    waited += time.perf_counter() - asked
                    if not trainer.update(step, 0.5):
                        raise MemoryError("out of memory in the middle: choose a smaller --micro-batch-tokens")
                    trainer.step += 1
                    tokens += step.tokens
                synchronize(trainer.device)
                return tokens, clock() - began, waited
            finally:
                data.close()


class HuggingFace:
    """`transformers.Trainer` with `BertForPreTraining` and the library's collator, as its examples set them up.

    Where it lacks its library `accelerate`, as on a bare image, a plain loop does what it would (`_plain`).
    """

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
        from transformers import DataCollatorForLanguageModeling

        torch.use_deterministic_algorithms(False)
        size, steps = self.recipe.batch_size, min(steps, HUGGING_FACE_STEPS)
        examples = self.examples(size * (steps + 1))
        times: list[float] = []

        def step_ended() -> None:
            synchronize(self.device)
            times.append(clock())

        collator = DataCollatorForLanguageModeling(self.tokenizer, mlm_probability=0.15)
        (self._trainer if has_accelerate() else self._plain)(examples, collator, step_ended)
        tokens = sum(len(example["input_ids"]) for example in examples[size:])
        return tokens, times[-1] - times[0], 0.0

    @property
    def workers(self) -> int:
        """Processes that make batches."""
        return 0 if self.device.type == "cpu" else 8

    def _trainer(self, examples: list[dict[str, Any]], collator: Any, step_ended: Callable[[], None]) -> None:
        from transformers import Trainer, TrainerCallback, TrainingArguments

        class Timer(TrainerCallback):
            def on_step_end(self, *arguments: Any, **more: Any) -> None:
                step_ended()

        size, cuda = self.recipe.batch_size, self.device.type == "cuda"
        with tempfile.TemporaryDirectory() as folder:
            settings = TrainingArguments(
                folder,
                per_device_train_batch_size=min(self.micro, size),
                gradient_accumulation_steps=max(size // self.micro, 1),
                max_steps=len(examples) // size,
                learning_rate=self.recipe.learning_rate,
                weight_decay=0.01,
                use_cpu=not cuda,
                bf16=cuda,
                report_to=[],
                save_strategy="no",
                logging_strategy="no",
                disable_tqdm=True,
                dataloader_num_workers=self.workers,
                train_sampling_strategy="sequential",
            )
            Trainer(self.model, settings, collator, examples, callbacks=[Timer()]).train()

    def _plain(self, examples: list[dict[str, Any]], collator: Any, step_ended: Callable[[], None]) -> None:
        cuda, pieces = self.device.type == "cuda", max(self.recipe.batch_size // self.micro, 1)
        model = self.model.to(self.device).train()
        optimizer = torch.optim.AdamW(model.parameters(), self.recipe.learning_rate, weight_decay=0.01, fused=True)
        batches = torch.utils.data.DataLoader(
            examples,
            min(self.micro, self.recipe.batch_size),
            collate_fn=collator,
            num_workers=self.workers,
            pin_memory=cuda,
            drop_last=True,
        )
        for number, batch in enumerate(batches, 1):
            batch = {name: tensor.to(self.device, non_blocking=True) for name, tensor in batch.items()}
            with torch.autocast(self.device.type, torch.bfloat16, enabled=cuda):
                loss = model(**batch).loss / pieces
            loss.backward()
            if number % pieces == 0:
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                optimizer.zero_grad()
                step_ended()


def has_accelerate() -> bool:
    """Whether `transformers.Trainer` can run."""
    return find_spec("accelerate") is not None


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


class Benchmark:
    """What is compared, and what was measured of it so far.

    Args:
        folder: for the made-up corpus.
    """

    def __init__(self, options: argparse.Namespace, folder: Path):
        self.options, self.device = options, choose_device(options.device)
        cuda = self.device.type == "cuda"
        if cuda:
            prepare_cuda(deterministic=True)
        for name, value in DEFAULTS[self.device.type].items():
            if getattr(options, name) is None:
                steps = CUDA_STEPS.get(options.size) if cuda and name == "steps" else None
                setattr(options, name, steps or value)
        self.deadline = time.monotonic() + 60 * options.minutes if options.minutes else float("inf")
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
        # The two that the ratio is of come first: time may be short for the others.
        self.makers: dict[str, Callable[[], Ours | HuggingFace]] = {
            "ours": partial(Ours, recipe, corpus, vocabulary, self.device, None)
        }
        if options.hugging_face:
            name = "Hugging Face Trainer" if has_accelerate() else "Hugging Face model in a plain loop"
            self.makers[name] = partial(HuggingFace, recipe, corpus, tokenizer, vocabulary, self.device)
        measured_here = {"compiled": recipe.compiles(self.device.type), DETERMINISTIC: cuda}
        for technique in [*TECHNIQUES, DETERMINISTIC] if options.ablate else []:
            if measured_here.get(technique, True):
                self.makers[f"without {technique}"] = partial(Ours, recipe, corpus, vocabulary, self.device, technique)
        lengths = corpus.samples(0, min(10_000, int(corpus.pass_sizes(0).sum()))).lengths
        self.fill = float(np.mean(lengths) / options.length)
        self.flops = training_flops(build_model(recipe, vocabulary, None).config, float(lengths.mean()))
        self.gemm = gemm_peak(self.device)
        self.best: dict[str, Round] = {}
        self.failed: dict[str, str] = {}  # variant -> why there is no number of it

    def run(self) -> None:
        """Measure all variants; what there is after each round is written to the output."""
        for group in [[name] for name in self.makers] if self.device.type == "cuda" else [list(self.makers)]:
            variants: dict[str, Ours | HuggingFace] = {}
            for turn in range(self.options.rounds):
                for name in group:
                    if name not in self.failed:
                        self._round(name, turn, variants)
            variants.clear()
            gc.collect()

    def _round(self, name: str, turn: int, variants: dict[str, Ours | HuggingFace]) -> None:
        if time.monotonic() > self.deadline:
            if name not in self.best:
                self.failed[name] = "no time was left"
            return
        try:
            if name not in variants:
                if self.device.type == "cuda":
                    torch.compiler.reset()  # each variant has the number of graphs to itself that the compiler allows
                variants[name] = self.makers[name]()
            one = measure_round(variants[name], self.options, self.device)
        except Exception as error:  # of one variant; the others have numbers all the same
            words = str(error).strip().splitlines()
            self.failed[name] = f"{type(error).__name__}: {words[0] if words else ''}"
            variants.pop(name, None)
            print(f"round {turn + 1}: {name}: {self.failed[name]}", file=sys.stderr)
        else:
            self.best[name] = max(self.best.get(name, one), one)
            print(f"round {turn + 1}: {name}: {one.rate:,.0f} tokens/s", file=sys.stderr)
        if self.options.output:
            self.options.output.write_text(json.dumps(self.report(), indent=2) + "\n", encoding="utf-8")

    def report(self) -> dict[str, Any]:
        """Real tokens a second of every variant, their ratio to ours, fill, utilization."""
        cuda = self.device.type == "cuda"
        device = torch.cuda.get_device_name(self.device) if cuda else "cpu"
        named = peak_of(device) if cuda else None
        ours = self.best.get("ours")
        settings = {key: str(value) for key, value in vars(self.options).items() if key not in HIDDEN}
        return {
            "device": device,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "settings": settings,
            "fill": self.fill,
            "flops_per_token": self.flops,
            "peak": {"name": named[0], "flops": named[1]} if named else None,
            "gemm_flops": self.gemm,
            "variants": {
                name: {
                    "tokens_per_second": one.rate,
                    "ratio": one.rate / ours.rate if ours else None,
                    "of_gemm": one.rate * self.flops / self.gemm,
                    "of_peak": one.rate * self.flops / named[1] if named else None,
                    "waiting_for_data": one.waiting,
                    "gpu_memory": one.memory,
                }
                for name, one in self.best.items()
            },
            "failed": self.failed,
        }


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
        ratio = "–" if row["ratio"] is None else f"{row['ratio']:.2f}"
        lines.append(
            f"| {name} | {row['tokens_per_second']:,.0f} | {ratio} | {100 * used:.1f} % | "
            f"{100 * row['waiting_for_data']:.1f} % | {memory} |"
        )
    lines += [f"\n{name}: not measured ({reason})" for name, reason in report["failed"].items()]
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
    parser.add_argument("--steps", type=int, help="of a round; 2 on CPU; on CUDA 100, of base 10, of large 5")
    parser.add_argument("--rounds", type=int, help="3 on CPU, 2 on CUDA")
    parser.add_argument("--minutes", type=float, help="after these nothing more is begun; 9 on CUDA")
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
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with tempfile.TemporaryDirectory() as folder:
        benchmark = Benchmark(options, Path(folder))
        try:
            benchmark.run()
        finally:
            print(table(benchmark.report()), flush=True)
    return None if "ours" in benchmark.best else 1


if __name__ == "__main__":
    run(main)
