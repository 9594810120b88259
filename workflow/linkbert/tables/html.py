"""A table as a self-contained HTML page."""

from collections.abc import Callable
from html import escape
from typing import Any

from linkbert.tables import layout
from linkbert.tables.cells import CITED, Document, cells_by_key
from linkbert.tables.page import bar, css_class, page, scroll


def html(document: Document, provenance: str = "") -> str:
    """The table, its legend and the origin of every cell as one page; `provenance` names the JSON file beside it."""
    parts = [f"<h1>{escape(document['title'])}</h1>"]
    if document["note"]:
        parts.append(f'<p class="note" role="note">{escape(document["note"])}</p>')
    if document["caption"]:
        parts.append(f"<p>{escape(document['caption'])}</p>")
    parts += [
        scroll(arranged(document, _cell), document["title"]),
        bar({mark: count for mark, count in document["counts"].items() if mark != CITED}),
        f'<p class="quiet">{escape(layout.tally(document))}.</p>',
        _list(layout.legend(document), "legend"),
    ]
    empty = layout.gaps(document)
    if empty:
        parts.append(f"<h2>Empty, and why</h2>{_list(empty, 'quiet')}")
    jobs = layout.wanted(document)
    if jobs:
        parts.append(f"<h2>Not in the archive of scores</h2>{_list(jobs, 'quiet')}")
    parts.append(_origins(document, provenance))
    return page(document["title"], "\n".join(part for part in parts if part))


def _list(sentences: list[str], name: str) -> str:
    return f'<ul class="{name}">{"".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)}</ul>'


def arranged(document: Document, cell: Callable[[dict[str, Any], int], str]) -> str:
    """The rows and columns of a table in the paper's order; `cell` shows a cell with so many decimals."""
    cells = cells_by_key(document)
    rows, columns = document["rows"], document["columns"]

    def line(title: str, entries: list[tuple[dict[str, Any], dict[str, Any]]], rule: bool) -> str:
        numbers = "".join(f"<td>{cell(one, column['decimals'])}</td>" for one, column in entries)
        return f'<tr{" class=rule" if rule else ""}><th scope="row">{escape(title)}</th>{numbers}</tr>'

    if not document["transpose"]:
        heads = [layout.head(document, column) for column in columns]
        body = [
            line(row["title"], [(cells[row["model"], column["id"]], column) for column in columns], row["rule_above"])
            for row in rows
        ]
        return _whole("Model", heads, body)
    body, section = [], ""
    for column in columns:
        if column["section"] != section:
            section = column["section"]
            if section:
                head = f'<th colspan="{len(rows) + 1}" scope="colgroup">{escape(section)}</th>'
                body.append(f'<tr class="section rule">{head}</tr>')
        entries = [(cells[row["model"], column["id"]], column) for row in rows]
        body.append(line(layout.head(document, column), entries, bool(column["mean"]) and not section))
    return _whole("Task", [row["title"] for row in rows], body)


def _whole(corner: str, heads: list[str], body: list[str]) -> str:
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in (corner, *heads))
    return f"<table><thead><tr>{top}</tr></thead>\n<tbody>\n{chr(10).join(body)}\n</tbody></table>"


def value(cell: dict[str, Any], decimals: int) -> str:
    """Ours with its spread, strong where it is the best; nothing where there is none."""
    if cell["mean"] is None:
        return ""
    tag = "strong" if cell["best"] else "span"
    spread = f" <small>± {layout.number(cell['spread'], decimals)}</small>" if cell["spread"] is not None else ""
    return f'<{tag} class="value">{layout.number(cell["mean"], decimals)}{spread}</{tag}>'


def _cell(cell: dict[str, Any], decimals: int) -> str:
    parts = [value(cell, decimals)]
    if cell["published"]:
        source = escape(cell["published"]["source"])
        parts.append(f'<span class="paper" title="{source}">paper {layout.paper(cell, decimals)}</span>')
    text = layout.difference(cell, decimals)
    if text:
        parts.append(f'<span class="chip {css_class(cell["mark"])}" title="{cell["mark"]}">{escape(text)}</span>')
    gain = layout.gain(cell, decimals)
    if gain:
        published = cell["gain"]["paper"]
        about = "" if published is None else f"; the paper's: {layout.signed(published, decimals)}"
        title = f"gain over {cell['gain']['over']}{about}"
        parts.append(f'<span class="paper" title="{escape(title)}">gain {escape(gain)}</span>')
    return "".join(parts)


def _settings(choice: dict[str, Any]) -> str:
    """The settings by which the grid points differ, and the ones everyone asks for."""
    recipe, others = choice["recipe"], [candidate["recipe"] for candidate in choice["candidates"]]
    if not isinstance(recipe, dict):
        return str(choice["point"])
    differing = {
        key for key in recipe for other in others if not isinstance(other, dict) or other.get(key) != recipe[key]
    }
    asked = [key for key in recipe if key in differing or key in ("learning_rate", "batch_size", "epochs")]
    return ", ".join(f"{key.replace('_', ' ')} {recipe[key]}" for key in asked)


def _origins(document: Document, provenance: str) -> str:
    titles = {row["model"]: row["title"] for row in document["rows"]}
    heads = {column["id"]: column for column in document["columns"]}
    lines = []
    for cell in document["cells"]:
        choice = cell["choice"]
        if not choice:
            continue
        column = heads[cell["task"]]
        values = ", ".join(
            f"{seed}: {layout.number(value, column['decimals'])}" for seed, value in cell["by_seed"].items()
        )
        dev = "" if choice["dev"] is None else layout.number(choice["dev"], column["decimals"])
        if dev and choice["chosen_on"] != cell["task"]:
            dev += f" ({escape(choice['chosen_on'])})"
        names = dict.fromkeys(run["scores"] for run in choice["runs"])
        files = "<br>".join(f"<code>{escape(name)}</code>" for name in names)
        lines.append(
            f'<tr><th scope="row">{escape(titles[cell["model"]])}</th><td>{escape(column["title"])}</td>'
            f"<td>{escape(choice['metric'])}</td><td>{values}</td>"
            f'<td class="number">{dev}</td><td class="number">{len(choice["candidates"])}</td>'
            f"<td>{escape(_settings(choice))}</td><td>{files}</td></tr>"
        )
    if not lines:
        return ""
    heading = "".join(
        f'<th scope="col">{head}</th>'
        for head in ("Model", "Task", "Metric", "Test, by seed", "Dev", "Points", "Point chosen on dev", "Scores")
    )
    more = f' All of it, with hashes: <a href="{escape(provenance)}">{escape(provenance)}</a>.' if provenance else ""
    title = "Where each number comes from"
    table = f'<table class="text"><thead><tr>{heading}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    return (
        f"<details><summary>{title}</summary>"
        f'<p class="quiet">{len(document["scores"])} score files.{more}</p>{scroll(table, title)}</details>'
    )
