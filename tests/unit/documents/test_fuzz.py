"""Mutated inputs: every reader keeps its account, or says in one sentence what is wrong; nothing else may happen.

LINKBERT_FUZZ=20000 pytest tests/unit/documents/test_fuzz.py makes a campaign of it (inputs a reader, 600 by default).
"""

import gzip
import os
import random
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from linkbert.documents import extract, hardened, jsonl, mediawiki, pubmed, sources
from linkbert.documents.report import unaccounted
from linkbert.documents.wikitext import Style, to_text
from linkbert.documents.writer import Tally
from linkbert.errors import UserError
from linkbert.files import write_meta

DATA = Path(__file__).resolve().parents[2] / "data" / "documents"
NUMBER = int(os.environ.get("LINKBERT_FUZZ", "600"))

WIKITEXT = [path.read_text(encoding="utf-8") for path in sorted((DATA / "golden").glob("*.wikitext"))]
JSON_LINES = [
    '{"doc_id": "a", "title": "A", "text": "see b, c", "links": [{"target": "b", "start": 4, "end": 5}]}\n'
    '{"doc_id": 7, "text": "x\\n\\ny \\u00e9 \\ud83d\\ude00", "links": null, "note": [1, {"deep": 2.5e3}]}\n',
    '{"text": "no id"}\n[1]\n\n{"doc_id": "b", "text": "", "links": [{"target": 3}, {"target": "d", "start": null}]}\n',
]
_WIKITEXT = """
    [[ ]] {{ }} {{{ }}} {| |} |- | || ! '' ''' ''''' <ref> </ref> <ref/> <!-- --> <nowiki> </nowiki> <math>
    </math> <br> <div> </div> <table> </table> <li> <pre> <gallery> File: Category: de: : # * ; = == ---- -{ }-
    __TOC__ [http://a b] {{lang|x| #REDIRECT &nbsp; &#1; &amp; &lt; 𝔘"""
_XML = """
    < > & &amp; &#x1; &lt;![CDATA[ ]]> <!-- --> <page> </page> <title> </title> <ns> </ns> <revision>
    </revision> <text> </text> <text/> <redirect/> </mediawiki> <siteinfo> <model> <PMID> </PMID> <Year> </Year>
    <AbstractText> <PubmedArticle> </PubmedArticle> <DeleteCitation> <MedlineCitation> xmlns='x' Version='x'
    deleted='deleted' key='x' <?pi?> &foo; ² -1 1e9 é [[ ]] {{"""
_JSON = r"""
    { } [ ] : , " \ \u \ud800 \u0000 null true NaN 1e999 -1 0.5 99999999999999999999 "doc_id": "text": "links":
    "target": "start": "end": é 𝔘 [[[[ {"a":"""
WORDS = {
    "wikitext": [*_WIKITEXT.split(), *"\n \x00\x01\x02\x03\x04\x05\r\u200e\xa0\ud800"],
    "xml": [*_XML.split(), *"\n \x00\x01"],
    "json": [*_JSON.split(), *"\n\r\t \x00"],
}


def mutated(chance: random.Random, seeds: list[str], words: list[str]) -> str:
    """A seed with some pieces cut, doubled, moved, taken from another seed, or replaced by words of its grammar."""
    text = chance.choice(seeds)
    for _ in range(chance.choice((1, 1, 2, 3, 5, 8))):
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice((0, 1, 2, 5, 20, 100)))
        other = chance.choice(seeds)
        place = chance.randrange(len(other) + 1)
        new = {
            "cut": "",
            "double": text[start:end] * chance.choice((2, 3, 50)),
            "splice": other[place : place + chance.choice((5, 50, 500))],
            "word": chance.choice(words),
            "words": "".join(chance.choices(words, k=chance.choice((2, 5, 20)))),
            "repeat": chance.choice(words) * chance.choice((10, 300)),
            "truncate": None,
        }[chance.choice(("cut", "double", "splice", "word", "word", "word", "words", "repeat", "truncate"))]
        text = text[:start] if new is None else text[:start] + new + text[end:]
    return text


def damaged(chance: random.Random, content: bytes) -> bytes:
    """Sometimes packed, sometimes with wrong bytes."""
    if chance.random() < 0.1:
        content = gzip.compress(content, 1)
    if chance.random() < 0.2:
        changed = bytearray(content)
        for _ in range(chance.choice((1, 3))):
            if changed:
                changed[chance.randrange(len(changed))] = chance.randrange(256)
        content = bytes(changed)
    return content


class Sink:
    """A writer that checks what it is given and keeps nothing."""

    def __init__(self, folder: Path, tally: Tally):
        self.folder, self.tally = folder, tally

    def document(self, doc_id, title, text, links=()) -> None:
        for value in (doc_id, title, text):
            value.encode()
        for target, start, end in links:
            target.encode()
            assert start is end is None or 0 <= start < end <= len(text)
        self.tally.counts["documents"] += 1
        self.tally.counts["links"] += len(links)

    def redirect(self, source, target) -> None:
        (source + target).encode()
        self.tally.counts["redirects"] += 1


def read(reader: ModuleType, path: Path) -> bool:
    """Whether the file was read to its end; False where it was refused in a sentence."""
    tally = Tally()
    try:
        reader.extract([path], 0, 1, reader.Options(), Sink(path.parent, tally), tally)
    except UserError as error:
        assert str(path) in str(error) and str(error).endswith((".", "?", ")"))
        return False
    write_meta(path.parent, "documents", inputs={}, parameters={}, counts=tally.counts, dropped=tally.dropped)
    assert unaccounted({"counts": tally.counts, "dropped": tally.dropped}) == {"pages": 0, "links": 0}
    return True


FILES = {
    "mediawiki": (mediawiki, [(DATA / "wiki.xml").read_text(encoding="utf-8")], "xml"),
    "pubmed": (pubmed, [(DATA / "pubmed.xml").read_text(encoding="utf-8")], "xml"),
    "jsonl": (jsonl, JSON_LINES, "json"),
}


@pytest.mark.parametrize("name", FILES)
def test_mutated_files_are_read_or_refused(name, tmp_path):
    reader, seeds, words = FILES[name]
    path = tmp_path / "input"
    read_whole = 0
    for seed in range(NUMBER):
        chance = random.Random(f"{name} {seed}")
        path.write_bytes(damaged(chance, mutated(chance, seeds, WORDS[words]).encode("utf-8", "surrogatepass")))
        try:
            read_whole += read(reader, path)
        except Exception as error:
            error.add_note(f"input {seed} of {name}")
            raise
    assert 0 < read_whole < NUMBER  # both happen


def test_mutated_wikitext_keeps_its_account():
    for seed in range(2 * NUMBER):
        source = mutated(random.Random(f"wikitext {seed}"), WIKITEXT, WORDS["wikitext"])
        try:
            check_page(source)
        except Exception as error:
            error.add_note(f"input {seed} of wikitext")
            raise


def check_page(source: str) -> None:
    for style in (Style(), Style(keep_lists=True, keep_headings=True, drop_sections=())):
        page = to_text(source, style=style)
        assert not set(page.text) & set("\x01\x02\x03\x04\x05\r") and "\n\n\n" not in page.text
        last = 0
        for target, start, end in page.links:
            assert target and last <= start < end <= len(page.text) and "\n" not in page.text[start:end]
            last = end
        assert all(number > 0 for number in page.dropped.values())
        assert source.count("[[") == len(page.links) + sum(page.dropped.values())


# What is linear takes 4 times as long for 4 times the input, what is quadratic 16 times.
_REPEATED = """
    [[ ]] {{ }} [[a| [[File:a| [[File:a|[[b {{lang|x| <ref> <!-- '' -{ }- (, <table> </table> {{{ | __a & ,;
    [[a]]] <math>x <nowiki> </nowiki [[a|b]]c [[# %5B [[a% {{a|b '''''"""
REPEATED = [*_REPEATED.split(), "\x01", " .", "= ", "<ref ", "<div ", "[http://a ", "\n|}", "{|\n", "\n*", "\n=="]
REPEATED += ["[[a\n\n", "[[File:a|\n\n"]


def seconds(work: Callable[[str], object], text: str) -> float:
    began = time.process_time()
    work(text)
    return time.process_time() - began


@pytest.mark.parametrize("token", REPEATED)
def test_time_grows_with_the_length_and_memory_too(token):
    small = token * (8000 // len(token))
    large = small * 4
    # Of several tries the best counts: another process can only lengthen one.
    for _ in range(5):
        if min(seconds(to_text, large) for _ in range(2)) < 10 * max(seconds(to_text, small), 0.002):
            break
    else:
        pytest.fail(f"four times {token!r} takes more than ten times as long")
    tracemalloc.start()
    to_text(large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 400 * len(large) + 1_000_000


BOMBS = {
    "deep nesting": ("mediawiki", lambda: "<mediawiki>" + "<a>" * 400_000),
    "deep nesting in a record": ("pubmed", lambda: "<PubmedArticleSet><PubmedArticle>" + "<a>" * 400_000),
    "one attribute": ("mediawiki", lambda: f"<mediawiki a='{'x' * 3_000_000}'></mediawiki>"),
    "many attributes": ("mediawiki", lambda: "<mediawiki" + "".join(f" a{n}='x'" for n in range(99_000)) + "/>"),
    "no record": ("mediawiki", lambda: "<mediawiki>" + "<a/>" * 600_000 + "</mediawiki>"),
    "no end of a record": ("pubmed", lambda: "<PubmedArticleSet><PubmedArticle>" + "<a/>" * 600_000),
    "one line": ("jsonl", lambda: '{"doc_id": "a", "text": "' + "x" * 3_000_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_before_they_fill_the_memory(name, tmp_path, monkeypatch):
    """With limits of 1 MB in place of 64 MB, so that the bombs may be small."""
    monkeypatch.setattr(hardened, "_LARGEST_RECORD", 1 << 20)
    monkeypatch.setattr(sources, "_LONGEST_LINE", 1 << 20)
    kind, make = BOMBS[name]
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(make().encode(), 1))
    with pytest.raises(UserError, match=r"bomb\.gz") as error:
        extract(kind, [path], tmp_path / "out")
    assert len(str(error.value)) < 600 and not (tmp_path / "out").exists()


def test_json_that_explodes_is_one_bad_line(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text(
        '{"doc_id": ' + "[" * 200_000 + '\n{"doc_id": ' + "9" * 100_000 + ', "text": ""}\n{"doc_id": 1, "text": ""}\n'
    )
    assert extract("jsonl", [path], tmp_path / "out")["dropped"] == {"pages.not_json": 2}


def test_names_of_fields_are_bounded_and_writable(tmp_path):
    path = tmp_path / "names.jsonl"
    path.write_text("".join(f'{{"doc_id": {n}, "text": "", "{n}\\ud800": 0}}\n' for n in range(300)))
    dropped = extract("jsonl", [path], tmp_path / "out")["dropped"]
    assert len(dropped) == 101 and dropped["fields.others"] == 200 and dropped["fields.7?"] == 1
