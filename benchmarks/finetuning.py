"""Fine-tuning here against the standard way: the Hugging Face Trainer, as its scripts for SQuAD and GLUE use it.

Same weights, same invented data, same recipe, fp32 on a CPU and bf16 on a GPU; tokenization, training and prediction of
the test split are all timed, loading weights and imports are not. The lengths follow SQuAD's (contexts of 40 to 400
tokens, 150 on average) and GLUE's (pairs of 8 to 110, 40 on average). The scripts' default pads to the full length;
"dynamic" pads to the longest of a batch. Ways take turns and the fastest of `--repeats` counts, so that a busy machine
spoils less. The Trainer's span loss starts higher, because its softmax takes in padding.

    python benchmarks/finetuning.py --size tiny

Needs `accelerate`, which the Trainer imports, beside the project's own dependencies.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

SIZES = {"tiny": (2, 128, 2, 512), "small": (4, 256, 4, 1024), "base": (12, 768, 12, 3072)}
LENGTHS = {"span": 384, "classification": 128}
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [f"{first}{second}{third}" for first in "bdklmnprst" for second in "aeiou" for third in "bdklmnprst"]


def save_model(folder: Path, size: str) -> None:
    """A BERT of a size with random weights and a vocabulary of the invented words."""
    from transformers import BertConfig, BertModel, BertTokenizer

    layers, hidden, heads, intermediate = SIZES[size]
    vocabulary = [*SPECIAL, *WORDS, *(f"##{letter}" for letter in "aeioubdklmnprst"), *"aeioubdklmnprst?."]
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=30522,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=intermediate,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)


def span_example(random: np.random.Generator, name: str) -> dict:
    """A question whose two words stand before and after the answer in the context."""
    words = [str(word) for word in random.choice(WORDS, int(np.clip(random.lognormal(4.9, 0.5), 40, 400)))]
    place = int(random.integers(1, len(words) - 3))
    answer = " ".join(words[place : place + 2])
    question = " ".join([*random.choice(WORDS, 8), words[place - 1], words[place + 2]]) + "?"
    start = len(" ".join([*words[:place], ""]))
    context = " ".join(words)
    answers = [{"text": answer, "start": start}]
    return {"id": name, "question": question, "context": context, "answers": answers, "golds": [answer]}


def pair_example(random: np.random.Generator, name: str) -> dict:
    """Two sentences; the label says which of two words the first begins with."""
    first, second = (" ".join(random.choice(WORDS, int(np.clip(random.lognormal(2.8, 0.6), 3, 50)))) for _ in range(2))
    label = int(random.integers(2))
    return {"id": name, "text_a": f"{WORDS[label]} {first}", "text_b": second, "label": "ab"[label]}


def examples_of(kind: str, number: int, seed: int) -> list[dict]:
    """Invented examples of a kind."""
    random = np.random.default_rng(seed)
    make = span_example if kind == "span" else pair_example
    return [make(random, str(i)) for i in range(number)]


def ours(kind: str, folder: Path, data: dict[str, list[dict]], settings: dict, device: torch.device) -> tuple:
    """(seconds of features, of training, of prediction; mean training loss; score)."""
    from linkbert.finetune import METHODS
    from linkbert.finetune.loop import predict, train
    from linkbert.finetune.network import Checkpoint
    from linkbert.finetune.recipe import recipe_of
    from linkbert.metrics import score

    checkpoint = Checkpoint(folder, device)
    method = METHODS[kind]([] if kind == "span" else ["a", "b"], recipe_of("benchmark", settings, kind))
    times = [time.perf_counter()]
    features = {split: method.features(examples, checkpoint.tokenizer) for split, examples in data.items()}
    times.append(time.perf_counter())
    network = checkpoint.network(method, 0)
    loss = train(network, method, features["train"], 0, "benchmark", device)
    times.append(time.perf_counter())
    predictions = predict(network, method, features["test"], data["test"], device)
    times.append(time.perf_counter())
    metric = score("squad" if kind == "span" else "accuracy", data["test"], predictions.values)
    return (*np.diff(times), loss, next(iter(metric.values())))


def span_columns(tokenizer, examples: list[dict], length: int, stride: int, dynamic: bool) -> tuple[list[dict], list]:
    """Windows with labels, and their (example, offsets), as the question answering script makes them."""
    encoded = tokenizer(
        [example["question"] for example in examples],
        [example["context"] for example in examples],
        truncation="only_second",
        max_length=length,
        stride=stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
        padding=False if dynamic else "max_length",
    )
    rows, about = [], []
    for place, number in enumerate(encoded["overflow_to_sample_mapping"]):
        offsets, kinds = encoded["offset_mapping"][place], encoded.sequence_ids(place)
        context = [token for token, kind in enumerate(kinds) if kind == 1]
        answer = examples[number]["answers"][0]
        begin, end = answer["start"], answer["start"] + len(answer["text"])
        first = last = 0
        if offsets[context[0]][0] <= begin and offsets[context[-1]][1] >= end:
            first = max(token for token in context if offsets[token][0] <= begin)
            last = min(token for token in context if offsets[token][1] >= end)
        row = {key: encoded[key][place] for key in ("input_ids", "token_type_ids", "attention_mask")}
        rows.append({**row, "start_positions": first, "end_positions": last})
        about.append((number, [pair if kind == 1 else None for pair, kind in zip(offsets, kinds, strict=True)]))
    return rows, about


def span_answers(examples: list[dict], about: list, starts: np.ndarray, ends: np.ndarray) -> dict[str, str]:
    """The best answer of each example by the script's post-processing: 20 best starts and ends, at most 30 tokens."""
    best: dict[int, tuple[float, str]] = {}
    for (number, offsets), start_logits, end_logits in zip(about, starts, ends, strict=True):
        for start in np.argsort(start_logits)[-1:-21:-1]:
            for end in np.argsort(end_logits)[-1:-21:-1]:
                if max(start, end) >= len(offsets) or offsets[start] is None or offsets[end] is None:
                    continue
                if not 0 <= end - start < 30:
                    continue
                value = float(start_logits[start] + end_logits[end])
                if value > best.get(number, (-np.inf, ""))[0]:
                    text = examples[number]["context"][offsets[start][0] : offsets[end][1]]
                    best[number] = value, text
    return {example["id"]: best.get(number, (0.0, ""))[1] for number, example in enumerate(examples)}


def standard(
    kind: str, folder: Path, data: dict[str, list[dict]], settings: dict, device: torch.device, dynamic: bool
) -> tuple:
    """As `ours`, by the Trainer."""
    import transformers
    from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, TrainingArguments, default_data_collator

    from linkbert.metrics import score

    tokenizer = AutoTokenizer.from_pretrained(folder)
    name = "BertForQuestionAnswering" if kind == "span" else "BertForSequenceClassification"
    torch.manual_seed(0)
    model = getattr(transformers, name).from_pretrained(folder)
    times, about = [time.perf_counter()], {}
    rows: dict[str, list[dict]] = {}
    for split, examples in data.items():
        if kind == "span":
            rows[split], about[split] = span_columns(tokenizer, examples, settings["length"], 128, dynamic)
        else:
            encoded = tokenizer(
                [example["text_a"] for example in examples],
                [example["text_b"] for example in examples],
                truncation=True,
                max_length=settings["length"],
                padding=False if dynamic else "max_length",
            )
            rows[split] = [
                {**{key: encoded[key][place] for key in encoded}, "label": "ab".index(example["label"])}
                for place, example in enumerate(examples)
            ]
    times.append(time.perf_counter())
    arguments = TrainingArguments(
        output_dir=str(folder / "trainer"),
        learning_rate=settings["learning_rate"],
        per_device_train_batch_size=settings["batch_size"],
        per_device_eval_batch_size=8 if not dynamic else 32,
        num_train_epochs=settings["epochs"],
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        logging_strategy="no",
        use_cpu=device.type == "cpu",
        bf16=device.type == "cuda",
    )
    collator = DataCollatorWithPadding(tokenizer) if dynamic else default_data_collator
    trainer = Trainer(model=model, args=arguments, train_dataset=rows["train"], data_collator=collator)
    trainer.remove_callback(transformers.PrinterCallback)
    loss = trainer.train().training_loss
    times.append(time.perf_counter())
    output = trainer.predict(rows["test"]).predictions
    if kind == "span":
        values = span_answers(data["test"], about["test"], *output[:2])
    else:
        pairs = zip(data["test"], output.argmax(1), strict=True)
        values = {example["id"]: "ab"[label] for example, label in pairs}
    times.append(time.perf_counter())
    metric = score("squad" if kind == "span" else "accuracy", data["test"], values)
    return (*np.diff(times), loss, next(iter(metric.values())))


def main(arguments: list[str] | None = None) -> None:
    """Time both ways and print a table and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--examples", type=int, default=240, help="training examples; a third as many are tested")
    parser.add_argument("--batch-size", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--output", type=Path, help="JSON file for the numbers")
    options = parser.parse_args(arguments)
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    record = {"size": options.size, "device": str(device), "threads": torch.get_num_threads(), "results": {}}
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        save_model(model, options.size)
        print(f"{options.size}, {device}, {torch.get_num_threads()} threads, {options.examples} training examples")
        columns = f"{'features':>10}{'training':>10}{'prediction':>12}{'whole':>9}{'loss':>7}{'score':>7}{'ratio':>7}"
        print(f"{'task':16}{'way':18}{columns}")
        for kind, length in LENGTHS.items():
            data = {
                "train": examples_of(kind, options.examples, 1),
                "test": examples_of(kind, max(options.examples // 3, 1), 2),
            }
            settings = {
                "learning_rate": 3e-4,
                "batch_size": options.batch_size,
                "epochs": options.epochs,
                "length": length,
            }
            warm = {split: examples[:12] for split, examples in data.items()}
            ours(kind, model, warm, settings, device)
            shared = (kind, model, data, settings, device)
            best: dict[str, tuple] = {}
            for way in ("ours", "Trainer", "Trainer, dynamic") * options.repeats:
                result = ours(*shared) if way == "ours" else standard(*shared, dynamic=way != "Trainer")
                if way not in best or sum(result[:3]) < sum(best[way][:3]):
                    best[way] = result
            for way, (*seconds, loss, value) in best.items():
                ratio = sum(seconds) / sum(best["ours"][:3])
                parts = f"{seconds[0]:>9.2f}s{seconds[1]:>9.2f}s{seconds[2]:>11.2f}s{sum(seconds):>8.2f}s"
                print(f"{kind:16}{way:18}{parts}{loss:>7.3f}{value:>7.1f}{ratio:>6.1f}x")
                record["results"][f"{kind} {way}"] = {"seconds": seconds, "loss": loss, "score": value, "ratio": ratio}
    if options.output:
        options.output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
