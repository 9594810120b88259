"""The shell of a self-contained page: style and script inside, nothing fetched; light, dark, print, telephone."""

from collections.abc import Iterable
from html import escape
from pathlib import Path

from linkbert.tables.page import page as tables_page

# What is folded on the screen is printed all the same.
SCRIPT = """
addEventListener("beforeprint", () => document.querySelectorAll("details:not([open])").forEach(d => {
  d.open = true; d.dataset.folded = ""; }));
addEventListener("afterprint", () => document.querySelectorAll("details[data-folded]").forEach(d => {
  d.open = false; delete d.dataset.folded; }));
"""


def document(title: str, body: str) -> str:
    """A whole HTML page around `body`."""
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    return tables_page(title, f"{body}\n<script>{SCRIPT}</script>", f"\n{style}")


def page(title: str, notes: Iterable[str], body: str) -> str:
    """A page of its own: heading, what must be read first, and the body."""
    warnings = "".join(f'<p class="note" role="note"><strong>{escape(note)}</strong></p>' for note in notes)
    return document(title, f"<main><h1>{escape(title)}</h1>{warnings}{body}</main>")


def bar(parts: dict[str, int], words: str) -> str:
    """A bar of counts, css class -> count; `words` says the same. Class `none` stays blank."""
    spans = "".join(f'<span class="{name}" style="flex:{count}"></span>' for name, count in parts.items() if count)
    return f'<div class="bar" role="img" aria-label="{escape(words)}">{spans}</div>'
