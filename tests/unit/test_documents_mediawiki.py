"""MediaWiki exports: the account of every page and link, shards of one file, damaged and hostile files."""

import bz2
import gzip
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from linkbert.documents import extract
from linkbert.documents.report import total, unaccounted
from linkbert.errors import UserError
from linkbert.files import read_json, sha256_of

HEADER = (
    '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xml:lang="en">\n  <siteinfo><case>first-letter</case>'
    '<namespaces><namespace key="0" /><namespace key="6">Picture</namespace></namespaces></siteinfo>\n'
)
FOOTER = "</mediawiki>\n"


def page(number: int) -> str:
    text = f"Page {number} links to [[Page {number + 1}|the next]] and [[Picture:{number}.png]]. " + "word " * 50
    return f"  <page><title>Page {number}</title><ns>0</ns><revision><text>{text}</text></revision></page>\n"


def multistream(path: Path, pages: int, per_stream: int) -> Path:
    streams = [HEADER]
    streams += ["".join(map(page, range(n, min(n + per_stream, pages)))) for n in range(0, pages, per_stream)]
    path.write_bytes(b"".join(bz2.compress(stream.encode()) for stream in [*streams, FOOTER]))
    return path


def rows(folder: Path, name: str = "documents") -> list[dict]:
    return pq.read_table(folder / f"{name}.parquet").to_pylist()


def titles_of(folder: Path) -> list[str]:
    return [row["doc_id"] for row in rows(folder)]


def test_the_small_wiki(data, tmp_path):
    meta = extract("mediawiki", [data / "documents" / "wiki.xml"], tmp_path / "out")
    documents = {row["doc_id"]: row for row in rows(tmp_path / "out")}
    assert list(documents) == ["Apfelbaum", "Garten"]
    text, links = documents["Apfelbaum"]["text"], documents["Apfelbaum"]["links"]
    assert text == "Der Apfelbaum trägt Äpfel und steht im Gartens.\n\nEr wächst in Wiesen."
    assert [(link["target"], text[link["start"] : link["end"]]) for link in links] == [
        ("Apfel", "Äpfel"), ("Garten", "Gartens"), ("Feld & Flur", "Wiesen"),
    ]  # fmt: skip
    assert documents["Garten"]["text"] == "Ein Garten hat einen Apfelbaum."
    assert rows(tmp_path / "out", "redirects") == [
        {"source": "Apfel", "target": "Apfelbaum"},
        {"source": "Alter Apfel", "target": "Apfelbaum"},
    ]
    assert meta["counts"]["pages_found"] == 10 and meta["counts"]["links_found"] == 19
    assert meta["dropped"] == {
        "links.category": 1, "links.file": 1, "links.in_caption": 1, "links.in_dropped_page": 5, "links.in_list": 1,
        "links.in_redirect": 2, "links.in_ref": 1, "links.in_template": 2, "links.interlanguage": 1,
        "pages.content_model": 1, "pages.disambiguation": 1, "pages.empty": 1, "pages.namespace": 1,
        "pages.no_text": 1, "pages.redirect_elsewhere": 1,
    }  # fmt: skip
    assert unaccounted(meta) == {"pages": 0, "links": 0}
    assert meta == read_json(tmp_path / "out" / "meta.json")


def test_options_change_what_is_kept(data, tmp_path):
    options = {"keep_disambiguation": True, "keep_lists": True, "drop_sections": [], "min_characters": 16}
    meta = extract("mediawiki", [data / "documents" / "wiki.xml"], tmp_path / "out", options=options)
    assert titles_of(tmp_path / "out") == ["Apfelbaum", "Garten"]
    assert meta["dropped"]["pages.short"] == 1  # "Apfel oder Atom" has 15 characters
    assert unaccounted(meta) == {"pages": 0, "links": 0}


def test_plain_gzip_and_bzip2_give_the_same_bytes(data, tmp_path):
    plain = (data / "documents" / "wiki.xml").read_bytes()
    (tmp_path / "b").write_bytes(bz2.compress(plain))
    (tmp_path / "c").write_bytes(gzip.compress(plain[:500]) + gzip.compress(plain[500:]) + b"\0" * 20)
    utf16 = b"\xff\xfe" + plain.decode().encode("utf-16-le")
    (tmp_path / "d").write_bytes(utf16)
    results = set()
    for name in (data / "documents" / "wiki.xml", tmp_path / "b", tmp_path / "c", tmp_path / "d"):
        extract("mediawiki", [name], tmp_path / "out")
        results.add((tmp_path / "out" / "documents.parquet").read_bytes())
    assert len(results) == 1


@pytest.mark.parametrize("shards", [1, 2, 3, 7, 40])
def test_shards_of_one_multistream_file_cover_every_page_once(tmp_path, shards):
    path = multistream(tmp_path / "wiki.xml.bz2", pages=25, per_stream=3)
    metas, found = [], []
    for shard in range(shards):
        metas.append(extract("mediawiki", [path], tmp_path / str(shard), shard=shard, shards=shards))
        found += titles_of(tmp_path / str(shard))
    assert found == [f"Page {number}" for number in range(25)]
    # The local name of "File" is known in every shard, although only the first stream tells it.
    assert total(metas)["dropped"] == {"links.file": 25}
    assert unaccounted(total(metas)) == {"pages": 0, "links": 0}


def test_several_files(tmp_path):
    files = [multistream(tmp_path / f"{n}.xml.bz2", pages=6, per_stream=2) for n in range(3)]
    extract("mediawiki", files, tmp_path / "out", shard=1, shards=2)
    assert len(titles_of(tmp_path / "out")) == 12  # the second of two balanced groups holds two files
    meta = extract("mediawiki", [files[0], files[0]], tmp_path / "out")
    assert list(meta["inputs"]) == ["0.xml.bz2", "0.xml.bz2#2"]
    found = []
    for shard in range(6):
        extract("mediawiki", files, tmp_path / "out", shard=shard, shards=6)
        found += titles_of(tmp_path / "out")
    assert found == [f"Page {number}" for number in range(6)] * 3
    with pytest.raises(UserError, match="must be a multiple"):
        extract("mediawiki", files, tmp_path / "out", shards=4)


def refused(path: Path, sentence: str, **more) -> None:
    output = path.parent / "refused"
    with pytest.raises(UserError, match=sentence) as error:
        extract("mediawiki", [path], output, **more)
    assert str(path) in str(error.value)
    assert not output.exists() and not list(path.parent.glob(".*"))


def test_what_cannot_be_cut_is_refused(data, tmp_path):
    refused(data_copy(data, tmp_path, lambda plain: plain), "only multistream bzip2", shards=2)
    refused(data_copy(data, tmp_path, bz2.compress), "one single bzip2 stream", shards=2)
    blind = data_copy(
        data, tmp_path, lambda plain: b"".join(bz2.compress(plain[n : n + 700]) for n in range(0, 9999, 700))
    )
    refused(blind, "cut inside pages", shard=1, shards=3)
    refused(blind, "cut inside pages", shard=0, shards=3)
    assert extract("mediawiki", [blind], tmp_path / "whole")["counts"]["documents"] == 2


def data_copy(data: Path, folder: Path, change) -> Path:
    path = folder / "changed.xml"
    path.write_bytes(change((data / "documents" / "wiki.xml").read_bytes()))
    return path


def test_damaged_files_are_refused_with_their_place(data, tmp_path):
    def cut(plain: bytes) -> bytes:
        return plain[: plain.index(b"<title>Garten")]

    refused(data_copy(data, tmp_path, cut), "after page 4, 'Kategorie:Baum', near byte .* truncated")
    refused(data_copy(data, tmp_path, lambda plain: bz2.compress(plain)[:-40]), "truncated near byte")
    refused(data_copy(data, tmp_path, lambda plain: gzip.compress(plain)[:-12]), "truncated near byte")

    # Also behind the last page: nothing of a file is left unread.
    refused(data_copy(data, tmp_path, lambda plain: bz2.compress(plain)[:-1]), "truncated near byte")
    refused(data_copy(data, tmp_path, lambda plain: gzip.compress(plain)[:-1]), "truncated near byte")
    refused(data_copy(data, tmp_path, lambda plain: plain + plain), "Extra content")
    refused(data_copy(data, tmp_path, lambda plain: bz2.compress(plain) + b"more"), "corrupt bzip2 data")
    for pack in (bz2.compress, gzip.compress):
        padded = data_copy(data, tmp_path, lambda plain, pack=pack: pack(plain) + b"\0" * 512)
        assert extract("mediawiki", [padded], tmp_path / "padded")["inputs"] == {padded.name: sha256_of(padded)}

    def flip(plain: bytes) -> bytes:
        packed = bytearray(bz2.compress(plain))
        packed[len(packed) // 2] ^= 0xFF
        return bytes(packed)

    refused(data_copy(data, tmp_path, flip), "corrupt bzip2 data near byte")
    refused(data_copy(data, tmp_path, lambda plain: b""), "empty")
    refused(data_copy(data, tmp_path, lambda plain: b"7z\xbc\xaf'\x1c" + plain), "7-Zip")
    refused(data_copy(data, tmp_path, lambda plain: b"nothing"), "not XML")
    refused(data_copy(data, tmp_path, lambda plain: b"<rss><item/></rss>"), "not a MediaWiki export")


BOMB = """<?xml version="1.0"?><!DOCTYPE mediawiki [<!ENTITY a "aaaaaaaaaa">{0}]>
<mediawiki><page><title>&e9;</title></page></mediawiki>"""


def test_entity_bombs_and_disguises_are_refused(tmp_path):
    inner = ["&a;", *(f"&e{n};" for n in range(9))]
    entities = "".join(f'<!ENTITY e{n} "{entity * 10}">' for n, entity in enumerate(inner))
    path = tmp_path / "bomb.xml"
    path.write_text(BOMB.format(entities))
    refused(path, "refused")
    path.write_text(BOMB.format(entities), encoding="utf-16")
    refused(path, "refused")
    path.write_bytes(BOMB.format(entities).encode("utf-16-be"))  # no byte order mark
    refused(path, "encoding is not supported")
    path.write_text('<?xml version="1.0" encoding="UTF-7"?><mediawiki/>')
    refused(path, "encoding is not supported")
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    path.write_text(f'<!DOCTYPE m SYSTEM "{secret.as_uri()}"><mediawiki><page><title>A</title><ns>0</ns>'
                    "<revision><text>&x; text</text></revision></page></mediawiki>")  # fmt: skip
    refused(path, "refused")


def test_a_text_beyond_ten_megabytes(tmp_path):
    path = tmp_path / "long.xml"
    body = "word " * 2_500_000
    path.write_text(f"{HEADER}<page><title>A</title><ns>0</ns><revision><text>{body}</text></revision></page>{FOOTER}")
    extract("mediawiki", [path], tmp_path / "out")
    assert len(rows(tmp_path / "out")[0]["text"]) == len(body) - 1


def test_row_groups_are_bounded(tmp_path):
    path = tmp_path / "many.xml"
    with open(path, "w") as file:
        file.write(HEADER)
        for number in range(9000):
            file.write(
                f"<page><title>P{number}</title><ns>0</ns><revision><text>[[P{number + 1}]]</text></revision></page>"
            )
        file.write(FOOTER)
    extract("mediawiki", [path], tmp_path / "out")
    metadata = pq.ParquetFile(tmp_path / "out" / "documents.parquet").metadata
    assert metadata.num_rows == 9000 and metadata.num_row_groups == 2


@pytest.mark.real
@pytest.mark.parametrize(
    "name, pages",
    [("gensim_enwiki_shortened", 206), ("dbpedia_minidump_en", 27), ("gensim_bgwiki_shortened", 3),
     ("gensim_enwiki-table-markup", 5)],
)  # fmt: skip
def test_real_samples_account_for_every_page_and_link(real, tmp_path, name, pages):
    path = real / "wikidumps" / f"{name}.xml.bz2"
    meta = extract("mediawiki", [path], tmp_path / "out")
    assert unaccounted(meta) == {"pages": 0, "links": 0}
    raw = bz2.decompress(path.read_bytes())
    raw = raw.decode("utf-16" if raw[:2] == b"\xff\xfe" else "utf-8")
    assert meta["counts"]["pages_found"] == raw.count("<page>") == pages
    # The export's own text elements, counted without any XML parser of ours.
    assert meta["counts"]["links_found"] == sum(
        part.partition("</text>")[0].count("[[") for part in raw.split("<text ")[1:]
    )
    assert meta["counts"]["links"] == sum(len(row["links"]) for row in rows(tmp_path / "out"))
    assert len(titles_of(tmp_path / "out")) == len(set(titles_of(tmp_path / "out")))
