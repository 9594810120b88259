"""Released checkpoints as models of the experiment: nothing is trained, nothing is changed."""

import logging
import os
import shutil
from pathlib import Path

from linkbert.errors import UserError
from linkbert.files import atomic_folder, meta_fingerprint, read_json, sha256_of, write_meta

log = logging.getLogger(__name__)

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
TOKENIZER = ("tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json")


def adopt(hub: Path, tokenizer: Path, output: Path) -> None:
    """Make a model folder from a hub folder and a prepared tokenizer; weights are linked where that is possible.

    Embeddings beyond the tokenizer's words are allowed, as some checkpoints pad them; they are counted and told.

    Raises:
        UserError: where there are no weights, or the tokenizer has a word without an embedding.
    """
    weights = [name for name in WEIGHTS if (hub / name).exists()]
    if not weights:
        raise UserError(f"{hub}: no weights found. Known files: {', '.join(WEIGHTS)}.")
    config = read_json(hub / "config.json")
    rows, numbers = config["vocab_size"], _numbers(tokenizer)
    if max(numbers) >= rows:
        raise UserError(
            f"{hub}: its embeddings have {rows} rows, but the tokenizer {tokenizer.name} has "
            f"{max(numbers) + 1} words. Name the checkpoint's own tokenizer in models.tsv."
        )
    spare = rows - len(numbers)
    if spare:
        log.warning("%s: %d of its %d embeddings have no word in %s", hub.name, spare, rows, tokenizer.name)
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
            counts={"embeddings_without_word": spare},
            weights_sha256=sha256_of(folder / weights[0]),
        )


def _numbers(tokenizer: Path) -> set[int]:
    """The numbers of a tokenizer's words, those added to its vocabulary included."""
    content = read_json(tokenizer / "tokenizer.json")
    return {*content["model"]["vocab"].values(), *(token["id"] for token in content.get("added_tokens", ()))}


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
