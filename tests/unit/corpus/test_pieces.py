"""Tokens looked up word by word are the library's own, for any text and whatever was seen before."""

import random
from pathlib import Path

import numpy as np
import pytest
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

from linkbert.text.pieces import PieceEncoder, splits_at_spaces
from linkbert.text.tokenizer import load_tokenizer

AWKWARD = [
    "The cat sat.",
    "",
    " ",
    "  two  spaces, un-believable!  ",
    "tab\tnew\nline\x0bfeed\x1cfile\x85next\u00a0hard\u2028line\u3000wide",
    "é e\u0301 \u0301alone Ünbelievable ΣΑΣ İstanbul ǅ",
    "日本の cat 日本cat",
    "[SEP] a[MASK]b [CLS]",
    "zero\u200bwidth\ufffd\x00nul soft\u00adhyphen",
    "a" * 150 + " cats",
    "🙂 🙂cat don't can't 3.5% U.S.A.",
]


def library(model: Tokenizer, sentences: list[str]) -> tuple[list[list[int]], list[list[tuple[int, int]]]]:
    encodings = model.encode_batch(sentences, add_special_tokens=False)
    return [e.ids for e in encodings], [e.offsets for e in encodings]


def check(encoder: PieceEncoder, sentences: list[str]) -> None:
    encoded = encoder(sentences)
    ids, offsets = library(encoder.model, sentences)
    assert encoded.lengths.tolist() == [len(some) for some in ids]
    assert encoded.tokens.tolist() == [number for some in ids for number in some]
    size = np.array([len(sentence) + 1 for sentence in sentences], np.int64)
    base = np.repeat(np.cumsum(size) - size, encoded.lengths)
    spans = np.stack([encoded.start - base, encoded.end - base], axis=1)
    assert list(map(tuple, spans.tolist())) == [span for some in offsets for span in some]


@pytest.fixture
def model(tokenizer: Path) -> Tokenizer:
    model = load_tokenizer(tokenizer)
    model.encode_special_tokens = True
    return model


def test_awkward_texts(model: Tokenizer) -> None:
    encoder = PieceEncoder(model)
    assert encoder.by_word
    check(encoder, AWKWARD)
    check(encoder, AWKWARD[::-1])  # all words known by now
    check(encoder, [])


def test_random_texts(model: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linkbert.text.pieces._TOGETHER", 7)
    monkeypatch.setattr("linkbert.text.pieces._REMEMBERED", 300)  # forgets now and then
    dice, encoder = random.Random(3), PieceEncoder(model)
    characters = "abcdefgst  ..,'-éÉ\u0301\u200b\t日本[]0123\x85Σß"
    for _ in range(60):
        check(encoder, ["".join(dice.choices(characters, k=dice.randrange(60))) for _ in range(12)])


def test_other_tokenizers_get_whole_sentences(model: Tokenizer) -> None:
    other = Tokenizer(models.WordLevel({"[UNK]": 0, "new york": 1, "york": 2}, unk_token="[UNK]"))
    other.pre_tokenizer = pre_tokenizers.CharDelimiterSplit("|")
    assert not splits_at_spaces(other)
    check(PieceEncoder(other), ["new york|york", "", "york|new york", "york"])
    model.add_tokens([AddedToken("the cat", special=False)])
    assert not splits_at_spaces(model)
    check(PieceEncoder(model), ["sat the cat", "the cat the dog"])
