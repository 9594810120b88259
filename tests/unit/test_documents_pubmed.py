"""PubMed XML through pubmed_parser: abstracts, citations, dates, versions, deletions."""

import gzip
from pathlib import Path

import pubmed_parser
import pyarrow.parquet as pq
import pytest
from lxml import etree

from linkbert.documents import extract
from linkbert.documents.report import unaccounted
from linkbert.errors import UserError


def rows(folder: Path) -> dict[str, dict]:
    return {row["doc_id"]: row for row in pq.read_table(folder / "documents.parquet").to_pylist()}


@pytest.fixture
def small(data) -> Path:
    return data / "documents" / "pubmed.xml"


def test_abstracts_and_citations(small, tmp_path):
    meta = extract("pubmed", [small], tmp_path / "out")
    documents = rows(tmp_path / "out")
    assert list(documents) == ["101", "102", "104", "105", "106"]
    first = documents["101"]
    assert first["title"] == "Water (H2O) in plants."
    assert first["text"] == "BACKGROUND: Water is H2O, in vivo too.\n\nPlants drink.\n\nRESULTS: They grew."
    assert first["links"] == [{"target": pmid, "start": None, "end": None} for pmid in ("102", "104")]
    assert documents["102"]["text"] == "The second version."
    assert meta["counts"]["pages_found"] == 10 and meta["counts"]["links_found"] == 6
    assert meta["dropped"] == {
        "links.duplicate": 1, "links.in_dropped_page": 1, "links.no_pmid": 1, "links.not_a_citation": 1,
        "pages.book": 1, "pages.deleted": 1, "pages.malformed": 1, "pages.no_abstract": 1, "pages.superseded": 1,
    }  # fmt: skip
    assert unaccounted(meta) == {"pages": 0, "links": 0}


def test_published_before_february_2020(small, tmp_path):
    """Kept: December 2019, "2020 Jan-Feb", March 2020 but online in 2019. Out: February, and 2020 without a month."""
    meta = extract("pubmed", [small], tmp_path / "out", options={"before": "2020-02"})
    assert list(rows(tmp_path / "out")) == ["101", "104", "105"]
    assert meta["dropped"]["pages.too_new"] == 1 and meta["dropped"]["pages.month_unknown"] == 1
    assert unaccounted(meta) == {"pages": 0, "links": 0}
    with pytest.raises(UserError, match="a month such as"):
        extract("pubmed", [small], tmp_path / "bad", options={"before": "Feb 2020"})
    assert not (tmp_path / "bad").exists()


def test_title_and_shortest_text(small, tmp_path):
    meta = extract("pubmed", [small], tmp_path / "out", options={"title_in_text": True, "min_words": 6})
    documents = rows(tmp_path / "out")
    assert documents["105"]["text"] == "Online first.\n\nIt stood online in November."
    assert "102" in documents and "106" not in documents and meta["dropped"]["pages.short"] == 1


def record(pmid: int, version: int, text: str) -> str:
    return (
        f'<PubmedArticle><MedlineCitation><PMID Version="{version}">{pmid}</PMID><Article><Journal><JournalIssue>'
        f"<PubDate><Year>2000</Year></PubDate></JournalIssue></Journal><ArticleTitle>T</ArticleTitle><Abstract><AbstractText>{text}"
        "</AbstractText></Abstract></Article></MedlineCitation></PubmedArticle>"
    )


def test_updates_of_later_files_win(tmp_path):
    def write(name: str, *records: str) -> Path:
        path = tmp_path / f"{name}.xml.gz"
        path.write_bytes(gzip.compress(f"<PubmedArticleSet>{''.join(records)}</PubmedArticleSet>".encode()))
        return path

    files = [
        write("1", record(1, 1, "old"), record(2, 1, "gone"), record(3, 2, "newer"), record(3, 1, "older")),
        write("2", record(1, 1, "new"), "<DeleteCitation><PMID>2</PMID></DeleteCitation>"),
    ]
    meta = extract("pubmed", files, tmp_path / "out")
    assert {key: row["text"] for key, row in rows(tmp_path / "out").items()} == {"1": "new", "3": "newer"}
    assert meta["dropped"] == {"pages.superseded": 3}
    meta = extract("pubmed", files, tmp_path / "out", shard=1, shards=2)
    assert list(rows(tmp_path / "out")) == ["1"] and list(meta["inputs"]) == ["2.xml.gz"]
    with pytest.raises(UserError, match="3 shards for 2 input file"):
        extract("pubmed", files, tmp_path / "out", shards=3)


def test_damaged_files(small, tmp_path):
    path = tmp_path / "cut.xml"
    path.write_bytes(small.read_bytes().partition(b'"1">104</PMID>')[0])
    with pytest.raises(UserError, match=r"cut\.xml: broken XML after record 3, PMID 102, near byte"):
        extract("pubmed", [path], tmp_path / "out")
    path.write_bytes(small.read_bytes() * 2)
    with pytest.raises(UserError, match="broken XML after record"):
        extract("pubmed", [path], tmp_path / "out")
    path.write_text("<html></html>")
    with pytest.raises(UserError, match="not PubMed XML"):
        extract("pubmed", [path], tmp_path / "out")
    path.write_text('<!DOCTYPE PubmedArticleSet [<!ENTITY a "b">]><PubmedArticleSet>&a;</PubmedArticleSet>')
    with pytest.raises(UserError, match="refused"):
        extract("pubmed", [path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.real
def test_real_counts_equal_those_of_the_xml(real, tmp_path):
    path = real / "pubmed" / "medline16n0902.xml.gz"
    meta = extract("pubmed", [path], tmp_path / "out")
    documents = rows(tmp_path / "out")
    root = etree.fromstring(gzip.decompress(path.read_bytes()))
    records = root.findall("MedlineCitation")
    cited = {
        record.findtext("PMID"): [
            item.findtext("PMID") for item in record.iter("CommentsCorrections") if item.get("RefType") == "Cites"
        ]
        for record in records
    }
    assert meta["counts"]["pages_found"] == len(records) == 604
    assert meta["counts"]["documents"] == sum(record.find("Article/Abstract") is not None for record in records) == 526
    assert sum(map(len, cited.values())) == 3547
    assert meta["counts"]["links"] == sum(len(set(cited[key])) for key in documents)
    assert all([link["target"] for link in row["links"]] == cited[key] for key, row in documents.items())
    assert meta["dropped"]["pages.no_abstract"] == 78 and meta["counts"]["deletions"] == 1
    assert unaccounted(meta) == {"pages": 0, "links": 0}


@pytest.mark.real
@pytest.mark.parametrize("name", ["biopython_pubmed7.xml", "titipata_pubmed-29768149.xml"])
def test_records_equal_those_of_pubmed_parser(real, tmp_path, name):
    """Where nothing is nested and nothing structured, ours is the parser's own output."""
    packed = tmp_path / "packed.xml.gz"
    packed.write_bytes(gzip.compress((real / "pubmed" / name).read_bytes()))
    (theirs,) = pubmed_parser.parse_medline_xml(str(packed), year_info_only=False)
    extract("pubmed", [packed], tmp_path / "out")
    (ours,) = rows(tmp_path / "out").values()
    assert ours["doc_id"] == theirs["pmid"] and ours["title"] == theirs["title"]
    assert ";".join(link["target"] for link in ours["links"]) == theirs["references"]
    assert (
        "".join(ours["text"].split())[:60]
        == "".join(theirs["abstract"].replace("BACKGROUND", "BACKGROUND:").split())[:60]
    )
