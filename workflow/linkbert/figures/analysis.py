"""Figures across tables: few-shot curves, ablation bars, robustness to distractors; ours filled, the paper's hollow."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, NullLocator

from linkbert.errors import UserError
from linkbert.figures.definition import check_analysis
from linkbert.figures.style import COLORS, INCHES, MARKERS, QUIET, empty, head, styled
from linkbert.tables.cells import Document, cells_by_key
from linkbert.tables.layout import signed

DASH = (0, (4, 2))
BARS = (("#D55E00", ""), ("#009E73", "////"), ("#CC79A7", "...."), ("#7F7F7F", "xxxx"), ("#0072B2", "----"))


@dataclass(frozen=True)
class Value:
    """A number of ours with its spread over seeds; both None where there is none."""

    mean: float | None
    spread: float | None


@dataclass(frozen=True)
class Source:
    """The cells, columns and rows of some tables, looked up in their order."""

    documents: Sequence[Document]

    def cell(self, model: str, task: str) -> Mapping[str, Any] | None:
        found = (cells_by_key(document).get((model, task)) for document in self.documents)
        return next((cell for cell in found if cell), None)

    def ours(self, model: str, task: str) -> Value:
        cell = self.cell(model, task)
        return Value(cell["mean"], cell["spread"]) if cell else Value(None, None)

    def paper(self, model: str, task: str) -> float | None:
        cell = self.cell(model, task)
        return cell["published"]["value"] if cell and cell["published"] else None

    def title(self, what: str, name: str) -> str:
        """The title of a row ("model") or column ("id")."""
        entries = (entry for one in self.documents for entry in one["rows" if what == "model" else "columns"])
        return next((entry["title"] for entry in entries if entry[what] == name), name)

    @property
    def note(self) -> str:
        return next((document["note"] for document in self.documents if document["note"]), "")


def plot_analysis(name: str, definition: Mapping[str, Any], documents: Sequence[Document]) -> Figure:
    """A declared figure from table documents; what was not run is said in it."""
    check_analysis(name, definition)
    by_name = {document["table"]: document for document in documents}
    source = Source([by_name[table] for table in definition["tables"] if table in by_name])
    models = [model for model in definition["models"] if any(_in(document, model) for document in source.documents)]
    if not models:
        raise UserError(f"figure {name}: none of {', '.join(definition['models'])} is in the given tables.")
    draw: Callable[..., Figure] = {"fewshot": _fewshot, "ablation": _ablation, "robustness": _robustness}[
        definition["kind"]
    ]
    with styled():
        figure = draw({**definition, "models": models}, source)
        head(figure, definition["title"], source.note, width=int(figure.get_figwidth() * 13))
        return figure


def _in(document: Document, model: str) -> bool:
    return any(row["model"] == model for row in document["rows"])


def _numbers(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _keys(looks: Mapping[str, tuple[str, str]], source: Source, ours: bool, paper: bool) -> list[Line2D]:
    handles = [
        Line2D([], [], color=color, marker=marker, markersize=5, label=source.title("model", model))
        for model, (color, marker) in looks.items()
    ]
    style = {"color": QUIET, "marker": "o", "markersize": 5}
    handles += [Line2D([], [], **style, label="ours")] if ours else []
    handles += [Line2D([], [], **style, linestyle=DASH, markerfacecolor="white", label="paper")] if paper else []
    return handles


def _fewshot(definition: Mapping[str, Any], source: Source) -> Figure:
    """A panel a data set: score over the share of training questions, a line a model."""
    panels = {title: {float(at): task for at, task in shares.items()} for title, shares in definition["tasks"].items()}
    looks = dict(zip(definition["models"], zip(COLORS, MARKERS, strict=True), strict=False))
    figure, grid = plt.subplots(
        1, len(panels), figsize=(0.6 + 2.35 * len(panels), 3.5), squeeze=False, layout="constrained"
    )
    drawn = {"ours": False, "paper": False}
    for axes, (title, shares) in zip(grid[0], panels.items(), strict=True):
        places = sorted(shares)
        for number, (model, (color, marker)) in enumerate(looks.items()):
            style = {"color": color, "marker": marker, "markersize": 5}
            beside = 1.07 ** (number - (len(looks) - 1) / 2)  # so that equal scores do not hide one another
            paper = [(at * beside, value) for at in places if (value := source.paper(model, shares[at])) is not None]
            if paper:
                drawn["paper"] = True
                axes.plot(*zip(*paper, strict=True), **style, linestyle=DASH, markerfacecolor="white", linewidth=1.1)
            ours = [(at * beside, value) for at in places if (value := source.ours(model, shares[at])).mean is not None]
            if ours:
                drawn["ours"] = True
                heights = [value.mean for _, value in ours]
                spreads = [value.spread or 0.0 for _, value in ours]
                axes.errorbar([at for at, _ in ours], heights, yerr=spreads, **style, capsize=2, zorder=4)
        axes.set_title(title)
        if not axes.lines:
            empty(axes, "not run")
            continue
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(places))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_xticks(places, [f"{at:g} %" for at in places])
        axes.set_xlim(min(places) / 1.35, max(places) * 1.35)
        axes.set_xlabel("of the training questions")
    grid[0][0].set_ylabel("F1")
    handles = _keys(looks, source, **drawn)
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), handletextpad=0.4)
    return figure


def _ablation(definition: Mapping[str, Any], source: Source) -> Figure:
    """Bars of the difference to the reference, by data set and on average; the paper's as outlines around ours."""
    models, tasks, reference = definition["models"], definition["tasks"], definition["reference"]
    groups = [*tasks, "mean"]
    figure, axes = plt.subplots(figsize=(1.2 + 0.42 * len(groups) * (len(models) + 1), 3.7), layout="constrained")
    room = 0.84 / len(models)
    ours, paper = False, False
    for number, model in enumerate(models):
        color, hatch = BARS[number % len(BARS)]
        costs = [_cost(source, model, reference, task) for task in tasks]
        published = [_published_cost(source, model, reference, task) for task in tasks]
        costs.append(_mean_cost(costs))
        published.append(statistics.fmean(_numbers(published)) if None not in published else None)
        for place, (cost, said) in enumerate(zip(costs, published, strict=True)):
            x = place + (number - (len(models) - 1) / 2) * room
            if said is not None:
                paper = True
                axes.bar(x, said, room * 0.92, facecolor="none", edgecolor=color, linewidth=1.1, zorder=3)
            if cost.mean is not None:
                ours = True
                style = {"color": color, "hatch": hatch, "edgecolor": "white", "linewidth": 0}
                axes.bar(x, cost.mean, room * 0.52, **style, zorder=2)
                if cost.spread:
                    axes.errorbar(
                        x, cost.mean, yerr=cost.spread, color="#1A1D21", elinewidth=0.9, capsize=1.5, zorder=4
                    )
    if not (ours or paper):
        empty(axes, "nothing was run")
        return figure
    axes.axhline(0, color="#1A1D21", linewidth=0.9)
    axes.axvline(len(tasks) - 0.5, color="#AEB6BF", linewidth=0.8)
    axes.grid(axis="x", visible=False)
    axes.set_xticks(range(len(groups)), [*(source.title("id", task) for task in tasks), "mean"])
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel(f"points, less {source.title('model', reference)}")
    handles: list[Patch] = [
        Patch(facecolor=color, hatch=hatch, edgecolor="white", label=source.title("model", model))
        for model, (color, hatch) in zip(models, cycle(BARS), strict=False)
    ]
    handles += [Patch(facecolor=QUIET, label="ours")] if ours else []
    handles += [Patch(facecolor="none", edgecolor=QUIET, label="paper")] if paper else []
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 6), handletextpad=0.5)
    if not ours:
        axes.text(0.01, 0.03, "ours: not run", transform=axes.transAxes, color=QUIET)
    return figure


def _cost(source: Source, model: str, reference: str, task: str) -> Value:
    one, other = source.ours(model, task), source.ours(reference, task)
    if one.mean is None or other.mean is None:
        return Value(None, None)
    spread = None if one.spread is None or other.spread is None else math.hypot(one.spread, other.spread)
    return Value(one.mean - other.mean, spread)


def _mean_cost(costs: Sequence[Value]) -> Value:
    """The mean over data sets, only where each has a number; its spread is not known from the cells."""
    means = _numbers(cost.mean for cost in costs)
    return Value(statistics.fmean(means), None) if len(means) == len(costs) else Value(None, None)


def _published_cost(source: Source, model: str, reference: str, task: str) -> float | None:
    one, other = source.paper(model, task), source.paper(reference, task)
    return None if one is None or other is None else one - other


def _robustness(definition: Mapping[str, Any], source: Source) -> Figure:
    """A line a model from its score without distractors to that with them, the drop beside it; below it the paper's."""
    clean, noisy = definition["tasks"]
    models = definition["models"]
    figure, axes = plt.subplots(figsize=(1.6 + 1.7 * INCHES, 1.3 + 0.55 * len(models)), layout="constrained")
    drawn = {"ours": False, "paper": False}
    for number, model in enumerate(models):
        color, marker = COLORS[number % len(COLORS)], MARKERS[number % len(MARKERS)]
        before, after = source.ours(model, clean), source.ours(model, noisy)
        paper = (source.paper(model, clean), source.paper(model, noisy))
        if before.mean is not None and after.mean is not None:
            drawn["ours"] = True
            _drop(axes, -number + 0.14, before, after, color, marker, paper=False)
        else:
            style = {"color": QUIET, "va": "center", "transform": axes.get_yaxis_transform()}
            axes.text(0.01, -number + 0.14, "ours: not run", **style)
        if paper[0] is not None and paper[1] is not None:
            drawn["paper"] = True
            _drop(axes, -number - 0.18, Value(paper[0], None), Value(paper[1], None), color, marker, paper=True)
    if not any(drawn.values()):
        axes.clear()
        empty(axes, "nothing was run")
        return figure
    axes.set_ylim(-len(models) + 0.4, 0.6)
    axes.set_yticks([-place for place in range(len(models))], [source.title("model", model) for model in models])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(f"{source.title('id', clean)} (marker) → {source.title('id', noisy)} (arrow), F1")
    axes.margins(x=0.14)
    style = {"color": QUIET, "marker": "o", "markersize": 5}
    handles = [Line2D([], [], **style, label="ours")] if drawn["ours"] else []
    if drawn["paper"]:
        handles.append(Line2D([], [], **style, linestyle=DASH, markerfacecolor="white", label="paper"))
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _drop(axes: Axes, y: float, before: Value, after: Value, color: str, marker: str, paper: bool) -> None:
    style = {"color": color, "linestyle": DASH if paper else "-", "linewidth": 1.0 if paper else 1.6}
    axes.annotate(
        "", (after.mean, y), (before.mean, y), arrowprops={"arrowstyle": "-|>", "shrinkB": 0, **style}, zorder=3
    )
    axes.plot(
        [before.mean], [y], marker, markersize=5.5, color=color, markerfacecolor="white" if paper else color, zorder=4
    )
    for value in (before, after):
        if value.spread:
            ends = [value.mean - value.spread, value.mean + value.spread]
            axes.plot(ends, [y, y], color=color, alpha=0.25, linewidth=5, solid_capstyle="butt", zorder=2)
    low = min(value.mean - (value.spread or 0.0) for value in (before, after))
    text = signed(after.mean - before.mean, 1)
    axes.annotate(text, (low, y), (-6, 0), textcoords="offset points", ha="right", va="center", fontsize=8, color=color)
