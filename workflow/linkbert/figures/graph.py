"""Corpora at a glance: degrees and hubs of a graph; mixture, partners and lengths of its instances."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, PercentFormatter

from linkbert.figures.style import COLORS, INCHES, QUIET, empty, head, styled

_THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
_TITLE = 26  # characters of a document's title


def plot_graph(report: Mapping[str, Any], degrees: Mapping[str, np.ndarray]) -> Figure:
    """Documents by in- and out-degree on logarithmic axes, and the most linked documents.

    Args:
        report: what ``report.json`` of a graph folder holds.
        degrees: "in" and "out", int64 [D] each.
    """
    with styled():
        figure, axes = plt.subplots(1, 3, figsize=(3 * INCHES, 2.9), layout="constrained")
        for panel, name, color in zip(axes, ("in", "out"), COLORS, strict=False):
            _degrees(panel, degrees[name], color)
            panel.set_title(f"{name.capitalize()}-degree")
        _hubs(axes[2], report["most_linked"])
        kind = {"tfidf": "TF-IDF"}.get(report["links"], report["links"].capitalize())
        title = f"{kind} graph: {report['documents']:,} documents, {report['edges']:,} edges"
        head(figure, title)
        return figure


def _degrees(axes: Axes, degree: np.ndarray, color: str) -> None:
    """Every degree as a dot, and means over bins that double in width as a line."""
    value, count = np.unique(degree[degree > 0], return_counts=True)
    without = int((degree == 0).sum())
    if not len(value):
        empty(axes, "no edges")
        return
    axes.loglog(value, count, ".", color=color, alpha=0.35, markersize=4, markeredgewidth=0)
    edges = 2.0 ** np.arange(int(np.log2(value[-1])) + 2)
    inside, _ = np.histogram(value, edges, weights=count)
    middle = np.sqrt(edges[:-1] * (edges[1:] - 1).clip(edges[:-1]))
    shown = inside > 0
    axes.loglog(middle[shown], (inside / np.diff(edges))[shown], "-o", color=color, markersize=3)
    note = f"degree: median {np.median(degree):,.0f}, largest {degree.max():,}; {without / len(degree):.1%} have none"
    axes.set(ylabel="documents", xlim=(0.8, max(2 * value[-1], 20)))
    axes.set_ylim(top=3 * count.max())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_THOUSANDS)
        axis.set_minor_formatter(NullFormatter())
    axes.set_xlabel(note, fontsize=8)


def _hubs(axes: Axes, most_linked: Sequence[Mapping[str, Any]]) -> None:
    hubs = [hub for hub in most_linked if hub["in_degree"]]
    if not hubs:
        empty(axes, "no document is linked to")
        return
    names = [hub["title"] if len(hub["title"]) <= _TITLE else hub["title"][: _TITLE - 1] + "…" for hub in hubs]
    place = np.arange(len(hubs))[::-1]
    values = [hub["in_degree"] for hub in hubs]
    axes.barh(place, values, color=COLORS[2], height=0.7)
    axes.set_yticks(place, names, fontsize=8)
    for y, value in zip(place, values, strict=True):
        axes.annotate(
            f"{value:,}", (value, y), (3, 0), textcoords="offset points", va="center", fontsize=7, color=QUIET
        )
    axes.margins(x=0.16)
    axes.grid(axis="y", visible=False)
    axes.xaxis.set_major_locator(plt.MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(_THOUSANDS)
    axes.set_title("Most linked documents")
    axes.set_xlabel("in-degree")


def plot_instances(report: Mapping[str, Any]) -> Figure:
    """The mixture, the in-degree of linked partners with and without the correction, and the lengths of instances.

    Args:
        report: what `linkbert.instances.report.describe_instances` returns.
    """
    with styled():
        figure, axes = plt.subplots(1, 3, figsize=(3 * INCHES, 2.9), layout="constrained")
        _mixture(axes[0], report)
        _partners(axes[1], report["partners"])
        _lengths(axes[2], report["lengths"])
        head(figure, f"{report['instances']:,} instances: {report['title']}")
        return figure


def _mixture(axes: Axes, report: Mapping[str, Any]) -> None:
    names = report["relations"]
    kinds = ("declared", "expected", "realised")
    for number, kind in enumerate(kinds):
        place = np.arange(len(names)) + 0.27 * (number - 1)
        color = ("#C9CFD6", COLORS[5], COLORS[0])[number]
        axes.bar(place, report[kind], width=0.25, color=color, label=kind)
    for place, share in enumerate(report["realised"]):
        axes.annotate(
            f"{share:.1%}", (place + 0.27, share), (0, 2), textcoords="offset points", ha="center", fontsize=7
        )
    axes.set_xticks(range(len(names)), names)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.margins(y=0.25)
    axes.legend(ncols=3, loc="upper center", fontsize=7, columnspacing=1, handlelength=1)
    axes.grid(axis="x", visible=False)
    axes.set_title("Mixture")


def _partners(axes: Axes, partners: Mapping[str, Any]) -> None:
    axes.set_title("In-degree of linked documents")
    if not partners:
        empty(axes, "no linked instances")
        return
    classes = partners["classes"]
    for number, (kind, label) in enumerate((("uniform", "all links alike"), ("inverse", "1 / in-degree"))):
        found = partners[kind]
        share = np.array(found["instances"]) / max(sum(found["instances"]), 1)
        label = f"{label}: mean {found['mean']:,.1f}"
        axes.step(range(len(classes)), share, where="mid", color=COLORS[1 - number], label=label)
        axes.plot(range(len(classes)), share, "so"[number], color=COLORS[1 - number], markersize=3)
    axes.set_xticks(range(len(classes)), classes, rotation=45, ha="right", fontsize=7)
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylim(0, 1.4 * axes.dataLim.y1)
    axes.set(xlabel="in-degree", ylabel="linked instances")
    axes.legend(loc="upper right", fontsize=7)


def _lengths(axes: Axes, lengths: Mapping[str, Any]) -> None:
    edges, total = np.array(lengths["edges"]), sum(lengths["both"])
    for number, (kind, label) in enumerate((("a", "segment A"), ("b", "segment B"), ("both", "[CLS] A [SEP] B [SEP]"))):
        share = np.array(lengths[kind]) / max(total, 1)
        axes.stairs(share, edges, color=COLORS[number], label=label, linewidth=1.3)
    axes.set(xlabel="tokens", ylabel="instances", xlim=(0, edges[-1]))
    axes.set_yscale("symlog", linthresh=0.01)
    axes.set_yticks([0, 0.01, 0.1, 1])
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_ylim(0, 1.5)
    axes.legend(loc="upper center", fontsize=7)
    axes.set_title(f"Lengths: fill {lengths['fill']:.1%}")
