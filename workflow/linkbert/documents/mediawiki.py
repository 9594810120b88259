"""MediaWiki XML exports: articles, redirects, hyperlinks (paper §5.1)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from linkbert.documents import multistream
from linkbert.documents.hardened import elements, free
from linkbert.documents.sources import Source, record
from linkbert.documents.titles import Site
from linkbert.documents.wikitext import APPARATUS, Style, to_text
from linkbert.documents.writer import Tally, Writer
from linkbert.errors import UserError
from linkbert.progress import Progress


@dataclass(frozen=True)
class Options:
    """What becomes a document, and of what text.

    `min_characters`: shorter texts are dropped; an empty page always is. `keep_disambiguation`: pages that only list
    other pages; told by the templates named in `disambiguation_templates` (lower case; any ending after a space or
    hyphen). `keep_lists`, `keep_headings`, `drop_sections`, `inline_templates`: see `wikitext.Style`. `namespaces`:
    names beyond those of the export, e.g. ``{"Bild": 6}``.
    """

    min_characters: int = 1
    keep_disambiguation: bool = False
    disambiguation_templates: tuple[str, ...] = (
        "disambig", "disambiguation", "dab", "disamb", "geodis", "hndis", "hndab", "surname", "given name", "mathdab",
        "schooldis", "roaddis", "hospitaldis", "numberdis", "letter-numbercombdisambig", "shipindex", "begriffsklärung",
        "homonymie", "desambiguación", "disambigua", "disambigpagina", "значения", "неоднозначность", "пояснение",
        "aimai", "消歧义", "desambiguação",
    )  # fmt: skip
    keep_lists: bool = False
    keep_headings: bool = False
    drop_sections: tuple[str, ...] = APPARATUS
    inline_templates: dict[str, str] = field(default_factory=dict)
    namespaces: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RawPage:
    """A page of an export. `text` is None where the export holds none; `redirect` is the target it declares."""

    title: str
    namespace: int | None
    redirect: str | None
    text: str | None
    model: str


_REDIRECT = re.compile(
    r"\s*#\s*(?:redirect|redirection|redirecci[oó]n|redirecionamento|weiterleitung|rinvia|rinvio|doorverwijzing|"
    r"patrz|przekieruj|tam|перенаправление|перенапр|перенаправлення|пренасочване|виждане|omdirigering|"
    r"omdirigér|ohjaus|uudelleenohjaus|přesměruj|átirányítás|yönlendir|yönli̇ndi̇rme|転送|リダイレクト|重定向|"
    r"넘겨주기|تحويل|تغییر_مسیر|הפניה)\s*:?\s*\[\[([^\[\]|\n]+)",
    re.IGNORECASE,
)


def extract(
    paths: Sequence[Path], shard: int, shards: int, options: Options, writer: Writer, tally: Tally
) -> dict[str, str]:
    """Write the documents and redirects of one shard; return the hash of what was read of each file.

    Pages: documents + redirects + dropped ``pages.*``. Links: kept + dropped ``links.*``; a link is one ``[[``.
    """
    take = _Taker(options, writer, tally)
    progress = Progress("documents", unit="pages")
    for name in ("pages_found", "links_found"):
        tally.counts[name] += 0
    hashes: dict[str, str] = {}
    for source in multistream.open_parts(paths, shard, shards):
        for site, page in read_pages(source, options.namespaces):
            take.page(site, page)
            progress.update(note=page.title)
        record(hashes, source)
    progress.close()
    return hashes


class _Taker:
    """Decides what becomes of each page, and writes it."""

    def __init__(self, options: Options, writer: Writer, tally: Tally):
        self.options, self.writer, self.tally = options, writer, tally
        self.style = Style(options.keep_lists, options.keep_headings, options.drop_sections, options.inline_templates)
        self.is_disambiguation = _disambiguation(options.disambiguation_templates).search

    def page(self, site: Site, page: RawPage) -> None:
        text = page.text or ""
        links = text.count("[[")
        self.tally.counts["pages_found"] += 1
        self.tally.counts["links_found"] += links
        if reason := self._not_an_article(site, page):
            self._drop(reason, links)
        elif target := page.redirect or declared_redirect(text):
            kind, target = site.resolve(target)
            if kind == "page":
                self.writer.redirect(site.title(page.title), target)
                self.tally.drop("links", "in_redirect", links)
            else:
                self._drop("redirect_elsewhere", links)
        elif page.text is None:
            self._drop("no_text", links)
        elif not self.options.keep_disambiguation and (self.is_disambiguation(text) or "__DISAMBIG__" in text):
            self._drop("disambiguation", links)
        else:
            self._article(site, page.title, text)

    @staticmethod
    def _not_an_article(site: Site, page: RawPage) -> str:
        namespace = page.namespace
        if namespace is None:  # exports before 2010 do not say it
            namespace = 0 if site.resolve(page.title)[0] == "page" else -1
        if namespace:
            return "namespace"
        return "" if page.model in ("", "wikitext") else "content_model"

    def _article(self, site: Site, title: str, text: str) -> None:
        result = to_text(text, site, self.style)
        for reason, number in result.dropped.items():
            self.tally.drop("links", reason, number)
        if len(result.text) < max(self.options.min_characters, 1):
            self._drop("short" if result.text else "empty", len(result.links))
        else:
            self.writer.document(site.title(title), title, result.text, result.links)

    def _drop(self, reason: str, links: int) -> None:
        self.tally.drop("pages", reason)
        self.tally.drop("links", "in_dropped_page", links)


def declared_redirect(text: str) -> str | None:
    """The target of a page that is a redirect, as it is written there."""
    match = _REDIRECT.match(text)
    return match[1] if match else None


def _disambiguation(names: Sequence[str]) -> re.Pattern[str]:
    words = "|".join(re.escape(name).replace(r"\ ", "[ _]") for name in names)
    return re.compile(rf"\{{\{{\s*(?:{words or '(?!)'})\s*(?:[ _-][^|{{}}]*)?[|}}]", re.IGNORECASE)


def read_pages(source: Source, namespaces: dict[str, int] | None = None) -> Iterator[tuple[Site, RawPage]]:
    """The pages of an export, each with its site; of several revisions the last. Memory is bounded by one page."""
    site = Site(namespaces=namespaces or {})
    last, number = "", 0
    text: str | None = None
    model, whole = "", False

    def where() -> str:
        return f"after page {number:,}, '{last}'" if number else "before its first page"

    for element in elements(source, ("{*}page", "{*}revision", "{*}siteinfo", "{*}mediawiki"), where, doctype=False):
        tag = _name(element.tag)
        if tag == "revision":
            values = _children(element)
            text, model = values.get("text"), values.get("model") or ""
            if element.find("{*}text[@deleted]") is not None:
                text = None
            element.clear()
        elif tag == "siteinfo":
            site = _site(element, namespaces or {})
        elif tag == "page":
            redirect = element.find("{*}redirect")
            target = None if redirect is None else redirect.get("title")
            values = _children(element)
            last, number = values.get("title") or "", number + 1
            namespace = values.get("ns")
            free(element)
            yield site, RawPage(last, _number(namespace) if namespace else None, target, text, model)
            text, model = None, ""
        elif element.getparent() is None:
            whole = True
    if not whole:
        raise UserError(f"{source.path}: not a MediaWiki export: its root element is not <mediawiki>.")


def _name(tag: str) -> str:
    return tag.rpartition("}")[2]


def _number(text: str | None) -> int:
    """The number of a namespace; -1, which is never an article's, where it is none."""
    try:
        return int(text or "0")
    except ValueError:
        return -1


def _children(element) -> dict[str, str | None]:
    return {_name(child.tag): child.text or "" for child in element}


def _site(siteinfo, extra: dict[str, int]) -> Site:
    root = siteinfo.getparent()
    language = root.get("{http://www.w3.org/XML/1998/namespace}lang", "en") if root is not None else "en"
    names = {item.text or "": _number(item.get("key")) for item in siteinfo.iterfind("{*}namespaces/{*}namespace")}
    return Site(language, names | extra, siteinfo.findtext("{*}case", "first-letter") != "case-sensitive")
