"""Fine-tuning here against the standard way: the Hugging Face Trainer, as its scripts for SQuAD and GLUE use it.

Same weights, same invented data, same recipe, fp32 on a CPU and bf16 on a GPU; tokenization, training and prediction of
the test split are all timed, loading weights and imports are not. The lengths follow SQuAD's (contexts of 40 to 400
words, 150 on average) and GLUE's (pairs of 8 to 108, 40 on average), the words Zipf's law over 25,000, and the answers
and labels can be learned from single words, so that a few hundred examples show whether both ways learn alike.

The scripts' default pads to the full length; "dynamic" pads to the longest of a batch, which is the longer the more
examples a batch has: by default 12 and 32, as on the scripts' own pages. Ways take turns, in another order and with
another seed in every round; ratios are taken within a round. The Trainer's span loss starts higher, because its softmax
takes in padding.

    python benchmarks/finetuning.py --size tiny --rounds 5

With `--output`, the rounds in that file count too, so that a long measurement can be made in pieces. Needs
`accelerate`, which the Trainer imports, beside the project's own dependencies.
"""

import argparse
import tempfile
import time
from itertools import product
from pathlib import Path
from statistics import fmean, median, stdev

import numpy as np
import torch

from linkbert.command import run
from linkbert.errors import UserError
from linkbert.files import read_json, write_json

SIZES = {"tiny": (2, 128, 2, 512), "small": (4, 256, 4, 1024), "base": (12, 768, 12, 3072)}
LENGTHS = {"span": 384, "classification": 128}
BATCHES = {"span": 12, "classification": 32}
WAYS = ("ours", "Trainer", "Trainer, dynamic")
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["".join(letters) for letters in product("bdklmnprst", "aeiou", "bdklmnprst", "aeiou", "bdklmnprst")]
# Words that only answers and labels use: the first and the last of an answer, and those of each label.
FIRST, LAST, LABELS = WORDS[:20], WORDS[20:40], {"a": WORDS[40:60], "b": WORDS[60:80]}
COMMON = np.random.default_rng(0).permutation(WORDS[80:])
FREQUENCY = 1 / np.arange(3, 3 + len(COMMON))  # Zipf's law
FREQUENCY = FREQUENCY.cumsum() / FREQUENCY.sum()


def text(random: np.random.Generator, number: int) -> list[str]:
    """So many words."""
    return COMMON[np.searchsorted(FREQUENCY, random.random(number))].tolist()


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
    """An answer of two to four words, of which the first and the last are of their own kinds."""
    words = text(random, int(np.clip(random.lognormal(4.9, 0.5), 40, 400)))
    place, length = int(random.integers(len(words) - 4)), int(random.integers(2, 5))
    words[place], words[place + length - 1] = str(random.choice(FIRST)), str(random.choice(LAST))
    answer = " ".join(words[place : place + length])
    start = len(" ".join([*words[:place], ""]))
    return {
        "id": name,
        "question": " ".join(text(random, 10)) + "?",
        "context": " ".join(words),
        "answers": [{"text": answer, "start": start}],
        "golds": [answer],
    }


def pair_example(random: np.random.Generator, name: str) -> dict:
    """Two sentences; a third of their words are those of the label."""
    label = str(random.choice(list(LABELS)))
    sentences = []
    for _ in range(2):
        words = np.array(text(random, int(np.clip(random.lognormal(2.8, 0.6), 4, 54))))
        places = random.permutation(len(words))[: -(-len(words) // 3)]
        words[places] = random.choice(LABELS[label], len(places))
        sentences.append(" ".join(words))
    return {"id": name, "text_a": sentences[0], "text_b": sentences[1], "label": label}


def examples_of(kind: str, number: int, seed: int) -> list[dict]:
    """Invented examples of a kind."""
    random = np.random.default_rng(seed)
    make = span_example if kind == "span" else pair_example
    return [make(random, str(i)) for i in range(number)]


def ours(kind: str, folder: Path, data: dict[str, list[dict]], settings: dict, device: torch.device, seed: int) -> dict:
    """Seconds of features, training and prediction; mean training loss; score."""
    from linkbert.finetune.loop import predict, train
    from linkbert.finetune.methods import METHODS
    from linkbert.finetune.network import Checkpoint
    from linkbert.finetune.recipe import recipe_of
    from linkbert.metrics import score

    checkpoint = Checkpoint(folder, device)
    method = METHODS[kind]([] if kind == "span" else ["a", "b"], recipe_of("benchmark", settings, kind))
    times = [time.perf_counter()]
    features = {split: method.features(examples, checkpoint.tokenizer) for split, examples in data.items()}
    times.append(time.perf_counter())
    network = checkpoint.network(method, seed)
    loss = train(network, method, features["train"], seed, "benchmark", device)
    times.append(time.perf_counter())
    predictions = predict(network, method, features["test"], data["test"], device)
    times.append(time.perf_counter())
    return outcome(times, loss, score("squad" if kind == "span" else "accuracy", data["test"], predictions.values))


def outcome(times: list[float], loss: float, scores: dict[str, float]) -> dict:
    """What a round keeps of one way."""
    return {"seconds": np.diff(times).tolist(), "loss": loss, "score": next(iter(scores.values()))}


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
    kind: str, folder: Path, data: dict[str, list[dict]], settings: dict, device: torch.device, seed: int, dynamic: bool
) -> dict:
    """As `ours`, by the Trainer."""
    import transformers
    from transformers import AutoTokenizer, DataCollatorWithPadding, Trainer, TrainingArguments, default_data_collator

    from linkbert.metrics import score

    tokenizer = AutoTokenizer.from_pretrained(folder)
    name = "BertForQuestionAnswering" if kind == "span" else "BertForSequenceClassification"
    torch.manual_seed(seed)
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
        seed=seed,
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
    return outcome(times, loss, score("squad" if kind == "span" else "accuracy", data["test"], values))


def measure(kind: str, folder: Path, options: argparse.Namespace, device: torch.device, seed: int) -> dict[str, dict]:
    """One round: each way once."""
    data = {
        "train": examples_of(kind, options.examples, 1),
        "test": examples_of(kind, max(options.examples // 3, 1), 2),
    }
    settings = {
        "learning_rate": options.learning_rate,
        "batch_size": options.batch_size or BATCHES[kind],
        "epochs": options.epochs,
        "length": LENGTHS[kind],
    }
    shared = (kind, folder, data, settings, device, seed)
    turn = seed % len(WAYS)
    return {
        way: ours(*shared) if way == "ours" else standard(*shared, dynamic=way != "Trainer")
        for way in (*WAYS[turn:], *WAYS[:turn])
    }


def spread(values: list[float], digits: int) -> str:
    """Median and range."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def report(kind: str, rounds: list[dict[str, dict]]) -> None:
    """Print what the rounds of a kind say."""
    for way in WAYS:
        times = [entry[way]["seconds"] for entry in rounds]
        parts = "".join(f"{median(part):>9.2f}s" for part in zip(*times, strict=True))
        ratios = [sum(entry[way]["seconds"]) / sum(entry["ours"]["seconds"]) for entry in rounds]
        scores = [entry[way]["score"] for entry in rounds]
        noise = f" ± {stdev(scores):.1f}" if len(scores) > 1 else ""
        loss = fmean(entry[way]["loss"] for entry in rounds)
        last = f"{fmean(scores):.1f}{noise}"
        print(f"{kind:16}{way:18}{parts}{median(map(sum, times)):>9.2f}s  {spread(ratios, 2):18}{loss:>7.3f}  {last}")


def main(arguments: list[str] | None = None) -> None:
    """Time all ways and print a table and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--kinds", nargs="+", choices=LENGTHS, default=list(LENGTHS))
    parser.add_argument("--examples", type=int, default=480, help="training examples; a third as many are tested")
    parser.add_argument("--batch-size", type=int, help=f"default: {BATCHES}")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=None)
    parser.add_argument("--output", type=Path, help="JSON file of all rounds; those it holds count too")
    options = parser.parse_args(arguments)
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    names = ("size", "examples", "batch_size", "epochs", "learning_rate")
    about = {name: getattr(options, name) for name in names}
    about["batch_size"] = options.batch_size or BATCHES
    about |= {"device": str(device), "threads": torch.get_num_threads()}
    record = {"about": about, "rounds": {}}
    if options.output and options.output.exists():
        record = read_json(options.output)
        if record["about"] != about:
            raise UserError(f"{options.output}: its rounds have other settings ({record['about']}). Name another file.")
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    columns = f"{'features':>10}{'training':>10}{'predict':>10}{'whole':>10}  {'ratio':18}{'loss':>7}  score"
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        save_model(model, options.size)
        for kind in options.kinds:
            rounds = record["rounds"].setdefault(kind, [])
            warm = argparse.Namespace(**{**vars(options), "examples": min(12, options.examples // 4), "epochs": 1})
            measure(kind, model, warm, device, 0)
            for _ in range(options.rounds):
                rounds.append(measure(kind, model, options, device, len(rounds)))
                if options.output:
                    write_json(options.output, record)
    print(f"{'task':16}{'way':18}{columns}")
    for kind, rounds in record["rounds"].items():
        report(kind, rounds)


if __name__ == "__main__":
    run(main)
