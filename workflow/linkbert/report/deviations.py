"""Open decisions and deviations, from their Markdown page, each section folded under what it counts."""

import re
from html import escape
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from linkbert.errors import UserError
from linkbert.tables.page import scroll


def rendered(text: str) -> str:
    """Markdown as HTML; a link to a file of the repository becomes plain text, because the page stands alone."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(text)
    for token in tokens:
        if token.children:
            token.children = list(_outward(token.children))
    html = parser.renderer.render(tokens, parser.options, {})
    return re.sub(r"<table>.*?</table>", lambda table: scroll(table[0], "Decisions"), html, flags=re.S)


def _outward(tokens: list[Token]) -> list[Token]:
    kept, inside = [], False
    for token in tokens:
        if token.type == "link_open" and not str(token.attrs["href"]).startswith(("https://", "http://")):
            inside = True
        elif token.type == "link_close" and inside:
            inside = False
        else:
            kept.append(token)
    return kept


def sections(text: str) -> tuple[str, list[tuple[str, str]]]:
    """What stands before the first heading of the second level, and (heading, text) of each section.

    >>> sections("# Title\\n\\nFirst.\\n\\n## One\\n\\nText.\\n")
    ('First.', [('One', 'Text.')])
    """
    first, *parts = re.split(r"^## ", text, flags=re.M)
    before = "\n".join(line for line in first.splitlines() if not line.startswith("# ")).strip()
    split = [part.partition("\n") for part in parts]
    return before, [(heading.strip(), body.strip()) for heading, _, body in split]


def count(body: str) -> str:
    """How many rows the tables of a section have, and how many of them say that they deviate."""
    lines = [line for line in body.splitlines() if line.startswith("|")]
    rules = [line for line in lines if re.fullmatch(r"[|:\s-]+", line)]
    rows = len(lines) - 2 * len(rules)  # each table has a heading and a rule below it
    departures = sum("**deviation**" in line.lower() or "(deviation)" in line.lower() for line in lines)
    parts = [f"{rows} {'row' if rows == 1 else 'rows'}"] if rows > 0 else []
    if departures:
        parts.append(f"{departures} {'departs' if departures == 1 else 'depart'} from the paper")
    return ", ".join(parts)


def deviations(path: Path) -> str:
    """The page of deviations as folded sections."""
    try:
        before, parts = sections(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file.") from None
    html = [rendered(before)]
    for heading, body in parts:
        counted = count(body)
        soft = f' <span class="soft">{escape(counted)}</span>' if counted else ""
        html.append(f"<details><summary>{escape(heading)}{soft}</summary>{rendered(body)}</details>")
    return f'<div class="deviations">{"".join(html)}</div>'
