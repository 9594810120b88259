"""A trained model as a Hugging Face folder."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from linkbert.files import sha256_of, write_json
from linkbert.model.bert import RELATIONS, BertForPreTraining
from linkbert.model.weights import to_hf
from linkbert.text.vocabulary import FILES


def write_model(folder: Path, model: BertForPreTraining, tokenizer: str | Path, linkbert: Mapping[str, Any]) -> str:
    """Write config, weights and tokenizer files; returns the SHA-256 of the file of weights.

    Args:
        linkbert: what `config.json` says of the training under the key `linkbert`.
    """
    relations = list(RELATIONS[: model.relation.out_features])
    config = {"architectures": ["BertForPreTraining"], **model.config.to_hf(), "linkbert": {**linkbert}}
    config["linkbert"]["relations"] = relations
    return write_folder(folder, config, to_hf(model), tokenizer)


def write_folder(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], tokenizer: str | Path) -> str:
    """Write the content of `config.json`, tensors and a copy of a tokenizer's files; returns the weights' SHA-256."""
    write_json(folder / "config.json", config)
    # Written by hand, because the library's own writer ignores the umask and closes the file to a group's members.
    (folder / "model.safetensors").write_bytes(save(dict(tensors), metadata={"format": "pt"}))
    for name in FILES:
        if (Path(tokenizer) / name).exists():
            shutil.copyfile(Path(tokenizer) / name, folder / name)
    return sha256_of(folder / "model.safetensors")
