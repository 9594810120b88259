"""The corpora: valid in each publisher's format, with the traps of the real ones."""

import bz2
import gzip
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
from lxml import etree

from linkbert.world.facts import World


@pytest.fixture(scope="module")
def dump(folder: Path) -> list[etree._Element]:
    content = (folder / "enwiki-pages-articles-multistream.xml.bz2").read_bytes()
    streams, rest = [], content
    while rest:
        decompressor = bz2.BZ2Decompressor()
        streams.append(decompressor.decompress(rest))
        rest = decompressor.unused_data
    assert len(streams) > 10 and b"<page>" not in streams[0] and all(s.count(b"<page>") <= 20 for s in streams)
    root = etree.fromstring(b"".join(streams))
    assert etree.QName(root).namespace == "http://www.mediawiki.org/xml/export-0.11/"
    return root.findall("{*}page")


def wikitext(page: etree._Element) -> str:
    return page.findtext("{*}revision/{*}text") or ""


def test_wiki_dump_is_valid_and_has_a_hub(made: tuple[World, Path], dump: list[etree._Element]) -> None:
    world, _ = made
    titles = [page.findtext("{*}title") for page in dump]
    assert len(titles) == len(set(titles))
    by_title = dict(zip(titles, dump, strict=True))
    assert {entity.title for entity in world.pages()} <= set(titles)
    hub = world.kinds["country"][0].key
    articles = [by_title[entity.title] for entity in world.pages()]
    assert all(f"[[{hub}" in wikitext(page) for page in articles)
    assert all(int(page.find("{*}revision/{*}text").get("bytes")) == len(wikitext(page).encode()) for page in dump)
    assert 120 < np.median([len(wikitext(page).split()) for page in articles]) < 400


def test_wiki_redirects_chains_and_a_loop(dump: list[etree._Element]) -> None:
    target = {
        page.findtext("{*}title"): page.find("{*}redirect").get("title")
        for page in dump
        if page.find("{*}redirect") is not None
    }
    titles = {page.findtext("{*}title") for page in dump}
    assert len(target) > 25
    assert any(aim in target and target[aim] not in target for aim in target.values()), "a chain"
    assert any(target.get(aim) == source for source, aim in target.items()), "a loop"
    assert any(aim not in titles for aim in target.values()), "a redirect to nothing"


@pytest.mark.parametrize(
    "pattern",
    [
        r"\{\{Infobox company\n",
        r"<ref[^>]*/>",
        r"<ref>\{\{cite web",
        r"\[\[File:[^\]]*\[\[[^\]]*\]\]",
        r"\[\[Category:",
        r"\[\[de:",
        r"&nbsp;",
        r"\[\[[^\]|]*_[^\]|]*\|",
        r"\[\[[a-z]\w+\]\]",
        r"\[\[[^\]|]*%[0-9A-F]{2}",
        r"\[\[[^\]|]*#History",
        r"\[\[[a-z]+\]\]s",
        r"\[\[Archive of lost notes\]\]",
        r"\{\{disambiguation\}\}",
        r"\[\[unclosed link",
        r"\{\| class=\"wikitable\"",
        r"<!--.*\[\[",
        r"<nowiki>\[\[",
        r"\[\[ \w+ \]\]",
        r"\[\[:[A-Z]",
        r"\[\[\w+son, |#REDIRECT|#redirect",
        r"[é-ü]",
    ],
)
def test_wiki_has_the_traps_of_real_wikitext(dump: list[etree._Element], pattern: str) -> None:
    assert any(re.search(pattern, wikitext(page)) for page in dump)


def test_wiki_has_other_namespaces_self_links_and_empty_pages(dump: list[etree._Element]) -> None:
    assert {page.findtext("{*}ns") for page in dump} >= {"0", "1", "4", "6", "10", "14"}
    assert any(f"[[{page.findtext('{*}title')}]]" in wikitext(page) for page in dump)
    assert any(not wikitext(page) for page in dump)


def test_books_are_sentences_by_line(made: tuple[World, Path]) -> None:
    world, folder = made
    books = gzip.decompress((folder / "bookcorpus.txt.gz").read_bytes()).decode().split("\n\n")
    assert len(books) == world.scale.books
    for book in books:
        lines = book.strip("\n").split("\n")
        assert len(lines) >= 60 and all(line[-1] in '."?' for line in lines)
    with tarfile.open(folder / "bookcorpus.tar.bz2") as archive:
        parts = {member.name: archive.extractfile(member).read().decode() for member in archive}
    assert set(parts) == {"books_large_p1.txt", "books_large_p2.txt"}
    plain = [line for part in parts.values() for line in part.splitlines()]
    assert len(plain) == sum(len(book.strip("\n").split("\n")) for book in books)
    assert all(line == line.lower() and line[-2] == " " for line in plain)


def medline(folder: Path) -> list[etree._Element]:
    return [etree.fromstring(gzip.decompress((folder / f"pubmed25n000{n}.xml.gz").read_bytes())) for n in (1, 2)]


def test_pubmed_files_have_citations_versions_and_deletions(folder: Path) -> None:
    first, second = medline(folder)
    for root in (first, second):
        assert root.getroottree().docinfo.root_name == "PubmedArticleSet"
    articles = [*first.iter("PubmedArticle"), *second.iter("PubmedArticle")]
    pmids = [article.findtext("MedlineCitation/PMID") for article in articles]
    assert len(articles) > 250 and len(pmids) - len(set(pmids)) == 1
    versions = [article.find("MedlineCitation/PMID").get("Version") for article in articles]
    assert versions.count("2") == 1
    assert second.findtext("DeleteCitation/PMID") in pmids[: len(pmids) // 2]
    comments = [
        n.text for root in (first, second) for n in root.iterfind(".//CommentsCorrections[@RefType='Cites']/PMID")
    ]
    listed = [n.text for root in (first, second) for n in root.iterfind(".//Reference//ArticleId[@IdType='pubmed']")]
    for cited in (comments, listed):
        inside = sum(pmid in set(pmids) for pmid in cited)
        assert inside > 400 and inside < len(cited)
    abstracts = [article.find(".//Abstract") for article in articles]
    assert 0 < sum(abstract is None for abstract in abstracts) < 40
    labels = [bool(abstract.findall("AbstractText[@Label]")) for abstract in abstracts if abstract is not None]
    assert 0.2 < np.mean(labels) < 0.6
    assert any(abstract is not None and abstract.find(".//i") is not None for abstract in abstracts)
    lengths = [len("".join(a.itertext()).split()) for a in abstracts if a is not None]
    assert 80 < np.median(lengths) < 250


def test_pubmed_dates_cross_the_cut_and_no_study_cites_the_future(folder: Path) -> None:
    roots = medline(folder)
    articles = [article for root in roots for article in root.iter("PubmedArticle")]
    date = {}
    for article in articles:
        published = article.find(".//PubDate")
        text = published.findtext("Year") or published.findtext("MedlineDate")
        date[article.findtext("MedlineCitation/PMID")] = int(text[:4])
    assert min(date.values()) <= 2002 and max(date.values()) == 2021
    assert sum(year >= 2020 for year in date.values()) > 10
    for article in articles:
        own = date[article.findtext("MedlineCitation/PMID")]
        for node in article.iterfind(".//Reference//ArticleId[@IdType='pubmed']"):
            assert date.get(node.text, own) <= own


def test_pubmed_parser_reads_the_files(folder: Path) -> None:
    import pubmed_parser

    found = pubmed_parser.parse_medline_xml(str(folder / "pubmed25n0002.xml.gz"), reference_list=True)
    kept = [article for article in found if not article["delete"]]
    assert len(kept) > 120
    assert any(article["references"] for article in kept)
    assert all(re.match(r"20\d\d", article["pubdate"]) for article in kept)
