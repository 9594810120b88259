"""All tables at a glance: how many cells match the paper, are close, differ, or were not run."""

from html import escape
from pathlib import Path
from typing import Any

from linkbert import STAGE
from linkbert.errors import UserError
from linkbert.files import read_json
from linkbert.tables.cells import CITED, MARKS, Document
from linkbert.tables.page import bar, page, scroll
from linkbert.tables.text import aligned, plain

COUNTED = tuple(mark for mark in MARKS if mark != CITED)


def read_documents(paths: list[Path]) -> list[Document]:
    """The table documents in some JSON files; a UserError for a file that is something else, or a table given twice."""
    documents: dict[str, Document] = {}
    for path in paths:
        document = read_json(path)
        if not isinstance(document, dict) or document.get("stage") != "tables" or "cells" not in document:
            raise UserError(f"{path}: not a table made by make_table.py.")
        if document["stage_version"] != STAGE["tables"]:
            raise UserError(f"{path}: made by another version of the tables; make it again.")
        if document["table"] in documents:
            raise UserError(f"{path}: the table '{document['table']}' is given twice.")
        documents[document["table"]] = document
    return list(documents.values())


def summarize(documents: list[Document], links: dict[str, str] | None = None) -> dict[str, Any]:
    """Counts by mark for each table and in all; `links` maps a table to its page, relative to the summary."""
    tables = [
        {
            "table": document["table"],
            "title": document["title"],
            "note": document["note"],
            "page": (links or {}).get(document["table"], ""),
            "cells": sum(document["counts"][mark] for mark in COUNTED),
            **{mark: document["counts"][mark] for mark in COUNTED},
        }
        for document in documents
    ]
    total = {key: sum(table[key] for table in tables) for key in ("cells", *COUNTED)}
    return {"tables": tables, "total": total}


def _columns(summary: dict[str, Any]) -> list[str]:
    always = ("matches", "close", "differs", "not run")
    return ["cells", *(mark for mark in COUNTED if mark in always or summary["total"][mark])]


def _notes(summary: dict[str, Any]) -> dict[str, list[str]]:
    notes: dict[str, list[str]] = {}
    for table in summary["tables"]:
        if table["note"]:
            notes.setdefault(table["note"], []).append(table["table"])
    return notes


def _sentences(summary: dict[str, Any]) -> list[str]:
    """Each note once, naming its tables unless it holds for all."""
    every = len(summary["tables"])
    return [
        note if len(tables) == every else f"{', '.join(tables)}: {note}" for note, tables in _notes(summary).items()
    ]


def markdown(summary: dict[str, Any]) -> str:
    """The summary as a Markdown page."""
    columns = _columns(summary)
    rows = [["table", *columns]]
    for table in summary["tables"]:
        title = plain(table["title"])
        name = f"[{title}]({table['page']})" if table["page"] else title
        rows.append([name, *(str(table[column]) for column in columns)])
    rows.append(["**all**", *(f"**{summary['total'][column]}**" for column in columns)])
    notes = [line for sentence in _sentences(summary) for line in (f"> **{plain(sentence)}**", "")]
    return "\n".join(["# Tables", "", *notes, *aligned(rows, left=1)]) + "\n"


def html(summary: dict[str, Any]) -> str:
    """The summary as a self-contained HTML page."""
    columns = _columns(summary)
    heads = "".join(f'<th scope="col">{column}</th>' for column in columns)
    rows = []
    for table in summary["tables"]:
        name = escape(table["title"])
        name = f'<a href="{escape(table["page"])}">{name}</a>' if table["page"] else name
        numbers = "".join(f"<td>{table[column]}</td>" for column in columns)
        counts = bar({mark: table[mark] for mark in COUNTED})
        rows.append(f'<tr><th scope="row">{name}</th><td>{counts}</td>{numbers}</tr>')
    total = "".join(f"<td><strong>{summary['total'][column]}</strong></td>" for column in columns)
    counts = bar({mark: summary["total"][mark] for mark in COUNTED})
    rows.append(f'<tr class="rule"><th scope="row">all</th><td>{counts}</td>{total}</tr>')
    notes = "".join(f'<p class="note" role="note">{escape(sentence)}</p>' for sentence in _sentences(summary))
    heading = f'<thead><tr><th scope="col">table</th><th></th>{heads}</tr></thead>'
    table = f"<table>{heading}\n<tbody>{chr(10).join(rows)}</tbody></table>"
    return page("Tables", f"<h1>Tables</h1>{notes}{scroll(table, 'Tables')}")
