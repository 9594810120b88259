"""The state of all tables at a glance: each table in small, one square a cell, and how many of them match."""

from collections.abc import Iterable
from html import escape
from typing import Any

from linkbert.report.style import bar
from linkbert.tables.cells import CITED, NOT_RUN, Document, cells_by_key
from linkbert.tables.layout import SIGNS, number, signed

JUDGED = tuple(SIGNS)
RAN = "ran"  # a score of ours that is not judged


def css_class(mark: str) -> str:
    """The class of a cell: its mark where it was judged, `ran` where it has a score, `none` where not."""
    return mark if mark in JUDGED else "none" if mark in (NOT_RUN, CITED) else RAN


def classes(document: Document) -> dict[str, int]:
    """Our cells of a table by class; systems of others are not counted."""
    counts = dict.fromkeys((*JUDGED, RAN, "none"), 0)
    for mark, count in document["counts"].items():
        if mark != CITED:
            counts[css_class(mark)] += count
    return counts


def words(counts: dict[str, int]) -> str:
    """The counts of a table in words.

    >>> words({"matches": 3, "close": 0, "differs": 1, "ran": 0, "none": 2})
    '3 match · 1 differs · 2 not run'
    """
    said = {"matches": "match", "close": "close", "differs": "differ", RAN: "run, not judged", "none": "not run"}
    parts = [
        f"{count} {said[name]}{'s' if (name, count) == ('differs', 1) else ''}"
        for name, count in counts.items()
        if count
    ]
    return " · ".join(parts) or "no cells"


def name_of(document: Document) -> tuple[str, str]:
    """The number of a table and what it is about: "Table 1", "extractive question answering"."""
    first, _, rest = document["title"].partition(": ")
    return (first, rest) if rest else (document["title"], "")


def glance(documents: list[Document]) -> str:
    """All tables as cards that lead to the tables themselves, and the key to their squares."""
    present = {name for document in documents for name, count in classes(document).items() if count}
    near, far = (_points(document["tolerance"][name] for document in documents) for name in ("matches", "close"))
    meanings = {
        "matches": f"matches: within {near} or one spread over seeds",
        "close": f"close: within {far}",
        "differs": "differs by more",
        RAN: "run, but not to be judged against the paper",
        "none": "not run",
    }
    key = "".join(
        f'<li><span class="cell {name}" aria-hidden="true">{_sign(name)}</span>{meaning}</li>'
        for name, meaning in meanings.items()
        if name in present
    )
    cards = "\n".join(_card(document) for document in documents)
    return f'<ul class="key">{key}</ul>\n<div class="cards">\n{cards}\n</div>'


def _points(tolerances: Iterable[float]) -> str:
    """A tolerance in words; tables may declare their own."""
    found = sorted(set(tolerances))
    return f"{' or '.join(f'{number:g}' for number in found)} points{', by table' if len(found) > 1 else ''}"


def _sign(name: str) -> str:
    return SIGNS.get(name, "·" if name == RAN else "")


def _card(document: Document) -> str:
    counts, (first, rest) = classes(document), name_of(document)
    return (
        f'<a class="card" href="#{document["table"]}"><span class="soft small">{escape(first)}</span>'
        f"<strong>{escape(rest[:1].upper() + rest[1:])}</strong>{_map(document)}"
        f'{bar(counts, words(counts))}<span class="small">{words(counts)}</span></a>'
    )


def _map(document: Document) -> str:
    """Models below one another, tasks beside one another, whatever way the table is printed."""
    cells, columns = cells_by_key(document), document["columns"]
    parts = []
    for row in document["rows"]:
        if row["external"]:
            continue
        parts.append(f'<span class="name">{escape(row["title"])}</span>')
        for column in columns:
            cell = cells[row["model"], column["id"]]
            name = css_class(cell["mark"])
            parts.append(f'<span class="cell {name}" title="{escape(_tip(row, column, cell))}">{_sign(name)}</span>')
    many = len(columns) > 10
    width = f"grid-template-columns:minmax(0,10.5rem) repeat({len(columns)},{'.88' if many else '1.05'}rem)"
    return f'<div class="map{" many" if many else ""}" aria-hidden="true" style="{width}">{"".join(parts)}</div>'


def _tip(row: dict[str, Any], column: dict[str, Any], cell: dict[str, Any]) -> str:
    parts = [f"{row['title']}, {column['title']}"]
    if cell["mean"] is not None:
        parts.append(f"ours {number(cell['mean'], column['decimals'])}")
    if cell["published"]:
        parts.append(f"paper {cell['published']['text']}")
    if cell["difference"] is not None:
        parts.append(signed(cell["difference"], column["decimals"]))
    return f"{': '.join([parts[0], ', '.join(parts[1:])]) if parts[1:] else parts[0]} ({cell['mark']})"
