"""Released checkpoints as models of the experiment: nothing is trained, nothing is changed."""

import os
import shutil
from pathlib import Path

from linkbert.errors import UserError
from linkbert.files import atomic_folder, meta_fingerprint, read_json, sha256_of, write_meta

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
TOKENIZER = ("tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json")


def adopt(hub: Path, tokenizer: Path, output: Path) -> None:
    """Make a model folder from a hub folder and a prepared tokenizer; weights are linked where that is possible."""
    weights = [name for name in WEIGHTS if (hub / name).exists()]
    if not weights:
        raise UserError(f"{hub}: no weights found. Known files: {', '.join(WEIGHTS)}.")
    config = read_json(hub / "config.json")
    vocabulary = read_json(tokenizer / "tokenizer.json")["model"]["vocab"]
    if len(vocabulary) > config["vocab_size"]:
        raise UserError(
            f"{hub}: its embeddings have {config['vocab_size']} rows, but the tokenizer {tokenizer.name} has "
            f"{len(vocabulary)} words. Name the checkpoint's own tokenizer in models.tsv."
        )
    with atomic_folder(output) as folder:
        _link(hub / weights[0], folder / weights[0])
        shutil.copyfile(hub / "config.json", folder / "config.json")
        for name in TOKENIZER:
            if (tokenizer / name).exists():
                shutil.copyfile(tokenizer / name, folder / name)
        write_meta(
            folder,
            "pretrain",
            inputs={"hub": meta_fingerprint(hub), "tokenizer": meta_fingerprint(tokenizer)},
            parameters={"kind": "released", "source": hub.name},
            weights_sha256=sha256_of(folder / weights[0]),
        )


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
