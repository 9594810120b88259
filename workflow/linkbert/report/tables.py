"""The tables in full: ours, the paper's number and the difference in each cell."""

from functools import partial
from html import escape
from typing import Any

from linkbert.report.glance import css_class
from linkbert.tables import layout
from linkbert.tables.cells import NOT_COMPARABLE, NOT_RUN, Document
from linkbert.tables.html import arranged, value
from linkbert.tables.page import scroll


def table(document: Document) -> str:
    """One table in the paper's order, with its caption, tally, legend and the reasons of its gaps."""
    parts = [f'<h3 id="{document["table"]}">{escape(document["title"])}</h3>']
    if document["caption"]:
        parts.append(f"<p>{escape(document['caption'])}</p>")
    parts.append(scroll(arranged(document, partial(_cell, document)), document["title"]))
    parts.append(f'<p class="soft small">{escape(layout.tally(document))}.</p>')
    gains = [sentence for sentence in layout.legend(document) if _of_gains(sentence)]
    if gains:
        parts.append(_folded("How gains are measured", gains))
    gaps = layout.gaps(document)
    if gaps:
        parts.append(_folded("Empty cells, and why", gaps))
    return "\n".join(parts)


def legend(documents: list[Document]) -> str:
    """What the signs mean, once for all tables."""
    all_of_them = (sentence for document in documents for sentence in layout.legend(document))
    sentences = dict.fromkeys(sentence for sentence in all_of_them if not _of_gains(sentence))
    return f'<ul class="soft small">{"".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)}</ul>'


def _of_gains(sentence: str) -> bool:
    """Whether a sentence of the legend is about gains over baselines, which differ from table to table."""
    return sentence.lower().startswith("gain")


def _folded(title: str, sentences: list[str]) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f'<details class="small"><summary>{title}</summary><ul>{items}</ul></details>'


def _cell(document: Document, cell: dict[str, Any], decimals: int) -> str:
    parts = [value(cell, decimals)]
    if cell["published"]:
        parts.append(f'<span class="beside">paper {layout.paper(cell, decimals)}</span>')
    if cell["difference"] is not None:
        text = layout.difference(cell, decimals)
        parts.append(f'<span class="chip {css_class(cell["mark"])}" title="{cell["mark"]}">{escape(text)}</span>')
    elif cell["mark"] == NOT_RUN or (cell["mark"] == NOT_COMPARABLE and document["comparable"]):
        # Of a table that is not comparable as a whole the note above says it once.
        parts.append(f'<span class="beside" title="{escape(cell["reason"])}">{cell["mark"]}</span>')
    gain = layout.gain(cell, decimals)
    if gain:
        parts.append(
            f'<span class="beside" title="gain over {escape(cell["gain"]["over"])}">gain {escape(gain)}</span>'
        )
    return "".join(parts)
