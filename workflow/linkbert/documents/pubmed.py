"""PubMed and MEDLINE XML through pubmed_parser, as the paper reads it (§6.1): abstracts and the papers they cite."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lxml import etree
from pubmed_parser.medline_parser import parse_article_info
from pubmed_parser.utils import month_or_day_formater

from linkbert.documents.hardened import elements, free
from linkbert.documents.sources import Source, files_of, record
from linkbert.documents.writer import Tally, Writer
from linkbert.errors import UserError
from linkbert.progress import Progress


@dataclass(frozen=True)
class Options:
    """`before`: keep what was published before this month, e.g. "2020-02" (the paper's: February is out); empty keeps
    all. `min_words`: shorter texts are dropped (PubmedBERT: 128). `title_in_text`: the title is the first paragraph.
    """

    before: str = ""
    min_words: int = 0
    title_in_text: bool = False


class Citation(NamedTuple):
    """One record. `date` is "YYYY", "YYYY-MM", "YYYY-MM-DD" or ""; `others` counts relations that are no citations."""

    pmid: str
    version: int
    title: str
    abstract: str
    date: str
    cited: list[str]
    without_pmid: int
    others: int


_MONTH = re.compile(r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])\Z")
_MEDLINE_DATE = re.compile(r"\s*(\d{4})\s+([A-Z][a-z]{2})\b")


def extract(
    paths: Sequence[Path], shard: int, shards: int, options: Options, writer: Writer, tally: Tally
) -> dict[str, str]:
    """Write the abstracts of one shard, a contiguous group of files; return the files' hashes.

    Of several records of one PMID the newest is kept and a ``DeleteCitation`` removes older ones. For that the
    shard's files are read from the last to the first, and one file's records are held in memory at a time. Shards know
    nothing of each other, so use the annual baseline, where a PMID stands once, or read updates in one shard.
    Citations are the PMIDs of the reference lists and of ``CommentsCorrections`` of the type Cites, each once.
    """
    if options.before and not _MONTH.match(options.before):
        raise UserError(f"pubmed: option 'before' is '{options.before}', but it must be a month such as '2020-02'.")
    progress = Progress("documents", unit="records")
    tally.counts["pages_found"] = tally.counts["links_found"] = 0
    hashes: dict[str, str] = {}
    newer: set[str] = set()
    for path in reversed(files_of(paths, shard, shards)):
        source = Source(path)
        records: dict[str, Citation] = {}
        deleted: set[str] = set()
        for item in read_records(source, tally):
            progress.update()
            if isinstance(item, str):
                deleted.add(item)
                continue
            older = records.get(item.pmid)
            if older and older.version > item.version:
                older, item = item, older
            if older:
                _drop(tally, older, "superseded")
                del records[item.pmid]
            records[item.pmid] = item
        for item in records.values():
            reason = (
                "deleted" if item.pmid in deleted else "superseded" if item.pmid in newer else _unwanted(item, options)
            )
            if reason:
                _drop(tally, item, reason)
            else:
                _write(item, options, writer, tally)
        newer |= deleted | records.keys()
        tally.counts["deletions"] += len(deleted)
        record(hashes, source)
    progress.close()
    return hashes


def _drop(tally: Tally, item: Citation, reason: str) -> None:
    tally.drop("pages", reason)
    tally.drop("links", "in_dropped_page", len(item.cited) + item.without_pmid + item.others)


def _write(item: Citation, options: Options, writer: Writer, tally: Tally) -> None:
    cited = list(dict.fromkeys(item.cited))
    tally.drop("links", "no_pmid", item.without_pmid)
    tally.drop("links", "not_a_citation", item.others)
    tally.drop("links", "duplicate", len(item.cited) - len(cited))
    writer.document(item.pmid, item.title, _text(item, options), [(pmid, None, None) for pmid in cited])


def _text(item: Citation, options: Options) -> str:
    return f"{item.title}\n\n{item.abstract}" if options.title_in_text and item.title else item.abstract


def _unwanted(item: Citation, options: Options) -> str:
    if not item.abstract:
        return "no_abstract"
    if options.before:
        if not item.date:
            return "no_date"
        if item.date[:7] >= options.before:
            return "too_new"
        if len(item.date) == 4 and item.date == options.before[:4]:
            return "month_unknown"
    return "short" if options.min_words and len(_text(item, options).split()) < options.min_words else ""


def read_records(source: Source, tally: Tally) -> Iterator[Citation | str]:
    """The records of a file, and the PMID (a plain string) of each deletion. Memory is bounded by one record."""
    last, number, whole = "", 0, False

    def where() -> str:
        return f"after record {number:,}, PMID {last}" if number else "before its first record"

    tags = ("PubmedArticle", "MedlineCitation", "PubmedBookArticle", "DeleteCitation", "DeleteDocument")
    roots = ("PubmedArticleSet", "MedlineCitationSet", "PubmedBookArticleSet")
    for element in elements(source, tags + roots, where):
        if element.tag in roots:
            whole = True
            continue
        parent = element.getparent()
        if element.tag == "MedlineCitation" and parent is not None and parent.tag == "PubmedArticle":
            continue
        if element.tag == "DeleteCitation":
            yield from [(pmid.text or "").strip() for pmid in element.iter("PMID")]
        elif element.tag != "DeleteDocument":
            tally.counts["pages_found"] += 1
            number += 1
            item = None if element.tag == "PubmedBookArticle" else _parsed(element)
            if item:
                last = item.pmid
                tally.counts["links_found"] += len(item.cited) + item.without_pmid + item.others
                yield item
            else:
                tally.drop("pages", "book" if element.tag == "PubmedBookArticle" else "malformed")
        free(element)
    if not whole:
        raise UserError(f"{source.path}: not PubMed XML: its root element is none of {', '.join(roots)}.")


def _parsed(element: etree._Element) -> Citation | None:
    """A record, or None where it lacks what the DTD demands: pubmed_parser fails there in these ways."""
    try:
        return parse_record(element)
    except (AttributeError, IndexError, TypeError, ValueError):
        return None


def parse_record(element: etree._Element) -> Citation:
    """One ``PubmedArticle`` (or bare ``MedlineCitation``, as files before 2017 have) through pubmed_parser.

    The parser sees a lean copy: without authors, terms and grants; with the text of nested markup (sub, sup, MathML)
    flattened, of which it would lose the deeper levels; and with the sections of a structured abstract as paragraphs
    "LABEL: text", which it would join with varying numbers of newlines.
    """
    citation = element if element.tag == "MedlineCitation" else element.find("MedlineCitation")
    related = [
        (item.get("RefType"), (item.findtext("PMID") or "").strip()) for item in citation.iter("CommentsCorrections")
    ]
    version = citation.find("PMID").get("Version", "1")
    electronic = _electronic_date(citation)
    article = parse_article_info(
        _lean(element, citation), year_info_only=False, nlm_category=False, author_list=True, reference_list=True
    )
    references = [reference["pmid"] for reference in article["references"]]
    references += [pmid for kind, pmid in related if kind == "Cites"]
    pmid = (article["pmid"] or "").strip()
    if not pmid.isdigit():
        raise ValueError("no PMID")
    dates = [date for date in (_finer(article["pubdate"], citation), electronic) if date]
    # A bare year is the end of that year, so that a month known from elsewhere goes before it.
    first = min(dates, key=lambda date: date + "~", default="")
    return Citation(
        pmid,
        int(version) if version.isdigit() else 1,
        article["title"],
        article["abstract"],
        first,
        [reference for reference in references if reference],
        references.count(""),
        sum(kind != "Cites" for kind, _ in related),
    )


def _lean(element: etree._Element, citation: etree._Element) -> etree._Element:
    full = citation.find("Article")
    lean_record = etree.Element("PubmedArticle")
    lean = etree.SubElement(lean_record, "MedlineCitation")
    etree.SubElement(lean, "PMID").text = citation.findtext("PMID")
    article = etree.SubElement(lean, "Article")
    journal = etree.SubElement(article, "Journal")
    issue = etree.SubElement(journal, "JournalIssue")
    date = full.find("Journal/JournalIssue/PubDate")
    published = etree.SubElement(issue, "PubDate")
    for child in () if date is None else date:
        if child.text and child.text.strip():
            etree.SubElement(published, child.tag).text = child.text.strip()
    etree.SubElement(article, "ArticleTitle").text = _flat(full.find("ArticleTitle"))
    sections = [(section.get("Label") or "", _flat(section)) for section in full.iterfind("Abstract/AbstractText")]
    paragraphs = [f"{label}: {text}" if label not in ("", "UNASSIGNED") else text for label, text in sections if text]
    abstract = etree.SubElement(etree.SubElement(article, "Abstract"), "AbstractText")
    abstract.text = "\n\n".join(paragraphs)
    references = etree.SubElement(etree.SubElement(lean_record, "PubmedData"), "ReferenceList")
    # Reference lists may be several and nested; pubmed_parser reads the first level of the first.
    for reference in element.iterfind("PubmedData//Reference"):
        copy = etree.SubElement(references, "Reference")
        ids = etree.SubElement(copy, "ArticleIdList")
        for identifier in reference.iterfind("ArticleIdList/ArticleId[@IdType='pubmed']"):
            etree.SubElement(ids, "ArticleId", IdType="pubmed").text = identifier.text
    return lean_record


def _flat(node: etree._Element | None) -> str:
    return "" if node is None else " ".join("".join(node.itertext()).split())


def _electronic_date(citation: etree._Element) -> str:
    """The earliest ``ArticleDate``: when the paper first stood online, often months before its issue."""
    dates = []
    for node in citation.iterfind("Article/ArticleDate"):
        parts = [(node.findtext(name) or "").strip() for name in ("Year", "Month", "Day")]
        year, month, day = (part if part.isdigit() else "" for part in parts)
        if year:
            dates.append("-".join([year] + ([month.zfill(2)] + ([day.zfill(2)] if day else []) if month else [])))
    return min(dates, default="")


def _finer(date: str, citation: etree._Element) -> str:
    """pubmed_parser's date of issue; where it gives a bare year, the first month of "2015 Oct-Dec" is added."""
    match = _MEDLINE_DATE.match(citation.findtext("Article/Journal/JournalIssue/PubDate/MedlineDate") or "")
    month = month_or_day_formater(match[2]) if match else None
    return f"{match[1]}-{month}" if match and month and date == match[1] else date
