"""Tokenizers: equal to Hugging Face's, whole folders from partial releases, trained ones the same every time."""

import json
import random
from pathlib import Path

import pytest
from tokenizers import Tokenizer

import prepare_tokenizer as script
from linkbert.errors import UserError
from linkbert.files import read_meta
from linkbert.text.tokenizer import load_tokenizer, prepare_tokenizer, train_tokenizer

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TEXTS = ["The cats sat, unbelievably!", "Caféé  THE\tDOG-ing 日本 a1b2", "paris' [SEP] zz ☃ ￼x", "", "don't 3.14"]


def release(folder: Path, words: list[str], **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    for name, text in files.items():
        (folder / f"{name}.json").write_text(text)
    return folder


@pytest.fixture
def words(tokenizer: Path) -> list[str]:
    return (tokenizer / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]


def test_a_vocabulary_becomes_a_whole_folder_equal_to_hugging_face(tmp_path: Path, words: list[str]) -> None:
    from transformers import AutoTokenizer, BertTokenizer

    source = release(tmp_path / "hub", words)
    ours = prepare_tokenizer(source, tmp_path / "out")
    loaded = AutoTokenizer.from_pretrained(tmp_path / "out")
    reference = BertTokenizer.from_pretrained(source)
    assert loaded.model_max_length == 512
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "tokenizer.json",
        "vocab.txt",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "meta.json",
    }
    for text in TEXTS:
        assert ours.encode(text).ids == loaded(text)["input_ids"] == reference(text)["input_ids"]
        pair = ours.encode(text, TEXTS[0])
        assert pair.ids == loaded(text, TEXTS[0])["input_ids"]
        assert pair.type_ids == loaded(text, TEXTS[0])["token_type_ids"]


def test_capital_letters_in_the_vocabulary_mean_cased(tmp_path: Path) -> None:
    cased = prepare_tokenizer(release(tmp_path / "a", [*SPECIAL, "The", "the"]), tmp_path / "cased")
    assert cased.encode("The the", add_special_tokens=False).tokens == ["The", "the"]
    assert read_meta(tmp_path / "cased")["parameters"]["lowercase"] is False
    uncased = prepare_tokenizer(release(tmp_path / "b", [*SPECIAL, "the"]), tmp_path / "uncased")
    assert uncased.encode("The the", add_special_tokens=False).tokens == ["the", "the"]


def test_the_configuration_wins_over_the_tokenizer_file(tmp_path: Path, words: list[str]) -> None:
    prepare_tokenizer(release(tmp_path / "hub", words), tmp_path / "first")
    settings = json.dumps({"do_lower_case": False, "model_max_length": 1e30})
    copy = release(tmp_path / "copy", words, tokenizer_config=settings)
    (copy / "tokenizer.json").write_bytes((tmp_path / "first" / "tokenizer.json").read_bytes())
    tokenizer = prepare_tokenizer(copy, tmp_path / "second")
    assert tokenizer.encode("THE the", add_special_tokens=False).tokens == ["[UNK]", "the"]
    config = json.loads((tmp_path / "second" / "tokenizer_config.json").read_text())
    assert (config["do_lower_case"], config["model_max_length"]) == (False, 512)


def test_truncation_and_padding_of_a_release_are_switched_off(tmp_path: Path, words: list[str]) -> None:
    prepare_tokenizer(release(tmp_path / "hub", words), tmp_path / "first")
    tokenizer = Tokenizer.from_file(str(tmp_path / "first" / "tokenizer.json"))
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=20)
    tokenizer.save(str(tmp_path / "hub" / "tokenizer.json"))
    prepare_tokenizer(tmp_path / "hub", tmp_path / "second")
    assert len(load_tokenizer(tmp_path / "second").encode("the cat sat the cat").ids) == 7


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "neither tokenizer.json nor vocab.txt"),
        ({"vocab.txt": "[PAD]\n[UNK]\n[CLS]\nthe\n"}, r"lacks \[SEP\], \[MASK\]"),
        ({"vocab.txt": "\n".join([*SPECIAL, "a", "b", "a"])}, "'a' occurs twice"),
        ({"tokenizer.json": "{"}, "not a readable tokenizer"),
        ({"vocab.txt": "\n".join(SPECIAL), "tokenizer_config.json": "["}, "not valid JSON"),
    ],
)
def test_a_broken_release_is_told_and_leaves_nothing(tmp_path: Path, files: dict[str, str], message: str) -> None:
    source = tmp_path / "hub"
    source.mkdir()
    for name, text in files.items():
        (source / name).write_text(text)
    with pytest.raises(UserError, match=message):
        prepare_tokenizer(source, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["hub"]


def nonsense(documents: int = 60) -> list[str]:
    dice = random.Random(3)
    words = ["".join(dice.choices("abcdefghijklmnopqrstuvwxyzäéπ", k=dice.randint(2, 9))) for _ in range(500)]
    return [" ".join(dice.choice(words).title() for _ in range(150)) + " 12, (x)!" for _ in range(documents)]


def test_training_gives_the_same_bytes_every_time(tmp_path: Path) -> None:
    texts = nonsense()
    for turn in range(3):
        train_tokenizer(texts, 700, True, tmp_path / str(turn), {})
    for file in ("tokenizer.json", "vocab.txt", "meta.json"):
        assert len({(tmp_path / str(turn) / file).read_bytes() for turn in range(3)}) == 1


def test_a_trained_tokenizer_covers_its_corpus(tmp_path: Path) -> None:
    texts = nonsense()
    tokenizer = train_tokenizer(texts, 700, True, tmp_path / "out", {"documents": ["x"]})
    words = (tmp_path / "out" / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    assert words[:5] == SPECIAL
    assert len(words) == tokenizer.get_vocab_size() == 700
    assert not any(word != word.lower() for word in words[5:])
    assert "##," not in words
    for text in texts[:5]:
        encoded = tokenizer.encode(text, add_special_tokens=False)
        assert "[UNK]" not in encoded.tokens
        spelt = "".join(token.removeprefix("##") for token in encoded.tokens)
        assert spelt == tokenizer.normalizer.normalize_str(text).replace(" ", "")
    assert len(tokenizer.encode(texts[0]).ids) < len(texts[0]) / 2


def test_a_trained_cased_tokenizer_keeps_capitals(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(nonsense(), 700, False, tmp_path / "out", {})
    assert any(word[0].isupper() for word in tokenizer.get_vocab() if not word.startswith("["))


def test_rare_characters_do_not_fill_a_small_vocabulary(tmp_path: Path) -> None:
    rare = "".join(chr(0x4E00 + i) for i in range(900))
    tokenizer = train_tokenizer([*nonsense(), rare], 400, True, tmp_path / "out", {})
    assert tokenizer.get_vocab_size() == 400
    assert sum(0x4E00 <= ord(word[-1]) < 0x4E00 + 900 for word in tokenizer.get_vocab()) < 50


def test_nothing_to_train_on(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no text"):
        train_tokenizer(["", " \n"], 400, True, tmp_path / "out", {})
    with pytest.raises(UserError, match="too small"):
        train_tokenizer(["text"], 20, True, tmp_path / "out", {})
    assert not list(tmp_path.iterdir())


def test_the_command(tmp_path: Path, world, words: list[str]) -> None:
    script.main(["--source", str(release(tmp_path / "hub", words)), "--output", str(tmp_path / "released")])
    folders = [str(folder) for folder in world.documents]
    script.main(["--documents", *folders, "--vocab-size", "300", "--lowercase", "--output", str(tmp_path / "trained")])
    meta = read_meta(tmp_path / "trained", "tokenizer")
    assert meta["counts"]["words"] == 300
    assert len(meta["inputs"]["documents"]) == 2
    with pytest.raises(UserError, match="--vocab-size"):
        script.main(["--documents", *folders, "--output", str(tmp_path / "other")])
