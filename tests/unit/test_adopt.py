"""Released checkpoints as models: every word has an embedding, and embeddings without a word are told."""

import json
import logging
from pathlib import Path

import pytest

import adopt_model as script
from linkbert.downloads.adopt import adopt
from linkbert.errors import UserError
from linkbert.files import read_meta, write_meta

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat"]


def checkpoint(folder: Path, embeddings: int) -> Path:
    """A downloaded repository of a model with so many embeddings."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"vocab_size": embeddings}))
    (folder / "model.safetensors").write_bytes(b"weights")
    write_meta(folder, "download")
    return folder


def words(folder: Path, added: dict[str, int] | None = None) -> Path:
    """A prepared tokenizer of WORDS, and of words added to them."""
    folder.mkdir()
    numbers = {word: number for number, word in enumerate(WORDS)}
    special = {word: number for word, number in numbers.items() if word[0] == "["}
    tokens = [{"content": word, "id": number} for word, number in (special | (added or {})).items()]
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": numbers}, "added_tokens": tokens}))
    write_meta(folder, "tokenizer")
    return folder


@pytest.mark.parametrize(
    ("embeddings", "added", "spare"),
    [(7, {}, 0), (8, {}, 1), (64, {}, 57), (8, {"[NEW]": 7}, 0), (10, {"[NEW]": 9}, 2)],
)
def test_embeddings_without_a_word_are_counted_and_told(tmp_path, caplog, embeddings, added, spare):
    hub, tokenizer = checkpoint(tmp_path / "hub", embeddings), words(tmp_path / "words", added)
    with caplog.at_level(logging.INFO):
        arguments = ["--hub", hub, "--tokenizer", tokenizer, "--output", tmp_path / "model"]
        script.main([str(argument) for argument in arguments])
    assert read_meta(tmp_path / "model", "pretrain")["counts"] == {"embeddings_without_word": spare}
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == b"weights"
    told = [f"hub: {spare} of its {embeddings} embeddings have no word in words"] if spare else []
    assert caplog.messages == told


@pytest.mark.parametrize(("embeddings", "added", "number"), [(6, {}, 7), (7, {"[NEW]": 7}, 8), (9, {"[NEW]": 9}, 10)])
def test_a_word_without_an_embedding_is_refused(tmp_path, embeddings, added, number):
    hub, tokenizer = checkpoint(tmp_path / "hub", embeddings), words(tmp_path / "words", added)
    with pytest.raises(UserError, match=f"have {embeddings} rows, but the tokenizer words has {number} words"):
        adopt(hub, tokenizer, tmp_path / "model")
    assert not (tmp_path / "model").exists()
