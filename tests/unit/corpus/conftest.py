"""A small invented corpus in the form of document folders, and its tokenizer, tokens and graph."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from linkbert.files import write_meta
from linkbert.graph.build import build_graph
from linkbert.text.tokenizer import prepare_tokenizer
from linkbert.text.tokenizing import tokenize_documents

LINK = pa.struct([("target", pa.string()), ("start", pa.int32()), ("end", pa.int32())])
SCHEMA = pa.schema([("doc_id", pa.string()), ("title", pa.string()), ("text", pa.string()), ("links", pa.list_(LINK))])
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

Row = tuple[str, str, Sequence[tuple[str, int | None, int | None]]]


def write_folder(folder: Path, rows: Sequence[Row], redirects: Sequence[tuple[str, str]] = ()) -> Path:
    """A document folder of (doc_id, text, links); titles are the ids in capitals."""
    folder.mkdir(parents=True, exist_ok=True)
    table = [
        {
            "doc_id": doc_id,
            "title": doc_id.upper(),
            "text": text,
            "links": [{"target": target, "start": start, "end": end} for target, start, end in links],
        }
        for doc_id, text, links in rows
    ]
    pq.write_table(pa.Table.from_pylist(table, schema=SCHEMA), folder / "documents.parquet", compression="zstd")
    pairs = {"source": [source for source, _ in redirects], "target": [target for _, target in redirects]}
    schema = pa.schema([("source", pa.string()), ("target", pa.string())])
    pq.write_table(pa.table(pairs, schema), folder / "redirects.parquet")
    write_meta(folder, "documents", counts={"documents": len(rows)}, inputs={"name": folder.name})
    return folder


def invent(documents: int = 120, seed: int = 5, sentences: tuple[int, int] = (1, 30)) -> list[Row]:
    """Documents of nonsense words with links: mostly anchored, some of the whole document, many to one hub."""
    dice = random.Random(seed)
    syllables = [consonant + vowel for consonant in "bdfgklmnprst" for vowel in "aeiou"]
    words = ["".join(dice.choices(syllables, k=dice.randint(1, 3))) for _ in range(400)]
    rows: list[Row] = []
    for number in range(documents):
        text, links = "", []
        for _ in range(dice.randint(*sentences)):
            for place in range(dice.randint(3, 14)):
                word = dice.choice(words)
                word = word.capitalize() if place == 0 else word
                if dice.random() < 0.06:
                    target = 0 if dice.random() < 0.3 else dice.randrange(documents)
                    links.append((f"page {target}", len(text), len(text) + len(word)))
                text += word + " "
            text = text[:-1] + ". "
        if number % 7 == 0:
            links.append((f"page {dice.randrange(documents)}", None, None))
        rows.append((f"page {number}", text.strip(), links))
    return rows


@pytest.fixture(scope="session")
def documents() -> Callable[..., Path]:
    """The function that writes a document folder."""
    return write_folder


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uncased tokenizer of single letters, a few words, and some accents and Chinese characters."""
    source = tmp_path_factory.mktemp("vocabulary")
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("0123456789")
    words = ["the", "cat", "sat", "dog", "##s", "##ing", "un", "##believ", "##able", "paris", "日", "本", "é"]
    marks = list(".,;:!?'\"()[]-+#")
    vocabulary = [*SPECIAL, *letters, *(f"##{c}" for c in letters if c != "s"), *words, *marks]
    (source / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    prepare_tokenizer(source, source.parent / "tokenizer")
    return source.parent / "tokenizer"


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory, tokenizer: Path) -> SimpleNamespace:
    """Folders of an invented corpus in two shards: `documents`, `tokenizer`, `tokens`, `graph`."""
    folder = tmp_path_factory.mktemp("world")
    rows = invent()
    shards = [write_folder(folder / "0", rows[:50]), write_folder(folder / "1", rows[50:])]
    tokenize_documents(shards, tokenizer, folder / "tokens")
    build_graph("hyperlink", shards, folder / "graph")
    return SimpleNamespace(
        documents=shards, tokenizer=tokenizer, tokens=folder / "tokens", graph=folder / "graph", rows=rows
    )
