"""Tables that others published of these models, leaderboard entries and the model card, beside our scores."""

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from linkbert.declarations import check, read_table
from linkbert.errors import UserError, unknown
from linkbert.report.style import page
from linkbert.tables.cells import Document, cells_by_key
from linkbert.tables.layout import ON_DEV, number, signed
from linkbert.tables.page import scroll
from linkbert.tables.text import aligned, plain

COLUMNS = ("board", "benchmark", "methodology", "metric", "published", "model", "tasks", "score", "scale", "note")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["title", "layout"],
    "properties": {
        "title": {"type": "string", "minLength": 1, "description": "the heading"},
        "caption": {"type": "string", "description": "one or two sentences below the heading"},
        "layout": {"enum": ["list", "grid"], "description": "a line an entry, or methods by benchmarks"},
        "released": {"type": "string", "description": "the row of a model's released checkpoint; {model} is the name"},
    },
}
Board = dict[str, Any]
OURS, RELEASED = "ours", "released"
TITLES = {OURS: "pretrained here", RELEASED: "released, tuned here"}


@dataclass(frozen=True)
class Entry:
    """A published number: `tasks` are columns of the tables, averaged; `score` a metric of their runs."""

    board: str
    benchmark: str
    methodology: str
    metric: str
    published: str
    model: str
    tasks: tuple[str, ...]
    score: str
    scale: float
    note: str

    @property
    def decimals(self) -> int:
        """Decimals of the published number."""
        return len(self.published.partition(".")[2])


def read_entries(path: Path, board: str) -> list[Entry]:
    """The published numbers of a board; a UserError names the line that is wrong."""
    entries = []
    for line, row in read_table(path):
        where = f"{path}, line {line}"
        if tuple(row) != COLUMNS:
            raise UserError(f"{path}: the columns are {', '.join(row)}; they must be {', '.join(COLUMNS)}.")
        if row["board"] != board:
            continue
        try:
            float(row["published"]), (scale := float(row["scale"] or 1))
        except ValueError:
            raise UserError(f"{where}: 'published' and 'scale' must be numbers.") from None
        tasks = tuple(task.strip() for task in row["tasks"].split(",") if task.strip())
        entries.append(Entry(**{**row, "tasks": tasks, "scale": scale}))
    if not entries:
        raise UserError(f"{path}: no line of the board '{board}'.")
    return entries


def build(name: str, definition: Mapping[str, Any], entries: Iterable[Entry], documents: Iterable[Document]) -> Board:
    """The board as one JSON value: each published number with ours, and with that of the released checkpoint."""
    check(f"leaderboard {name}", dict(definition), SCHEMA)
    documents = list(documents)
    cells = {key: cell for one in reversed(documents) for key, cell in cells_by_key(one).items()}
    known = {model for model, _ in cells}
    released = definition.get("released", "")
    lines = []
    for entry in entries:
        models = {OURS: entry.model}
        if released and (checkpoint := released.format(model=entry.model)) in known:
            models[RELEASED] = checkpoint
        found = {kind: _score(entry, model, cells) for kind, model in models.items()}
        about = {key: getattr(entry, key) for key in ("benchmark", "methodology", "metric", "published", "note")}
        lines.append({**about, "decimals": entry.decimals, **found})
    notes = list(dict.fromkeys(one["note"] for one in documents if one["note"]))
    about = {"title": definition["title"], "caption": definition.get("caption", ""), "layout": definition["layout"]}
    return {"board": name, **about, "notes": notes, "entries": lines}


def _score(entry: Entry, model: str, cells: Mapping[tuple[str, str], Mapping[str, Any]]) -> dict[str, Any]:
    """Our number in the board's unit, its difference where it may be compared, and why there is none."""
    nothing = {"model": model, "value": None, "difference": None, "test_is_dev": False}
    if not entry.tasks:
        return {**nothing, "problem": "not computed"}
    absent = [task for task in entry.tasks if (model, task) not in cells]
    if absent:
        return {**nothing, "problem": f"{model} is in no table with {absent[0]}"}
    chosen = [cells[model, task] for task in entry.tasks]
    values = [_value(cell, entry.score) for cell in chosen]
    if any(value is None for value in values):
        return {**nothing, "problem": "not run"}
    value = statistics.fmean(value for value in values if value is not None) * entry.scale
    comparable = all(cell["comparable"] for cell in chosen)
    difference = round(value - float(entry.published), 10) if comparable else None
    return {
        **{"model": model, "value": value, "difference": difference},
        "test_is_dev": any(cell["test_is_dev"] for cell in chosen),
        "problem": "" if comparable else "not comparable",
    }


def _value(cell: Mapping[str, Any], score: str) -> float | None:
    """A cell's mean, or the mean over seeds of another metric of its runs."""
    if not score or cell["mean"] is None:
        return cell["mean"]
    values = []
    for run in cell["choice"]["runs"]:
        if score not in run["test"]:
            raise unknown(f"leaderboards: {cell['model']}, {cell['task']}", "score", score, run["test"])
        values.append(run["test"][score])
    return None if any(value is None or not math.isfinite(value) for value in values) else statistics.fmean(values)


def arrange(board: Board) -> tuple[list[str], list[list[str]]]:
    """Headings and lines of short texts; the first columns are words."""
    shown = [kind for kind in (OURS, RELEASED) if any(kind in entry for entry in board["entries"])]
    if board["layout"] == "list":
        heads = ["benchmark", "methodology", "metric", "published", *(TITLES[kind] for kind in shown), "note"]
        return heads, [_list_line(entry, shown) for entry in board["entries"]]
    benchmarks = list(dict.fromkeys(entry["benchmark"] for entry in board["entries"]))
    by_place = {(entry["methodology"], entry["benchmark"]): entry for entry in board["entries"]}
    lines = []
    for method in dict.fromkeys(entry["methodology"] for entry in board["entries"]):
        entries = [by_place.get((method, benchmark)) for benchmark in benchmarks]
        lines.append([method, "published", *(entry["published"] if entry else "" for entry in entries)])
        for kind in shown:
            if any(entry and kind in entry for entry in entries):
                lines.append(["", TITLES[kind], *(_text(entry, kind) if entry else "" for entry in entries)])
    metrics = {entry["benchmark"]: entry["metric"] for entry in board["entries"]}
    return ["model", "", *(f"{name} ({metrics[name]})" for name in benchmarks)], lines


def _list_line(entry: Mapping[str, Any], kinds: list[str]) -> list[str]:
    texts = [_text(entry, kind) for kind in kinds]
    return [entry["benchmark"], entry["methodology"], entry["metric"], entry["published"], *texts, entry["note"]]


def _text(entry: Mapping[str, Any], kind: str) -> str:
    score = entry.get(kind)
    if not score or score["value"] is None:
        return "not run" if score and score["problem"] == "not run" else ""
    text = number(score["value"], entry["decimals"]) + (ON_DEV if score["test_is_dev"] else "")
    return text if score["difference"] is None else f"{text} ({signed(score['difference'], entry['decimals'])})"


def markdown(board: Board) -> str:
    """The board as a Markdown page."""
    heads, lines = arrange(board)
    notes = [line for note in board["notes"] for line in (f"> **{plain(note)}**", "")]
    rows = [[plain(cell) for cell in line] for line in (heads, *lines)]
    left = 3 if board["layout"] == "list" else 2
    return (
        "\n".join(
            [f"# {plain(board['title'])}", "", *notes, plain(board["caption"]), "", *aligned(rows, left), "", FOOT]
        )
        + "\n"
    )


FOOT = (
    "In brackets: ours less the published number; without brackets the two must not be compared. "
    f"{ON_DEV} of a development set. Empty: not computed here; the JSON file beside this page says why."
)


def tsv(board: Board) -> str:
    """One line a published number: ours, the released checkpoint's, and why a number is missing."""
    lines = ["benchmark\tmethodology\tmetric\tpublished\tmodel\tvalue\tdifference\tproblem"]
    for entry in board["entries"]:
        for kind in (OURS, RELEASED):
            if kind in entry:
                score = entry[kind]
                numbers = ["" if score[key] is None else f"{score[key]:.6g}" for key in ("value", "difference")]
                about = [entry[key] for key in ("benchmark", "methodology", "metric", "published")]
                lines.append("\t".join([*about, score["model"], *numbers, score["problem"]]))
    return "\n".join(lines) + "\n"


def board_section(board: Board) -> str:
    """The board as a section of a page."""
    return f'<h3 id="{board["board"]}">{escape(board["title"])}</h3>{_body(board)}'


def _body(board: Board) -> str:
    heads, lines = arrange(board)
    words = 3 if board["layout"] == "list" else 2
    ends = len(heads) - 1 if board["layout"] == "list" else len(heads)  # the note is words

    def cells(line: list[str], tag: str) -> str:
        first = f'<th scope="{"row" if tag == "td" else "col"}">{escape(line[0])}</th>'
        kinds = ["" if place < words or place >= ends else ' class="number"' for place in range(len(line))]
        return first + "".join(f"<{tag}{kinds[at]}>{escape(line[at])}</{tag}>" for at in range(1, len(line)))

    body = "\n".join(f"<tr{' class=rule' if line[0] and words == 2 else ''}>{cells(line, 'td')}</tr>" for line in lines)
    head = f"<thead><tr>{cells(heads, 'th')}</tr></thead>"
    table = f'<table class="words {board["layout"]}">{head}\n<tbody>\n{body}\n</tbody></table>'
    caption = f"<p>{escape(board['caption'])}</p>" if board["caption"] else ""
    return f'{caption}{scroll(table, board["title"])}<p class="soft small">{FOOT}</p>'


def html(board: Board) -> str:
    """The board as a page of its own."""
    return page(board["title"], board["notes"], _body(board))
