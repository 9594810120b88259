"""Tokens: equal to tokenizing whole documents, every anchor at its token, nothing lost without a count."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import tokenize_documents as script
from linkbert.errors import UserError
from linkbert.files import read_meta
from linkbert.text.tokenizer import load_tokenizer, prepare_tokenizer
from linkbert.text.tokenizing import tokenize_documents
from linkbert.text.tokens import ArrayWriter, load_tokens


def make(tmp_path: Path, documents, tokenizer: Path, rows: list):
    folder = documents(tmp_path / "documents", rows)
    tokenize_documents([folder], tokenizer, tmp_path / "tokens")
    return load_tokens(tmp_path / "tokens")


def words(tokens, tokenizer: Path) -> list[str]:
    model = load_tokenizer(tokenizer)
    return [model.id_to_token(int(number)) for number in tokens.tokens]


def test_layout_by_hand(tmp_path: Path, documents, tokenizer: Path) -> None:
    rows = [
        ("a", "The cat sat. The dog.\n\nParis", [("b", 4, 7), ("c", None, None), ("b", 23, 28)]),
        ("b", "", []),
        ("c", "Cats sat", [("a", 0, 4)]),
    ]
    tokens = make(tmp_path, documents, tokenizer, rows)
    assert words(tokens, tokenizer) == ["the", "cat", "sat", ".", "the", "dog", ".", "paris", "cat", "##s", "sat"]
    assert tokens.sentences.tolist() == [0, 4, 7, 8, 11]
    assert tokens.documents.tolist() == [0, 3, 3, 4]
    assert tokens.link_positions.tolist() == [1, -1, 7, 8]
    assert tokens.bounds.tolist() == [0, 8, 8, 11]
    assert tokens.document_of(np.array([0, 7, 8, 10])).tolist() == [0, 0, 2, 2]
    assert (tokens.tokens.dtype, len(tokens)) == (np.uint16, 3)
    assert tokens.titles([2, 0]) == ["C", "A"]
    assert pq.read_table(tmp_path / "tokens" / "titles.parquet")["doc_id"].to_pylist() == ["a", "b", "c"]
    meta = read_meta(tmp_path / "tokens", "tokens")
    assert meta["counts"] | {"words": 0} == {
        "documents": 3,
        "empty_documents": 1,
        "sentences": 4,
        "tokens": 11,
        "links": 4,
        "anchored_links": 3,
        "words": 0,
    }


def test_equal_to_tokenizing_whole_documents(world) -> None:
    tokens, model = load_tokens(world.tokens), load_tokenizer(world.tokenizer)
    link = 0
    for number, (_, text, links) in enumerate(world.rows):
        encoding = model.encode(text, add_special_tokens=False)
        first, last = tokens.bounds[number : number + 2]
        assert tokens.tokens[first:last].tolist() == encoding.ids
        for _, start, end in links:
            expected = -1
            if start is not None:
                expected = first + next(i for i, (a, b) in enumerate(encoding.offsets) if a < end and b > start)
            assert tokens.link_positions[link] == expected
            link += 1
    assert link == len(tokens.link_positions)
    assert read_meta(world.tokens)["dropped"] == {"sentences_without_tokens": 0, "anchors_without_tokens": 0}


def test_offsets_are_characters_whatever_the_script(tmp_path: Path, documents, tokenizer: Path) -> None:
    text = "😀😀 é é cat 日本! 😀 the dog"
    found = {word: text.index(word) for word in ("cat", "日本", "本", "dog")}
    links = [("x", start, start + len(word)) for word, start in found.items()]
    tokens = make(tmp_path, documents, tokenizer, [("a", text, links)])
    at = words(tokens, tokenizer)
    assert [at[place] for place in tokens.link_positions] == ["cat", "日", "本", "dog"]


def test_an_anchor_inside_a_word_belongs_to_the_piece_that_holds_it(tmp_path: Path, documents, tokenizer: Path) -> None:
    tokens = make(tmp_path, documents, tokenizer, [("a", "unbelievable", [("x", 2, 9), ("x", 8, 12)])])
    assert words(tokens, tokenizer) == ["un", "##believ", "##able"]
    assert tokens.link_positions.tolist() == [1, 2]


def test_anchors_without_a_token_are_counted(tmp_path: Path, documents, tokenizer: Path) -> None:
    text = "the  cat.\n\n\u200b\u200d\n\nthe dog."
    bad = [(3, 5), (9, 11), (11, 13), (500, 510), (4, 4), (-5, -1)]
    good = [(3, 6), (9, 16), (0, 500)]
    rows = [("a", text, [("x", *span) for span in bad + good]), ("b", "sat", [("x", 3, 9)])]
    tokens = make(tmp_path, documents, tokenizer, rows)
    assert tokens.link_positions[: len(bad)].tolist() == [-1] * len(bad)
    assert tokens.link_positions[-1] == -1
    assert words(tokens, tokenizer)[tokens.link_positions[len(bad)]] == "cat"
    assert tokens.link_positions[len(bad) + 2] == 0
    dropped = read_meta(tmp_path / "tokens")["dropped"]
    assert dropped["sentences_without_tokens"] == 1
    # A start of -5 is not a place at all, so it is a document-level link.
    assert dropped["anchors_without_tokens"] == (tokens.link_positions == -1).sum() - 1


def test_words_that_look_special_stay_text(tmp_path: Path, documents, tokenizer: Path) -> None:
    tokens = make(tmp_path, documents, tokenizer, [("a", "the [SEP] [MASK] cat", [])])
    model = load_tokenizer(tokenizer)
    assert not set(tokens.tokens.tolist()) & {model.token_to_id(t) for t in ("[SEP]", "[MASK]", "[CLS]", "[PAD]")}
    assert words(tokens, tokenizer)[:3] == ["the", "[", "s"]


def test_same_bytes_for_any_number_of_threads_and_shards(tmp_path: Path, documents, world) -> None:
    one = documents(tmp_path / "all", world.rows)
    tokenize_documents([one], world.tokenizer, tmp_path / "one", threads=2)
    for name in ("tokens", "sentences", "documents", "link_positions"):
        assert (tmp_path / "one" / f"{name}.npy").read_bytes() == (world.tokens / f"{name}.npy").read_bytes()
    assert read_meta(tmp_path / "one")["counts"] == read_meta(world.tokens)["counts"]


def test_chunks_do_not_show(tmp_path: Path, documents, world, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linkbert.text.tokenizing._CHUNK", 700)
    folders = map(str, world.documents)
    script.main(["--documents", *folders, "--tokenizer", str(world.tokenizer), "--output", str(tmp_path / "t")])
    for file in [*sorted(world.tokens.glob("*.npy")), world.tokens / "meta.json"]:
        assert (tmp_path / "t" / file.name).read_bytes() == file.read_bytes()


def test_large_vocabularies_take_four_bytes(tmp_path: Path, documents) -> None:
    (tmp_path / "hub").mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(66_000))]
    (tmp_path / "hub" / "vocab.txt").write_text("\n".join(vocabulary))
    prepare_tokenizer(tmp_path / "hub", tmp_path / "tokenizer")
    tokens = make(tmp_path, documents, tmp_path / "tokenizer", [("a", "w65999 w0", [])])
    assert tokens.tokens.dtype == np.uint32
    assert tokens.tokens.tolist() == [66_004, 5]
    assert len(tokens.link_positions) == 0


def test_mistakes_are_told_and_leave_nothing(tmp_path: Path, documents, tokenizer: Path) -> None:
    empty = documents(tmp_path / "empty", [("a", "", []), ("b", " \n", [])])
    with pytest.raises(UserError, match="no text in any of 2 documents"):
        tokenize_documents([empty], tokenizer, tmp_path / "out")
    with pytest.raises(UserError, match="not a finished folder"):
        tokenize_documents([tmp_path / "absent"], tokenizer, tmp_path / "out")
    with pytest.raises(UserError, match=r"no tokenizer\.json"):
        tokenize_documents([empty], tmp_path, tmp_path / "out")
    pq.write_table(pq.read_table(empty / "documents.parquet").drop_columns("links"), empty / "documents.parquet")
    with pytest.raises(UserError, match="lacks the columns links"):
        tokenize_documents([empty], tokenizer, tmp_path / "out")
    (empty / "documents.parquet").write_bytes(b"PAR1 cut off")
    with pytest.raises(UserError, match="not a readable Parquet file"):
        tokenize_documents([empty], tokenizer, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


def test_arrays_that_do_not_fit_are_refused(tmp_path: Path, documents, tokenizer: Path) -> None:
    make(tmp_path, documents, tokenizer, [("a", "the cat", [])])
    np.save(tmp_path / "tokens" / "sentences.npy", np.array([0, 1]))
    with pytest.raises(UserError, match="do not fit"):
        load_tokens(tmp_path / "tokens")
    (tmp_path / "tokens" / "documents.npy").unlink()
    with pytest.raises(UserError, match="missing or broken"):
        load_tokens(tmp_path / "tokens")


def test_array_writer_equals_numpy(tmp_path: Path) -> None:
    values = np.arange(1000, dtype=np.uint16)
    for length in (0, 7, 1000):
        writer = ArrayWriter(tmp_path / "a.npy", np.uint16)
        for part in np.array_split(values[:length], 3):
            writer.append(part)
        writer.close()
        np.save(tmp_path / "b.npy", values[:length])
        assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
        assert np.load(tmp_path / "a.npy", mmap_mode="r").tolist() == values[:length].tolist()
