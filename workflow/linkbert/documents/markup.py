"""Wikitext, first half: what is no running text at all is cut out, and its links are counted under a reason.

In MediaWiki's own order: comments and extension tags, then templates, then tables. Each step is one regular
expression that finds tokens and one loop over them; nothing is scanned twice, whatever the input.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

# An invisible separator left by <nowiki/>: it keeps its neighbours from being read together. XML cannot contain it.
SEPARATOR = "\x03"

# Stands for "[[" from the start, so that no cut can make a link of two brackets, or lose one: the account is exact.
OPENING = "\x06"

_FORMULA = {"math", "chem", "ce"}
_OPAQUE = """
    nowiki ref references gallery timeline imagemap source syntaxhighlight pre score hiero graph mapframe maplink
    templatedata templatestyles categorytree inputbox indicator includeonly charinsert section math chem ce"""
OPAQUE_TAGS = tuple(_OPAQUE.split())

# Attributes stop at the next "<", so a page of unfinished tags is still read in linear time.
_OPAQUE_START = re.compile(rf"<(?:(!--)|({'|'.join(OPAQUE_TAGS)})\b[^<>]*?(/?)>)", re.IGNORECASE)
_CLOSING = {tag: re.compile(rf"</{tag}\s*>", re.IGNORECASE) for tag in OPAQUE_TAGS}

# Escaped as character references, these are text to every later step, and the last step decodes them.
_ESCAPED = str.maketrans({character: f"&#{ord(character)};" for character in "[]{}|'=_<>~"})


def cut_opaque(text: str, dropped: Counter[str]) -> str:
    """Without comments and extension tags; ``<nowiki>`` becomes plain text, the n-th formula "formula_n".

    The placeholder is WikiExtractor's (the paper's tool, §5.1): it keeps "where formula_1 is the mass" a sentence.
    """
    if "<" not in text:
        return text
    pieces: list[str] = []
    position = search_from = formulas = 0
    unclosed: set[str] = set()
    while match := _OPAQUE_START.search(text, search_from):
        comment, tag, closed = match.groups()
        start, end = match.span()
        replacement = ""
        if comment:
            found = text.find("-->", end)
            start, end = _comment_span(text, start, len(text) if found < 0 else found + 3)
            dropped["in_comment"] += text.count(OPENING, start, end)
        elif closed:
            dropped["in_tag"] += text.count(OPENING, start, end)
            replacement = SEPARATOR
        else:
            tag = tag.lower()
            last = None if tag in unclosed else _CLOSING[tag].search(text, end)
            if not last:
                # As MediaWiki: without an end it is no extension tag, only a tag to be stripped like any other.
                unclosed.add(tag)
                search_from = end
                continue
            content_start, content_end, end = end, last.start(), last.end()
            if tag == "nowiki":
                dropped["in_nowiki"] += text.count(OPENING, start, end)
                # The separator keeps the start of a line from being read as a list or a heading.
                content = text[content_start:content_end].replace(OPENING, "[[").translate(_ESCAPED)
                replacement = SEPARATOR + content.replace("\n", "\n" + SEPARATOR)
            else:
                dropped["in_ref" if tag.startswith("ref") else "in_extension"] += text.count(OPENING, start, end)
                if tag in _FORMULA:
                    formulas += 1
                    replacement = f"formula&#95;{formulas}"
        pieces += (text[position:start], replacement)
        position = search_from = end
    pieces.append(text[position:])
    return "".join(pieces)


def _comment_span(text: str, start: int, end: int) -> tuple[int, int]:
    """A comment alone on its line takes the line with it, as MediaWiki does, and makes no new paragraph."""
    first, last = start, end
    while first and text[first - 1] in " \t":
        first -= 1
    while last < len(text) and text[last] in " \t":
        last += 1
    if (first == 0 or text[first - 1] == "\n") and last < len(text) and text[last] == "\n":
        return first, last + 1
    return start, end


# Templates whose rendering is (nearly) one of their parameters or a constant. Everything else is dropped.
# A pattern is written "{1}" for its first parameter, "{-1}" for its last, "{name}" for a named one;
# "lang-*" stands for every name that begins so.
INLINE_TEMPLATES = {
    "lang": "{2}", "lang-*": "{1}", "transl": "{-1}", "transliteration": "{-1}", "nowrap": "{1}", "nobr": "{1}",
    "nobreak": "{1}", "small": "{1}", "smaller": "{1}", "big": "{1}", "abbr": "{1}", "tooltip": "{1}",
    "convert": "{1} {2}", "cvt": "{1} {2}", "as of": "As of {1}", "circa": "c. {1}", "c.": "c. {1}",
    "quote": "{1}{text}", "blockquote": "{1}{text}", "cquote": "{1}{text}{quote}", "us$": "US${1}", "gbp": "£{1}",
    "£": "£{1}", "€": "€{1}", "frac": "{1}/{2}", "chem": "{1}{2}{3}{4}{5}{6}{7}{8}", "chem2": "{1}",
    "sup": "{1}", "sub": "{1}", "ill": "{1}", "interlanguage link": "{1}", "sic": "{1}", "val": "{1}",
    "angle bracket": "⟨{1}⟩", "angbr": "⟨{1}⟩", "keypress": "{1}", "em": "{1}", "strong": "{1}",
    "visible anchor": "{1}", "vanchor": "{1}", "formatnum": "{1}", "nihongo": "{1}", "uss": "USS {1}",
    "hms": "HMS {1}", "ss": "SS {1}", "sc": "{1}", "math": "{1}", "mvar": "{1}", "var": "{1}", "script": "{2}",
    "currency": "{1}", "oldstyledate": "{1}", "ndash": "–", "en dash": "–", "–": "–", "mdash": "—", "em dash": "—",
    "—": "—", "spaced ndash": " – ", "snd": " – ", "spnd": " – ", "dash": " – ", "nbsp": " ", "'": "'", "`": "'",
    "=": "&#61;", "!": "|", "(": "&#123;", ")": "&#125;", "·": "·", "•": "•", "middot": "·", "bullet": "•",
    "times": "×", "sdash": " – ",
}  # fmt: skip

_PARAMETER = re.compile(r"\{(-?\w+)\}")
_NAMED = re.compile(r"\s*([\w -]{1,40}?)\s*=(.*)", re.DOTALL)
# A bar that is not inside a link.
_BAR = re.compile(rf"\|(?![^\[\]{OPENING}]*\]\])")
_LONGEST_INLINE = 4000  # characters: beyond, a template is no inline text; it also bounds the look-ahead of _BAR
_DEEPEST_INLINE = 40  # MediaWiki's own limit is of this size


def cut_templates(text: str, dropped: Counter[str], inline: Mapping[str, str] = INLINE_TEMPLATES) -> str:
    """Without ``{{...}}`` and ``{{{...}}}``, nested or not; templates named in `inline` leave their text.

    Braces without a partner are removed, what they enclose stays.
    """
    pieces: list[str] = []
    opened: list[tuple[int, int]] = []  # of each run of opening braces their number, and the pieces before it
    for opening, inside in _runs(text, "{{"):
        if opening:
            opened.append((opening, len(pieces)))
        if "}}" not in inside:
            pieces.append(inside)
            continue
        for closing, after in _runs(inside, "}}"):
            while closing >= 2 and opened:
                waiting, start = opened.pop()
                taken = min(waiting, closing, 3)
                pieces[start:] = [_render("".join(pieces[start:]), taken, len(opened), dropped, inline)]
                closing -= taken
                waiting -= taken
                if waiting >= 2:
                    opened.append((waiting, start))
                elif waiting:
                    pieces.insert(start, "{")
            pieces.append("}" + after if closing == 1 else after)
    return "".join(pieces)


def _runs(text: str, pair: str) -> Iterator[tuple[int, str]]:
    """0 and the text before the first run of two or more braces, then the length of each run and the text after it."""
    before, *rest = text.split(pair)
    yield 0, before
    length = 0
    for number, piece in enumerate(rest, start=1):
        length += 2
        if piece or number == len(rest):
            odd = piece[:1] == pair[0]
            yield length + odd, piece[1:] if odd else piece
            length = 0


def _render(body: str, braces: int, depth: int, dropped: Counter[str], inline: Mapping[str, str]) -> str:
    links = body.count(OPENING)
    rendered = ""
    if braces == 2 and len(body) < _LONGEST_INLINE and depth < _DEEPEST_INLINE:
        name = body[: body.find("|")] if "|" in body else body
        name = name.replace("_", " ").strip()
        lower = name.lower()
        family, hyphen, _ = lower.partition("-")
        for known in (name, lower, f"{family}-*" if hyphen else ""):
            if known in inline:
                rendered = _fill(inline[known], body)
                break
    dropped["in_template"] += links - rendered.count(OPENING)
    return rendered


def _fill(pattern: str, body: str) -> str:
    values: dict[str, str] = {}
    number = 0
    for part in _BAR.split(body)[1:]:
        named = _NAMED.match(part)
        if named:
            values[named[1]] = named[2].strip()
        else:
            number += 1
            values.setdefault(str(number), part.strip())
    values["-1"] = values.get(str(number), "")
    return _PARAMETER.sub(lambda match: values.get(match[1], ""), pattern)


_WIKI_TABLE = re.compile(r"\n[ \t:*#;]*(?:(\{\|)|\|\}(?!\}))")
_HTML_TABLE = re.compile(r"<(?:(table)|/table)\b[^<>]*>", re.IGNORECASE)


def cut_tables(text: str, dropped: Counter[str]) -> str:
    """Without wiki tables and HTML tables, nested or not. An opening without an end cuts nothing."""
    text = "\n" + text  # so that every line begins alike
    wiki = list(_WIKI_TABLE.finditer(text)) if "{|" in text else []
    html = list(_HTML_TABLE.finditer(text)) if "<" in text else []
    regions: list[tuple[int, int]] = []
    opened: list[tuple[re.Pattern[str], int]] = []
    waiting = Counter[re.Pattern[str]]()
    for match in sorted(wiki + html, key=re.Match.start):
        kind = match.re
        if match[1]:
            opened.append((kind, match.start() + (kind is _WIKI_TABLE)))
            waiting[kind] += 1
        elif waiting[kind]:
            while True:
                other, start = opened.pop()
                waiting[other] -= 1
                if other is kind:
                    break
            while regions and regions[-1][0] >= start:
                regions.pop()
            regions.append((start, match.end()))
    return cut_regions(text, regions, lambda start, end: dropped.update(in_table=text.count(OPENING, start, end)))[1:]


def cut_regions(text: str, regions: list[tuple[int, int]], told: Callable[[int, int], None]) -> str:
    """`text` without some disjoint, ordered spans, each of which is told."""
    pieces: list[str] = []
    position = 0
    for start, end in regions:
        told(start, end)
        pieces.append(text[position:start])
        position = end
    pieces.append(text[position:])
    return "".join(pieces)
