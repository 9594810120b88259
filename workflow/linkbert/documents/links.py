"""Wikitext, the links: ``[[target|label]]trail`` becomes a numbered mark around its anchor, or goes under a reason."""

import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

from linkbert.documents.markup import SEPARATOR
from linkbert.documents.titles import FILE, Site

_BRACKETS = re.compile(r"\[\[|\]\]")

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
_LINK, _STRAY = "link", "stray"

# What a reader sees of a link that is not kept: its label, or nothing.
_SHOWN = {"interwiki", "namespace", "section_only", "external", "invalid"}


@lru_cache(maxsize=16)
def _hidden_prefix(names: tuple[str, ...]) -> re.Pattern[str]:
    words = "|".join(re.escape(name).replace(r"\ ", "[ _]+") for name in names)
    return re.compile(rf"[ _]*(?:{words})[ _]*:", re.IGNORECASE)


def cut_links(text: str, site: Site, dropped: Counter[str]) -> tuple[str, list[str]]:
    """The text with each link to a page as ``\\x01 n \\x04 anchor \\x02``, and the list of targets that n counts.

    Files, categories and interlanguage links leave no text; links in captions are dropped with them. Other links that
    lead to no page leave their label.
    """
    if "[[" not in text:
        return text.replace("]]", "") if "]]" in text else text, []
    is_file = _hidden_prefix(tuple(site.names_of([FILE]))).match
    pieces: list[str] = []
    targets: list[str] = []
    position = 0
    for start, end, reason in _spans(text, is_file):
        if start < position:
            continue
        pieces.append(text[position:start])
        position = end
        if reason != _LINK:
            if reason != _STRAY:
                dropped[reason] += 1
            continue
        if is_file(text, start + 2):
            dropped["file"] += 1
            dropped["in_caption"] += text.count("[[", start + 2, end)
            continue
        target, bar, label = text[start + 2 : end - 2].partition("|")
        kind, title = ("external", "") if "://" in target else site.resolve(target)
        if kind == "page" and "\n" in target:
            kind = "invalid"
        if kind in {"page", *_SHOWN}:
            label = _label(label, title if kind == "page" else target) if bar else target.strip().removeprefix(":")
            if trail := _TRAIL.match(text, position):
                label += trail[0]
                position = trail.end()
            if kind == "page" and label.strip(" '\xa0\x03"):
                pieces.append(f"\x01{len(targets)}\x04{label.strip()}\x02")
                targets.append(title)
                continue
            kind = "empty" if kind == "page" else kind
            pieces.append(SEPARATOR + label)  # "#top" at the start of a line is no list
        dropped[kind] += 1
    pieces.append(text[position:])
    return "".join(pieces), targets


def _label(label: str, title: str) -> str:
    """The visible text of a label: one line, without tags; an empty one is MediaWiki's pipe trick."""
    if not label:
        return _PIPE_TRICK.sub("", title.rpartition(":")[2])
    if "<" in label:
        label = _TAG.sub(lambda match: " " if match[0][1:3].lower() == "br" else "", label)
    return label.replace("\n", " ") if "\n" in label else label


def _spans(text: str, is_file: Callable[[str, int], object]) -> list[tuple[int, int, str]]:
    """Spans to cut, by start: whole links, stray closing brackets, opening ones under the reason they drop for."""
    spans: list[tuple[int, int, str]] = []
    opened: list[tuple[int, int]] = []  # start, and the number of spans before it
    for match in _BRACKETS.finditer(text):
        start = match.start()
        if text[start] == "[":
            opened.append((start, len(spans)))
            continue
        end = start + 2
        if not opened:
            spans.append((start, end, _STRAY))
            continue
        begin, before = opened.pop()
        nested = len(spans) > before
        if not nested and text[end : end + 1] == "]" and "[" in text[begin + 2 : start]:
            end += 1  # [[a|[b]]] shows "[b]"
        # Only innermost links and captions are looked through, so deep nesting stays linear.
        if nested and not is_file(text, begin + 2):
            reason = "nested"
        elif start - begin > _LONGEST or text.find("\n\n", begin, start) >= 0:
            reason = "unclosed"
        else:
            spans.append((begin, end, _LINK))
            continue
        spans += ((begin, *_alone(text, begin, is_file, reason)), (start, end, _STRAY))
    spans += ((begin, *_alone(text, begin, is_file, "unclosed")) for begin, _ in opened)
    return sorted(spans)


def _alone(text: str, begin: int, is_file: Callable[[str, int], object], reason: str) -> tuple[int, str]:
    """The end and the reason of an opening without a partner: the brackets alone, or a file's whole line."""
    if not is_file(text, begin + 2):
        return begin + 2, reason
    end = text.find("\n", begin, begin + _LONGEST)
    return (end if end >= 0 else min(begin + _LONGEST, len(text))), _LINK
