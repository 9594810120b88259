"""Untrained stand-ins for the hub's checkpoints: the real names and file layout, small random weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from linkbert.errors import UserError
from linkbert.world import books, ner, pubmed, vocabulary, wiki
from linkbert.world.facts import World

# repository -> (size, domain, lower case, with the heads of pretraining)
CHECKPOINTS = {
    "google-bert/bert-base-uncased": ("base", "general", True, True),
    "google-bert/bert-base-cased": ("base", "general", False, True),
    "google-bert/bert-large-cased": ("large", "general", False, True),
    "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract": ("base", "biomedical", True, True),
    "michiyasunaga/LinkBERT-base": ("base", "general", False, False),
    "michiyasunaga/LinkBERT-large": ("large", "general", False, False),
    "michiyasunaga/BioLinkBERT-base": ("base", "biomedical", True, False),
    "michiyasunaga/BioLinkBERT-large": ("large", "biomedical", True, False),
}
VOCABULARY = 1500


@dataclass(frozen=True)
class Size:
    """The shape of an encoder, in the words of the workflow's configuration."""

    num_layers: int
    hidden_size: int
    num_heads: int
    intermediate_size: int
    max_positions: int = 128


SIZES = {"base": Size(2, 96, 2, 384), "large": Size(3, 128, 2, 512)}


def sizes_from(declared: Mapping[str, Mapping[str, int]]) -> dict[str, Size]:
    """The sizes "base" and "large" from a configuration; others are ignored, a missing one keeps its default."""
    sizes = dict(SIZES)
    for name in sizes:
        if name in declared:
            try:
                sizes[name] = Size(**declared[name])
            except TypeError:
                known = ", ".join(field.name for field in fields(Size))
                found = ", ".join(declared[name])
                raise UserError(f"size '{name}' of the world's checkpoints: expected {known}; found {found}.") from None
    return sizes


def write_hub(world: World, folder: Path, sizes: Mapping[str, Size] = SIZES) -> None:
    """Write ``hub/<org>/<name>/`` for every checkpoint, each with a ``files.txt`` that an http mirror needs."""
    vocabularies: dict[tuple[str, bool], list[str]] = {}
    for repository, (size, domain, lowercase, heads) in CHECKPOINTS.items():
        key = (domain, lowercase)
        if key not in vocabularies:
            vocabularies[key] = vocabulary.learn(_text(world, domain), VOCABULARY, lowercase)
        target = folder / "hub" / repository
        target.mkdir(parents=True)
        config = _config(sizes[size], len(vocabularies[key]), heads)
        _write_json(target / "config.json", config)
        (target / "model.safetensors").write_bytes(_weights(world, repository, config, heads))
        _write_tokenizer(target, vocabularies[key], lowercase, sizes[size].max_positions)
        names = sorted(file.name for file in target.iterdir())
        (target / "files.txt").write_text("\n".join(names) + "\n", encoding="utf-8")


def _text(world: World, domain: str) -> list[str]:
    if domain == "biomedical":
        return [*pubmed.plain_text(world), *ner.vocabulary_text(world)]
    lines = [line for book in books.books(world) for line in book]
    return [*lines, *(wiki.plain_text(page) for page in wiki.pages(world))]


def _config(size: Size, words: int, heads: bool) -> dict[str, Any]:
    return {
        "architectures": ["BertForPreTraining" if heads else "BertModel"],
        "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": size.hidden_size,
        "initializer_range": 0.02,
        "intermediate_size": size.intermediate_size,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": size.max_positions,
        "model_type": "bert",
        "num_attention_heads": size.num_heads,
        "num_hidden_layers": size.num_layers,
        "pad_token_id": 0,
        "type_vocab_size": 2,
        "vocab_size": words,
    }


def _weights(world: World, repository: str, config: Mapping[str, Any], heads: bool) -> bytes:
    """Normal(0, 0.02) matrices, zero biases, unit norms, under the names of BertModel or BertForPreTraining."""
    rng = world.draw("hub", repository).rng
    prefix = "bert." if heads else ""
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    tensors: dict[str, np.ndarray] = {}

    def matrix(name: str, *shape: int) -> None:
        tensors[name] = rng.normal(0.0, 0.02, shape).astype(np.float32)

    def linear(name: str, rows: int, columns: int) -> None:
        matrix(f"{name}.weight", rows, columns)
        tensors[f"{name}.bias"] = np.zeros(rows, np.float32)

    def norm(name: str) -> None:
        tensors[f"{name}.weight"] = np.ones(hidden, np.float32)
        tensors[f"{name}.bias"] = np.zeros(hidden, np.float32)

    matrix(f"{prefix}embeddings.word_embeddings.weight", config["vocab_size"], hidden)
    matrix(f"{prefix}embeddings.position_embeddings.weight", config["max_position_embeddings"], hidden)
    matrix(f"{prefix}embeddings.token_type_embeddings.weight", config["type_vocab_size"], hidden)
    norm(f"{prefix}embeddings.LayerNorm")
    for number in range(config["num_hidden_layers"]):
        layer = f"{prefix}encoder.layer.{number}"
        for part in ("query", "key", "value"):
            linear(f"{layer}.attention.self.{part}", hidden, hidden)
        linear(f"{layer}.attention.output.dense", hidden, hidden)
        norm(f"{layer}.attention.output.LayerNorm")
        linear(f"{layer}.intermediate.dense", inner, hidden)
        linear(f"{layer}.output.dense", hidden, inner)
        norm(f"{layer}.output.LayerNorm")
    linear(f"{prefix}pooler.dense", hidden, hidden)
    if heads:
        linear("cls.predictions.transform.dense", hidden, hidden)
        norm("cls.predictions.transform.LayerNorm")
        tensors["cls.predictions.bias"] = np.zeros(config["vocab_size"], np.float32)
        linear("cls.seq_relationship", 2, hidden)
    return save(tensors, metadata={"format": "pt"})


def _write_tokenizer(folder: Path, words: list[str], lowercase: bool, positions: int) -> None:
    """The four tokenizer files of a BERT repository."""
    numbers = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(list(vocabulary.SPECIAL))
    ends = [("[CLS]", numbers["[CLS]"]), ("[SEP]", numbers["[SEP]"])]
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS]:0 $A:0 [SEP]:0", "[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1", ends
    )
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=True), encoding="utf-8")
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    special = {f"{name}_token": f"[{name.upper()}]" for name in ("cls", "mask", "pad", "sep", "unk")}
    _write_json(folder / "special_tokens_map.json", special)
    settings = {
        "do_lower_case": lowercase,
        "model_max_length": positions,
        "tokenizer_class": "BertTokenizer",
        **special,
    }
    _write_json(folder / "tokenizer_config.json", settings)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
