"""A model of two small layers with random weights, and small invented tasks of every kind."""

import gzip
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from linkbert.files import write_meta

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,?'-"
WORDS = [
    *("the", "a", "of", "in", "and", "to", "is", "was", "lake", "river", "town", "bridge", "north", "stone", "keeper"),
    *(
        "lamp",
        "boat",
        "paper",
        "green",
        "cold",
        "wind",
        "market",
        "winter",
        "grain",
        "mill",
        "road",
        "letter",
        "copper",
    ),
    *("bell", "found", "built", "near", "who", "where", "which", "old", "small", "tall"),
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def save_tokenizer(folder: Path) -> None:
    """A WordPiece tokenizer as BERT's, in the files of a Hugging Face folder."""
    pieces = [
        *SPECIAL,
        *LETTERS,
        *(f"##{letter}" for letter in LETTERS if letter.isalnum()),
        *WORDS[:-6],
        "##er",
        "##ing",
    ]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "model_max_length": 128}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")


def save_model(folder: Path, vocabulary: int = 128, positions: int = 128) -> None:
    """A Hugging Face folder of a small BERT with weights large enough to tell inputs apart."""
    from transformers import BertConfig, BertModel

    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=positions,
        initializer_range=0.2,
    )
    BertModel(config).save_pretrained(folder)
    save_tokenizer(folder)


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> Path:
    """The folder of the small model."""
    folder = tmp_path_factory.mktemp("finetune") / "model"
    save_model(folder)
    return folder


def sentence(random: np.random.Generator, words: int) -> str:
    return " ".join(random.choice(WORDS, words))


def span(random: np.random.Generator, name: str) -> dict:
    words = [str(word) for word in random.choice(WORDS, int(random.integers(5, 150)))]
    place = int(random.integers(len(words)))
    answer = " ".join(words[place : place + 2])
    return {
        "id": name,
        "question": sentence(random, 6) + "?",
        "context": " ".join(words),
        "answers": [{"text": answer, "start": len(" ".join([*words[:place], ""]))}],
        "golds": [answer],
    }


def classification(random: np.random.Generator, name: str) -> dict:
    example = {"id": name, "text_a": sentence(random, 8), "label": str(random.choice(["no", "yes"]))}
    if random.random() < 0.5:
        example["text_b"] = sentence(random, int(random.integers(1, 90)))
    example["text_a"] = ("bell " if example["label"] == "yes" else "mill ") + example["text_a"]
    return example


def multilabel(random: np.random.Generator, name: str) -> dict:
    labels = [label for label in ("cold", "green", "old") if random.random() < 0.4]
    return {"id": name, "text_a": " ".join([*labels, sentence(random, 7)]), "labels": labels}


def regression(random: np.random.Generator, name: str) -> dict:
    label = int(random.integers(0, 6))
    return {"id": name, "text_a": sentence(random, 4), "text_b": " ".join(["lamp"] * label + ["boat"]), "label": label}


def tagging(random: np.random.Generator, name: str) -> dict:
    tokens = [str(word) for word in random.choice(WORDS, int(random.integers(2, 160)))]
    return {"id": name, "tokens": tokens, "tags": ["B" if token in ("bell", "copper") else "O" for token in tokens]}


def choice(random: np.random.Generator, name: str) -> dict:
    choices = [sentence(random, 3) for _ in range(int(random.integers(3, 5)))]
    label = int(random.integers(len(choices)))
    choices[label] = f"lamp {choices[label]}"
    return {"id": name, "question": sentence(random, int(random.integers(4, 140))), "choices": choices, "label": label}


MAKERS = {
    "span": (span, [], "squad"),
    "classification": (classification, ["no", "yes"], "accuracy"),
    "multilabel": (multilabel, ["cold", "green", "old"], "multilabel_f1"),
    "regression": (regression, [], "pearson"),
    "tagging": (tagging, ["B", "O"], "entity_f1"),
    "choice": (choice, [], "accuracy"),
}


def make_task(tasks: Path, kind: str, name: str | None = None, sizes=(40, 12, 12), seed: int = 0, **more) -> Path:
    """Write the folder of an invented task."""
    maker, labels, metric = MAKERS[kind]
    folder = tasks / (name or kind)
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    for split, size in zip(("train", "dev", "test"), sizes, strict=True):
        with gzip.open(folder / f"{split}.jsonl.gz", "wt", encoding="utf-8") as file:
            for number in range(size):
                file.write(json.dumps(maker(random, f"{split}-{number}")) + "\n")
    counts = dict(zip(("train", "dev", "test"), sizes, strict=True))
    write_meta(folder, "tasks", counts=counts, **{"kind": kind, "labels": labels, "metric": metric, **more})
    return folder


@pytest.fixture(scope="session")
def tasks(tmp_path_factory) -> Path:
    """A folder with one task of each kind."""
    folder = tmp_path_factory.mktemp("tasks")
    for kind in MAKERS:
        make_task(folder, kind)
    return folder


@pytest.fixture(scope="session")
def world(model, tasks) -> SimpleNamespace:
    """What most tests need, and the makers for what is special."""
    return SimpleNamespace(
        model=model, tasks=tasks, make_task=make_task, save_model=save_model, kinds=list(MAKERS), makers=MAKERS
    )
