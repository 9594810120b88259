"""Books: whole or in bounded parts, wrapped text or one sentence a line."""

import gzip
import hashlib
import io
import tarfile

import pyarrow.parquet as pq
import pytest

from linkbert.documents import extract
from linkbert.documents.report import unaccounted
from linkbert.errors import UserError

WRAPPED = "\ufeffChapter I\n\nIt was a dark\nand quiet night.\n\n\nThe end came\r\nsoon.\n"


def rows(folder):
    return {row["doc_id"]: row["text"] for row in pq.read_table(folder / "documents.parquet").to_pylist()}


def test_a_file_is_a_book(tmp_path):
    (tmp_path / "night.txt").write_text(WRAPPED, newline="")
    (tmp_path / "day.txt.gz").write_bytes(gzip.compress(b"Day."))
    meta = extract("books", [tmp_path / "night.txt", tmp_path / "day.txt.gz"], tmp_path / "out")
    assert rows(tmp_path / "out") == {
        "night": "Chapter I\n\nIt was a dark and quiet night.\n\nThe end came soon.", "day": "Day.",
    }  # fmt: skip
    assert meta["counts"]["documents"] == meta["counts"]["pages_found"] == 2 and meta["counts"]["links"] == 0


def test_a_folder_of_books_in_shards(tmp_path):
    for name in ("b/two.txt", "a/one.txt", "a/two.txt", "ignored.pdf"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_text(name)
    found = {}
    for shard in range(3):
        extract("books", [tmp_path / "in"], tmp_path / "out", shard=shard, shards=3)
        found |= rows(tmp_path / "out")
    assert found == {"a/one": "a/one.txt", "a/two": "a/two.txt", "b/two": "b/two.txt"}
    with pytest.raises(UserError, match="both be the document 'two'"):
        extract("books", [tmp_path / "in/a/two.txt", tmp_path / "in/b/two.txt"], tmp_path / "out")


def test_bounded_documents_end_between_paragraphs(tmp_path):
    paragraphs = [f"Paragraph {n} of the book." for n in range(40)]
    (tmp_path / "long.txt").write_text("\n\n".join(paragraphs))
    extract("books", [tmp_path / "long.txt"], tmp_path / "out", options={"document_characters": 100})
    parts = rows(tmp_path / "out")
    assert list(parts)[:3] == ["long", "long/2", "long/3"] and all(len(text) <= 100 for text in parts.values())
    assert "\n\n".join(parts.values()).split("\n\n") == paragraphs


def test_one_sentence_a_line(tmp_path):
    (tmp_path / "corpus.txt").write_text("One .\nTwo .\n\n\nThree .\nx\n\nx\n")
    options = {"layout": "sentences", "min_characters": 2}
    meta = extract("books", [tmp_path / "corpus.txt"], tmp_path / "out", options=options)
    assert rows(tmp_path / "out") == {"corpus": "One .\n\nTwo .", "corpus/2": "Three .\n\nx"}
    assert meta["dropped"] == {"pages.short": 1} and unaccounted(meta) == {"pages": 0, "links": 0}


def test_gutenberg_header_and_licence(tmp_path):
    marks = [f"*** {word} OF THE PROJECT GUTENBERG EBOOK X ***" for word in ("START", "END")]
    text = "\n\n".join(["Licence.", marks[0], "Story.", marks[1], "More."])
    (tmp_path / "x.txt").write_text(text)
    extract("books", [tmp_path / "x.txt"], tmp_path / "out")
    assert rows(tmp_path / "out") == {"x": "Story."}
    extract("books", [tmp_path / "x.txt"], tmp_path / "out", options={"strip_gutenberg": False})
    assert rows(tmp_path / "out")["x"].startswith("Licence.") and rows(tmp_path / "out")["x"].endswith("More.")


def test_mistakes(tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"ok\ncaf\xe9")
    with pytest.raises(UserError, match=r"latin\.txt, line 2: not UTF-8"):
        extract("books", [tmp_path / "latin.txt"], tmp_path / "out")
    with pytest.raises(UserError, match=r"unknown layout 'verses'\. Known: 'book'"):
        extract("books", [tmp_path / "latin.txt"], tmp_path / "out", options={"layout": "verses"})
    (tmp_path / "none").mkdir()
    with pytest.raises(UserError, match=r"holds no \.txt"):
        extract("books", [tmp_path / "none"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_tar_archive_is_the_texts_it_holds(tmp_path):
    archive = tmp_path / "books.tar.bz2"
    with tarfile.open(archive, "w:bz2") as tar:
        for name, text in (("a/one.txt", "First.\nSecond.\n"), ("notes.md", "no"), ("a/two.txt", "Third.\n")):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    output = tmp_path / "out"
    meta = extract("books", [archive], output, options={"layout": "sentences"})
    table = pq.read_table(output / "documents.parquet").to_pydict()
    assert table["doc_id"] == ["books/a/one", "books/a/two"]
    assert table["text"] == ["First.\n\nSecond.", "Third."]
    assert list(meta["inputs"].values()) == [hashlib.sha256(archive.read_bytes()).hexdigest()]


def test_a_cut_tar_archive_is_refused(tmp_path):
    archive = tmp_path / "books.tar"
    with tarfile.open(archive, "w") as tar:
        info = tarfile.TarInfo("one.txt")
        info.size = 5000
        tar.addfile(info, io.BytesIO(b"A line.\n" * 625))
    archive.write_bytes(archive.read_bytes()[:3000])
    with pytest.raises(UserError, match=r"books.tar.*tar archive"):
        extract("books", [archive], tmp_path / "out", options={"layout": "sentences"})
    assert not (tmp_path / "out").exists()
