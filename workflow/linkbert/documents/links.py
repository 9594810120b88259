"""Wikitext, the links: ``[[target|label]]trail`` becomes a numbered mark around its anchor, or goes under a reason."""

import re
from collections import Counter
from functools import lru_cache
from typing import NamedTuple

from linkbert.documents.markup import OPENING, SEPARATOR
from linkbert.documents.titles import FILE, Site

# Letters that continue an anchor beyond its brackets ("[[dog]]s"). Scripts written without spaces have none: there
# the rest of the sentence would join the anchor. Small letters only, as in the rules of nearly all languages.
_SMALL = "".join(
    re.escape(chr(code)) for first, last in ((0x61, 0x24F), (0x370, 0x52F), (0x561, 0x587), (0x1E00, 0x1FFF))
    for code in range(first, last + 1) if chr(code).islower()
)  # fmt: skip
_TRAIL = re.compile(rf"(?:[{_SMALL}]+|[\u05d0-\u05ea]+|[\u0620-\u064a\u0671-\u06d3]+)")

_TAG = re.compile(r"<[^<>]*>")
_PIPE_TRICK = re.compile(r"\s*(?:\([^()]*\)|,.*)\s*\Z")

_LONGEST = 20_000  # characters of a link with its caption: beyond, its brackets are taken for strays

# What a reader sees of a link that is not kept: its label, or nothing.
_SHOWN = {"page", "interwiki", "namespace", "section_only", "external", "invalid"}

# Stands before a file's link that does not end well: its line is no running text.
_BROKEN_FILE = "\x05"
_BROKEN_LINE = re.compile(rf"{_BROKEN_FILE}[^\n]{{0,{_LONGEST}}}")


@lru_cache(maxsize=16)
def _hidden_prefix(names: tuple[str, ...]) -> re.Pattern[str]:
    words = "|".join(re.escape(name).replace(r"\ ", "[ _]+") for name in names)
    return re.compile(rf"[ _]*(?:{words})[ _]*:", re.IGNORECASE)


def cut_links(text: str, site: Site, dropped: Counter[str]) -> tuple[str, list[str]]:
    """The text with each link to a page as ``\\x01 n \\x04 anchor \\x02``, and the list of targets that n counts.

    Files, categories and interlanguage links leave no text; links in captions are dropped with them. Other links that
    lead to no page leave their label. One pass over the brackets, linear in the text however they are nested.
    """
    if OPENING not in text:
        return text.replace("]]", ""), []
    head, *openings = text.split(OPENING)
    page = _Page(site, head.replace("]]", ""))
    for opening in openings:
        page.read(opening)
    return page.finish(dropped), page.targets


class _Waiting(NamedTuple):
    """An opening that waits for its end: how many openings, pieces and reasons stood before it, and what it opens."""

    number: int
    piece: int
    reason: int
    is_file: bool


class _Page:
    """The brackets of a page, read from left to right."""

    def __init__(self, site: Site, head: str):
        self.resolve = site.resolve
        self.is_file = _hidden_prefix(tuple(site.names_of([FILE]))).match
        self.pieces = [head]
        self.targets: list[str] = []
        self.reasons: list[str] = []  # why links are dropped, in the order in which they end
        self.waiting: list[_Waiting] = []
        self.number = 0
        self.broken = 0  # the last piece that marks a broken file: whatever encloses it is broken, too

    def read(self, opening: str) -> None:
        """Take what stands between an opening and the next one."""
        inside, closing, after = opening.partition("]]")
        if closing:
            if after[:1] == "]" and "[" in inside:
                inside, after = inside + "]", after[1:]  # [[a|[b]]] shows "[b]"
            after = self.link(inside, after)
            if "]]" not in after:
                self.pieces.append(after)
            else:
                after, *ends = after.split("]]")
                self.pieces.append(after)
                for after in ends:
                    self.close()
                    self.pieces.append(after)
        else:
            self.waiting.append(_Waiting(self.number, len(self.pieces), len(self.reasons), bool(self.is_file(inside))))
            self.pieces += ("", inside)
        self.number += 1

    def link(self, inside: str, after: str) -> str:
        """Take a link that encloses no other; return what its trail leaves of the text after it."""
        if len(inside) > _LONGEST or ("\n\n" in inside and not self.is_file(inside)):
            if self.is_file(inside):
                self.broken = len(self.pieces)
                self.pieces.append(_BROKEN_FILE)
            else:
                self.reasons.append("unclosed")
            self.pieces.append(inside)
            return after
        target, bar, label = inside.partition("|")
        kind, title = self.resolve(target)
        if kind not in _SHOWN:
            self.reasons.append(kind)
            return after
        label = _label(label if bar else target.strip().removeprefix(":"), title or target)
        if after[:1].isalpha() and (trail := _TRAIL.match(after)):
            label += trail[0]
            after = after[trail.end() :]
        if kind == "page" and label.strip(" '\xa0\x03"):
            self.pieces.append(f"\x01{len(self.targets)}\x04{label.strip()}\x02")
            self.targets.append(title)
        else:
            self.reasons.append("empty" if kind == "page" else kind)
            self.pieces.append(SEPARATOR + label)  # "#top" at the start of a line is no list
        return after

    def close(self) -> None:
        """End the last opening that waits, which encloses others: a file goes with its caption, others stay as text."""
        if not self.waiting:
            return
        opening = self.waiting.pop()
        if not opening.is_file:
            self.reasons.append("nested")
            return
        content = "" if self.broken > opening.piece else "".join(self.pieces[opening.piece :])
        if content and len(content) <= _LONGEST:
            del self.pieces[opening.piece :], self.reasons[opening.reason :]
            self.reasons += ["file"] + ["in_caption"] * (self.number - opening.number)
        else:
            self.pieces[opening.piece] = _BROKEN_FILE
            self.broken = max(self.broken, opening.piece)

    def finish(self, dropped: Counter[str]) -> str:
        """The text, when all is read; every link that it lost is counted."""
        for opening in self.waiting:
            if opening.is_file:
                self.pieces[opening.piece] = _BROKEN_FILE
            else:
                self.reasons.append("unclosed")
        dropped.update(self.reasons)

        def cut(match: re.Match[str]) -> str:
            dropped["file"] += 1
            dropped["in_caption"] += match[0].count("\x01") + match[0].count(_BROKEN_FILE) - 1
            return ""

        text = "".join(self.pieces)
        return _BROKEN_LINE.sub(cut, text) if _BROKEN_FILE in text else text


def _label(label: str, title: str) -> str:
    """The visible text of a label: one line, without tags; an empty one is MediaWiki's pipe trick."""
    if not label:
        return _PIPE_TRICK.sub("", title.rpartition(":")[2])
    if "<" in label:
        label = _TAG.sub(lambda match: " " if match[0][1:3].lower() == "br" else SEPARATOR, label)
    return label.replace("\n", " ") if "\n" in label else label
