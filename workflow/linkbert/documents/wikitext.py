"""Wikitext to running text with the exact place of every link (paper §5.1: what WikiExtractor was used for).

`to_text` rewrites the page step by step with regular expressions. A kept link becomes ``\\x01 number \\x04 anchor
\\x02`` (characters that XML cannot contain), so each later step may move, join or cut text freely: offsets are read
off the finished text and cannot drift. A link whose marks do not survive is counted, never lost.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from linkbert.documents.links import cut_links
from linkbert.documents.markup import (
    INLINE_TEMPLATES,
    OPAQUE_TAGS,
    OPENING,
    SEPARATOR,
    cut_opaque,
    cut_tables,
    cut_templates,
)
from linkbert.documents.titles import Site, unescape

# Sections that hold an apparatus and no running text, in English; other languages are declared by option.
APPARATUS = (
    "bibliography", "citations", "external links", "external links and references", "footnotes", "further reading",
    "gallery", "notes", "notes and references", "references", "references and notes", "see also", "sources",
    "works cited",
)  # fmt: skip


class Link(NamedTuple):
    """A link to the page `target`; ``text[start:end]`` is its anchor."""

    target: str
    start: int
    end: int


class Page(NamedTuple):
    """The running text of a page, its links in text order, and how many ``[[`` were dropped for which reason."""

    text: str
    links: list[Link]
    dropped: Counter[str]


@dataclass(frozen=True)
class Style:
    """What counts as running text.

    The default is BERT's and WikiExtractor's: passages only, without lists, tables and headings. `inline_templates`
    adds to `markup.INLINE_TEMPLATES`, or removes with an empty value.
    """

    keep_lists: bool = False
    keep_headings: bool = False
    drop_sections: tuple[str, ...] = APPARATUS
    inline_templates: Mapping[str, str] = field(default_factory=dict)


def to_text(source: str, site: Site | None = None, style: Style | None = None) -> Page:
    """The running text and the links of one page of wikitext.

    Paragraphs are separated by a blank line; lines of one paragraph are joined. Every ``[[`` is one link: kept, or
    counted in `dropped` under one of in_comment, in_nowiki, in_ref, in_extension, in_template, in_table, in_caption,
    in_list, in_heading, in_section, in_tag, file, category, interlanguage, interwiki, namespace, section_only, empty,
    invalid, external, nested, unclosed.

    >>> page = to_text("'''Dogs''' are [[domestication|tame]] [[wolf]]s.<ref>[[Book]]</ref>")
    >>> page.text
    'Dogs are tame wolfs.'
    >>> [(link.target, page.text[link.start : link.end]) for link in page.links], dict(page.dropped)
    ([('Domestication', 'tame'), ('Wolf', 'wolfs')], {'in_ref': 1})
    """
    site, style = site or Site(), style or Style()
    dropped: Counter[str] = Counter()
    text = cut_opaque(_without_controls(source).replace("[[", OPENING), dropped)
    text = cut_templates(text, dropped, INLINE_TEMPLATES | dict(style.inline_templates))
    text = cut_tables(text, dropped)
    text, targets = cut_links(text, site, dropped)
    marked = text.count("\x01")
    if "''" in text:
        text = "\n".join(_without_quotes(line) if "''" in line else line for line in text.split("\n"))
    text = _plain(text)
    dropped["in_tag"] += marked - text.count("\x01")
    text = _paragraphs(text, style, dropped)
    marked = text.count("\x01")
    text, links = _read_links(_tidy(unescape(text)), targets)
    dropped["empty"] += marked - len(links)
    return Page(text, links, +dropped)


_CONTROLS = [chr(code) for code in range(32) if chr(code) not in "\t\n"]


def _without_controls(text: str) -> str:
    """Without the characters that serve as marks here, and their like: no well-formed export contains any."""
    # To look for one character is so fast that thirty looks take a fifth of the time of one regular expression.
    for control in _CONTROLS:
        if control in text:
            return text.replace("\r\n", "\n").translate(dict.fromkeys(map(ord, _CONTROLS), " "))
    return text


_INLINE_TAGS = """abbr b bdi bdo big cite code data del dfn em font i ins kbd mark nowiki onlyinclude noinclude q rb rp
    rt rtc ruby s samp small span strike strong sub sup time tt u var wbr includeonly"""
_BLOCK_TAGS = """blockquote caption center dd div dl dt h1 h2 h3 h4 h5 h6 hr ol p poem table tbody td tfoot th thead tr
    ul"""


def _tags(names: str) -> str:
    return "|".join(sorted(names.split(), key=len, reverse=True))


_INLINE_TAG = re.compile(rf"</?(?:{_tags(_INLINE_TAGS)}|{'|'.join(OPAQUE_TAGS)})\b[^<>]*>", re.IGNORECASE)
_BLOCK_TAG = re.compile(rf"</?(?:{_tags(_BLOCK_TAGS)})\b[^<>]*>", re.IGNORECASE)
_ITEM_TAG = re.compile(r"<li\b[^<>]*>", re.IGNORECASE)
_ITEM_END = re.compile(r"</li\s*>", re.IGNORECASE)
_BREAK_TAG = re.compile(r"<[\\/]*br\b[^<>]*>", re.IGNORECASE)
_EXTERNAL = re.compile(
    r"\[(?:https?:|ftps?:|sftp:|git:|gopher:|ircs?:|mailto:|mms:|news:|nntp:|sip:|ssh:|svn:|tel:|urn:|//)"
    r"[^\[\]\s<>\"]*(?:[ \t]+([^\[\]\n]*))?\]",
    re.IGNORECASE,
)
_VARIANT = re.compile(r"-\{([^{}]*)\}-")
_MAGIC_WORD = re.compile(r"__[^\W\d_][^\W_]{1,30}__")


def _plain(text: str) -> str:
    """Without the markup inside lines: external links, HTML tags, language variants, magic words."""
    if "[" in text:
        text = _EXTERNAL.sub(lambda match: match[1] or "", text)
    if "<" in text:
        text = _BREAK_TAG.sub("\n", text)
        text = _ITEM_END.sub("\n", _ITEM_TAG.sub("\n*", text))
        text = _BLOCK_TAG.sub("\n\n", text)
        text = _INLINE_TAG.sub("", text)
    if "-{" in text:
        text = _VARIANT.sub(_variant, text)
    if "__" in text:
        # Magic words are capitals in every language that has them; __init__ is not one.
        text = _MAGIC_WORD.sub(lambda match: "" if match[0] == match[0].upper() else match[0], text)
    return text


def _variant(match: re.Match[str]) -> str:
    """``-{zh-hans:A; zh-hant:B}-`` shows one variant to a reader: the first, here."""
    flags, bar, body = match[1].rpartition("|")
    if bar and not re.fullmatch(r"[A-Za-z;\s-]*", flags):
        body = match[1]
    elif "H" in flags or flags.strip() in {"T", "R-"}:
        return ""
    _, colon, rest = body.partition(":")
    return rest.partition(";")[0] if colon else body


_QUOTES = re.compile(r"''+")


def _without_quotes(line: str) -> str:
    """A line without its marks of bold and italics; apostrophes that stand beside them stay.

    Four are an apostrophe and bold, more than five are apostrophes and both. Where bold and italics are both odd, one
    bold is an apostrophe and italics ("l'''Énéide''"): MediaWiki's rule, first after a one-letter word.
    """
    marks = [(match.start(), len(match.group())) for match in _QUOTES.finditer(line)]
    bold = sum(length >= 3 for _, length in marks)
    italic = sum(length == 2 or length >= 5 for _, length in marks)
    apostrophe = -1
    if bold % 2 and italic % 2:
        candidates = [(_rank(line, start), start) for start, length in marks if length in (3, 4)]
        _, apostrophe = min(candidates, default=(0, -1))
    pieces: list[str] = []
    position = 0
    for start, length in marks:
        pieces.append(line[position:start])
        spare = length - 5 if length > 5 else int(length == 4)
        pieces.append("'" * (spare + (start == apostrophe)))
        position = start + length
    pieces.append(line[position:])
    return "".join(pieces)


def _rank(line: str, start: int) -> int:
    before = line[max(start - 2, 0) : start]
    if before[-1:] == " ":
        return 2
    return 0 if before[:1] == " " or len(before) == 1 else 1


_HEADING = re.compile(r"(={1,6})(.+?)(={1,6})\s*\Z")
_MARKERS = "*#:;"
_SPECIAL = "=|!{-" + _MARKERS  # what else than running text may begin with


def _paragraphs(text: str, style: Style, dropped: Counter[str]) -> str:
    """The kept lines, joined to paragraphs that a blank line separates."""
    paragraphs: list[str] = []
    lines: list[str] = []
    unwanted = {name.casefold() for name in style.drop_sections}
    skipped_level = 0  # of the heading whose section is left out; 0 outside such a section

    def end_paragraph() -> None:
        if lines:
            paragraphs.append(" ".join(lines))
            lines.clear()

    for line in text.split("\n"):
        content = line.strip()
        if not content:
            end_paragraph()
            continue
        if content[0] not in _SPECIAL and not skipped_level:
            lines.append(content)
            continue
        first = line[0]
        heading = _HEADING.match(line) if first == "=" else None
        if heading:
            end_paragraph()
            level = min(len(heading[1]), len(heading[3]))
            title = heading[2].strip(" \t=")
            if not skipped_level or level <= skipped_level:
                skipped_level = level if _bare(title).casefold() in unwanted else 0
            if style.keep_headings and not skipped_level:
                paragraphs.append(title)
            else:
                dropped["in_heading"] += line.count("\x01")
        elif skipped_level:
            dropped["in_section"] += line.count("\x01")
        elif first in _MARKERS:
            end_paragraph()
            if style.keep_lists:
                paragraphs.append(line.lstrip(_MARKERS).strip())
            else:
                dropped["in_list"] += line.count("\x01")
        elif content[0] == "|" or content.startswith(("{|", "!!")) or (content[0] == "!" and "|" in content):
            # Rows of a table without an end, or of one whose ends are made by templates.
            dropped["in_table"] += line.count("\x01")
        elif content.startswith("----"):
            end_paragraph()
            if rest := content.lstrip("-").strip():
                lines.append(rest)
        else:
            lines.append(content)
    end_paragraph()
    return "\n\n".join(paragraphs)


_MARK = re.compile(r"\x01\d*\x04?|\x02")


def _bare(text: str) -> str:
    return unescape(_MARK.sub("", text)).strip()


_INVISIBLE = "\xad\u200b\u200e\u200f\u2060\ufeff"
_ODD_SPACES = "\t\xa0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_SPACES = re.compile("  +")
_BLANK_LINES = re.compile("\n\n\n+")
_OPENING_SPACE = re.compile(r"(\x01\d+\x04) ")
_EMPTY_ROUND = re.compile(r"\([ ,;:]*\)")
_EMPTY_SQUARE = re.compile(r"\[[ ,;:]*\]")
_AFTER_BRACKET = re.compile(r"\([ ,;:]*[ ,;](?=[^ ,;:])")
# Marks around nothing, or without a partner: they must not hold an empty paragraph open.
_LOOSE_MARK = re.compile(r"(\x01\d+\x04[^\x01\x02\n]+\x02)|\x01\d+\x04|\x02")
_STOP = re.compile(r" \.(?=\s|\Z)")


def _tidy(text: str) -> str:
    """Spaces squeezed, and what dropped templates leave behind removed: "( ; born 1900)", "()", " .".

    Plain replacement wherever it will do: a pattern that begins with a space is tried at every word.
    """
    text = text.replace(SEPARATOR, "")
    for space in _ODD_SPACES[: 1 if text.isascii() else None]:
        text = text.replace(space, " ")
    if not text.isascii():
        for invisible in _INVISIBLE:
            text = text.replace(invisible, "")
    text = _SPACES.sub(" ", text)
    if "\x04 " in text or " \x02" in text:
        text = _SPACES.sub(" ", _OPENING_SPACE.sub(r" \1", text).replace(" \x02", "\x02 "))
    if "(" in text or "[" in text:
        text = _AFTER_BRACKET.sub("(", _EMPTY_SQUARE.sub("", _EMPTY_ROUND.sub("", text)))
        text = text.replace(" )", ")").replace(",)", ")").replace(";)", ")").replace(":)", ")")
    text = _STOP.sub(".", text).replace(" ,", ",")
    if "\x04\x02" in text or text.count("\x01") != text.count("\x02"):
        text = _LOOSE_MARK.sub(r"\1", text)
    text = _SPACES.sub(" ", text).replace(" \n", "\n").replace("\n ", "\n")
    return _BLANK_LINES.sub("\n\n", text).strip()


def _read_links(text: str, targets: list[str]) -> tuple[str, list[Link]]:
    """The text without marks, and the links whose anchors are left in it."""
    head, *marked = text.split("\x01")
    pieces = [head]
    links: list[Link] = []
    length = len(head)
    for mark in marked:
        number, _, rest = mark.partition("\x04")
        anchor, closing, after = rest.partition("\x02")
        if closing and "\n" not in anchor:
            links.append(Link(targets[int(number)], length, length + len(anchor)))
        pieces += (anchor, after)
        length += len(anchor) + len(after)
    return "".join(pieces), links
