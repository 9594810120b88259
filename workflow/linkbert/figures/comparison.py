"""A table against the paper: our means with their spread, and the paper's numbers."""

import re
from itertools import cycle
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from linkbert.figures.style import COLORS, INCHES, MARKERS, QUIET, empty, head, styled
from linkbert.tables.cells import Document, cells_by_key

Cell = dict[str, Any]
NARROWEST = 4.0  # points
OURS, PAPER = 4.5, 7.5  # marker sizes: the paper's ring shows around our point where the two coincide


def plot_table(document: Document) -> Figure:
    """Ours filled, with bars of one spread; the paper's hollow. A panel for each group of rows.

    Ours and the paper's number are joined where they may be compared. A table of one column shows its models one
    below the other in a single panel.
    """
    with styled():
        return _models(document) if len(document["columns"]) == 1 else _groups(document)


def _groups(document: Document) -> Figure:
    cells = cells_by_key(document)
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in document["rows"]:
        groups.setdefault(row["group"], []).append(row)
    columns = document["columns"]
    families = dict.fromkeys(_family(row["model"]) for row in document["rows"])
    looks = dict(zip(families, zip(cycle(COLORS), cycle(MARKERS), strict=False), strict=False))
    models = max(len(rows) for rows in groups.values())
    height = 1.3 + len(columns) * (0.2 + 0.17 * models)
    figure, panels = plt.subplots(
        1, len(groups), figsize=(1.2 + INCHES * len(groups), height), sharey=True, squeeze=False, layout="constrained"
    )
    for axes, rows in zip(panels[0], groups.values(), strict=True):
        handles = []
        for index, row in enumerate(rows):
            color, marker = looks[_family(row["model"])]
            offset = ((len(rows) - 1) / 2 - index) * 0.75 / max(len(rows), 2)
            for place, column in enumerate(columns):
                _point(axes, cells[row["model"], column["id"]], -place + offset, color, marker)
            handles.append(Line2D([], [], color=color, marker=marker, linestyle="", label=row["title"]))
        axes.grid(axis="y", visible=False)
        for place in range(1, len(columns)):
            average = columns[place]["mean"] and not columns[place - 1]["mean"]
            axes.axhline(0.5 - place, color="#AEB6BF" if average else "#E3E7EB", linewidth=0.8 if average else 0.6)
        axes.set_ylim(-len(columns) + 0.4, 0.6)
        axes.set_yticks([-place for place in range(len(columns))], [column["title"] for column in columns])
        axes.tick_params(axis="y", length=0)
        _scores_axis(axes, "score, percent")
        axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1), handletextpad=0.2, borderaxespad=0.2)
    _finish(figure, document)
    return figure


def _family(model: str) -> str:
    """What a model is called whatever its size: it has the same colour in every panel."""
    return re.sub("-(tiny|base|large)(?=-|$)", "", model)


def _models(document: Document) -> Figure:
    cells, rows, column = cells_by_key(document), document["rows"], document["columns"][0]
    figure, axes = plt.subplots(figsize=(1.6 + 1.6 * INCHES, 1.1 + 0.3 * len(rows)), layout="constrained")
    groups = list(dict.fromkeys(row["group"] for row in rows if not row["external"]))
    for place, row in enumerate(rows):
        number = groups.index(row["group"]) if not row["external"] else None
        color, marker = (QUIET, "d") if number is None else (COLORS[number], MARKERS[number])
        _point(axes, cells[row["model"], column["id"]], -place, color, marker)
        if row["rule_above"] and place:
            axes.axhline(0.5 - place, color="#AEB6BF", linewidth=0.8)
    axes.set_ylim(-len(rows) + 0.4, 0.6)
    axes.set_yticks([-place for place in range(len(rows))], [row["title"] for row in rows])
    axes.tick_params(axis="y", length=0)
    _scores_axis(axes, f"{column['title']}, percent")
    _finish(figure, document)
    return figure


def _scores_axis(axes: Axes, label: str) -> None:
    """Few ticks, and never so narrow a range that a tenth of a point looks like a difference."""
    low, high = axes.get_xlim()
    if high - low < NARROWEST:
        axes.set_xlim((low + high - NARROWEST) / 2, (low + high + NARROWEST) / 2)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel(label)


def _point(axes: Axes, cell: Cell, y: float, color: str, marker: str) -> None:
    paper = cell["published"]["value"] if cell["published"] else None
    if paper is not None and cell["difference"] is not None:
        axes.plot([paper, cell["mean"]], [y, y], color=color, linewidth=0.8, alpha=0.6, zorder=2)
    if paper is not None:
        axes.plot([paper], [y], marker, markersize=PAPER, markerfacecolor="white", markeredgecolor=color, zorder=3)
    if cell["mean"] is not None:
        axes.errorbar(
            [cell["mean"]],
            [y],
            xerr=[cell["spread"] or 0.0],
            fmt=marker,
            markersize=OURS,
            color=color,
            elinewidth=1.2,
            capsize=2 if cell["spread"] else 0,
            zorder=4,
        )


def _finish(figure: Figure, document: Document) -> None:
    def key(size: float, face: str, label: str) -> Line2D:
        return Line2D([], [], marker="o", linestyle="", markersize=size, color=QUIET, markerfacecolor=face, label=label)

    handles = [key(PAPER, "white", "paper")]
    if any(cell["mean"] is not None for cell in document["cells"]):
        spread = any(cell["spread"] for cell in document["cells"])
        handles.insert(
            0, key(OURS, QUIET, "ours, mean ± standard deviation over seeds" if spread else "ours, one seed")
        )
    elif not any(cell["published"] for cell in document["cells"]):
        empty(figure.axes[0], "nothing was run")
    figure.legend(handles=handles, loc="outside lower center", ncols=2, handletextpad=0.2)
    head(figure, document["title"], document["note"], width=int(figure.get_figwidth() * 13))
