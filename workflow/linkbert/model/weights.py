"""Tensors between Hugging Face's names and ours: q, k, v in one matrix, words padded to a round number."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from linkbert.errors import UserError
from linkbert.files import read_json
from linkbert.model.bert import BertEncoder, BertForPreTraining, Pooler
from linkbert.model.config import NEVER, ModelConfig

# Ours -> Hugging Face's. `{n}` is the layer; the fused attention matrix is cut in three besides.
NAMES = {
    "encoder.words": "bert.embeddings.word_embeddings",
    "encoder.positions": "bert.embeddings.position_embeddings",
    "encoder.segments": "bert.embeddings.token_type_embeddings",
    "encoder.norm": "bert.embeddings.LayerNorm",
    "encoder.layers.{n}.output": "bert.encoder.layer.{n}.attention.output.dense",
    "encoder.layers.{n}.attention_norm": "bert.encoder.layer.{n}.attention.output.LayerNorm",
    "encoder.layers.{n}.up": "bert.encoder.layer.{n}.intermediate.dense",
    "encoder.layers.{n}.down": "bert.encoder.layer.{n}.output.dense",
    "encoder.layers.{n}.output_norm": "bert.encoder.layer.{n}.output.LayerNorm",
    "pooler.dense": "bert.pooler.dense",
    "mlm.dense": "cls.predictions.transform.dense",
    "mlm.norm": "cls.predictions.transform.LayerNorm",
    "mlm": "cls.predictions",
}
QKV = ("query", "key", "value")


def _hf_name(ours: str) -> str:
    module, _, kind = ours.rpartition(".")
    layer = re.search(r"\.layers\.(\d+)\.", ours)
    number = layer.group(1) if layer else ""
    module = module.replace(f".layers.{number}.", ".layers.{n}.")
    return f"{NAMES[module].replace('{n}', number)}.{kind}"


def body_to_hf(tensors: Mapping[str, Tensor], words: int) -> dict[str, Tensor]:
    """Encoder, pooler and language-model head under Hugging Face's names, in fp32, with so many words."""
    theirs = {}
    for name, tensor in tensors.items():
        value = tensor.detach().float().cpu()
        if ".qkv." in name:
            number, kind = name.split(".")[2], name.rpartition(".")[2]
            for part, third in zip(QKV, value.chunk(3), strict=True):
                theirs[f"bert.encoder.layer.{number}.attention.self.{part}.{kind}"] = third.clone()
        else:
            cut = name in ("encoder.words.weight", "mlm.bias")
            theirs[_hf_name(name)] = (value[:words] if cut else value).clone()
    return theirs


def to_hf(model: BertForPreTraining) -> dict[str, Tensor]:
    """A model's tensors under the names of `BertForPreTraining`, with the words of the tokenizer only.

    A three-way head is `cls.document_relation`; its first two rows are `cls.seq_relationship` too.
    """
    own = model.state_dict()
    relation = {kind: own.pop(f"relation.{kind}").detach().float().cpu() for kind in ("weight", "bias")}
    tensors = body_to_hf(own, model.config.vocab_size)
    for kind, value in relation.items():
        tensors[f"cls.seq_relationship.{kind}"] = value[:2].clone()
        if len(value) > 2:
            tensors[f"cls.document_relation.{kind}"] = value.clone()
    return tensors


def from_hf(tensors: Mapping[str, Tensor], config: ModelConfig) -> dict[str, Tensor]:
    """Tensors under Hugging Face's names, in any of their generations, under ours; others are left out.

    `BertModel` files lack the prefix `bert.`; the oldest call the norms' tensors gamma and beta.
    """
    modern: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        name = re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", name))
        if name.startswith(("embeddings.", "encoder.", "pooler.")):
            name = f"bert.{name}"
        modern[name] = tensor
    ours: dict[str, Tensor] = {}
    for module, theirs in NAMES.items():
        for number in range(config.num_layers) if "{n}" in module else [0]:
            for kind in ("weight", "bias"):
                found = modern.get(f"{theirs.replace('{n}', str(number))}.{kind}")
                if found is not None:
                    ours[f"{module.replace('{n}', str(number))}.{kind}"] = found
    for number in range(config.num_layers):
        for kind in ("weight", "bias"):
            thirds = [modern.get(f"bert.encoder.layer.{number}.attention.self.{part}.{kind}") for part in QKV]
            if all(third is not None for third in thirds):
                ours[f"encoder.layers.{number}.qkv.{kind}"] = torch.cat(thirds)
    for kind in ("weight", "bias"):
        found = modern.get(f"cls.document_relation.{kind}", modern.get(f"cls.seq_relationship.{kind}"))
        if found is not None:
            ours[f"relation.{kind}"] = found
    extra = config.padded_vocab_size - config.vocab_size
    for name, fill in (("encoder.words.weight", 0.0), ("mlm.bias", NEVER)):
        if name in ours:
            rows = ours[name].new_full((extra, *ours[name].shape[1:]), fill)
            ours[name] = torch.cat([ours[name], rows])
    return ours


def read_config(folder: str | Path) -> ModelConfig:
    """The shape of the model in a Hugging Face folder."""
    return ModelConfig.from_hf(read_json(Path(folder) / "config.json"))


def read_weights(folder: str | Path) -> dict[str, Tensor]:
    """The tensors of a Hugging Face folder under our names, in fp32 on the CPU.

    Raises:
        UserError: where there is no file of weights.
    """
    folder, config = Path(folder), read_config(folder)
    if (folder / "model.safetensors").exists():
        tensors = load_file(folder / "model.safetensors")
    elif (folder / "pytorch_model.bin").exists():
        tensors = torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
    else:
        raise UserError(f"{folder}: holds neither model.safetensors nor pytorch_model.bin.")
    tensors = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
    return from_hf(tensors, config)


def load_into(module: nn.Module, weights: Mapping[str, Tensor], prefix: str, where: str) -> None:
    """Copy the tensors that begin with `prefix` into a module.

    Raises:
        UserError: for a missing tensor or one of another shape; nothing is copied then.
    """
    own = module.state_dict()
    for name, tensor in own.items():
        found = weights.get(prefix + name)
        if found is None:
            raise UserError(f"{where}: the weights lack {prefix + name}; is it a whole BERT?")
        if found.shape != tensor.shape:
            raise UserError(
                f"{where}: {prefix + name} has the shape {list(found.shape)}, the model needs {list(tensor.shape)}."
            )
    module.load_state_dict({name: weights[prefix + name] for name in own})


def load_encoder(folder: str | Path, **overrides: float) -> tuple[BertEncoder, Pooler | None]:
    """Encoder and pooler from a Hugging Face folder of a BERT (safetensors or PyTorch file, any of its usual names).

    The pooler is None where the folder holds none: some models are released without.

    Args:
        overrides: fields of `ModelConfig`, e.g. ``dropout=0.0``.

    Raises:
        UserError: for a missing file, a missing tensor or one of another shape.
    """
    config = replace(read_config(folder), **overrides)
    weights = read_weights(folder)
    encoder = BertEncoder(config)
    load_into(encoder, weights, "encoder.", str(folder))
    if not any(name.startswith("pooler.") for name in weights):
        return encoder, None
    pooler = Pooler(config)
    load_into(pooler, weights, "pooler.", str(folder))
    return encoder, pooler
