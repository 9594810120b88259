"""Pretraining curves: masked-token loss, learning rate, throughput, and accuracy for each document relation."""

from collections.abc import Mapping
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter

from linkbert.errors import UserError
from linkbert.figures.records import RELATIONS, Record, recalls, series
from linkbert.figures.style import COLORS, INCHES, MARKERS, QUIET, empty, head, styled

CHANCE = (0, (1, 1))


def plot_training(records: Mapping[str, Record]) -> Figure:
    """The curves of some models (name -> training.json): losses, rate, throughput; below, a panel a relation."""
    if not records:
        raise UserError("no model to plot: give at least one training record.")
    with styled():
        figure, grid = plt.subplots(2, 4, figsize=(3.4 * INCHES, 5.2), layout="constrained")
        looks = {name: _look(number) for number, name in enumerate(records)}
        losses, linked, rate, speed, *relations, legend = grid.flat
        curves = (record[key] for record in records.values() for key in ("curve", "evaluation") if record.get(key))
        last = max((entry.get("step", 0) for curve in curves for entry in curve), default=0) or 1
        _losses(losses, records, looks)
        _linked(linked, records, looks)
        _curve(rate, records, looks, "learning_rate", "Learning rate")
        _curve(speed, records, looks, "tokens_per_second", "Tokens per second")
        for axes, relation in zip(relations, RELATIONS, strict=True):
            _relation(axes, relation, records, looks)
        _legend(legend, looks)
        for axes in (losses, linked, rate, speed, *relations):
            if axes.axison:
                axes.set_xlabel("step")
                axes.xaxis.set_major_formatter(EngFormatter(sep=""))
                axes.set_xlim(0, 1.03 * last)  # one evaluation is a point at the end of the training
        head(figure, "Pretraining")
        return figure


def _look(number: int) -> dict[str, Any]:
    """The colour and marker of the n-th model; beyond the colours, markers move on and keep pairs distinct."""
    marker = (number + number // len(COLORS)) % len(MARKERS)
    return {"color": COLORS[number % len(COLORS)], "marker": MARKERS[marker]}


def _losses(axes: Axes, records: Mapping[str, Record], looks: Mapping[str, dict[str, Any]]) -> None:
    for name, record in records.items():
        steps, values = series(record["curve"], "mlm_loss")
        axes.plot(steps, values, color=looks[name]["color"], linewidth=0.7, alpha=0.45)
        _evaluated(axes, record, ("mlm", "loss"), looks[name])
    _title(axes, "MLM loss: training, held-out")


def _linked(axes: Axes, records: Mapping[str, Record], looks: Mapping[str, dict[str, Any]]) -> None:
    for name, record in records.items():
        _evaluated(axes, record, ("mlm_by_relation", "linked", "loss"), looks[name])
    _title(axes, "MLM loss, held-out linked pairs")


def _evaluated(axes: Axes, record: Record, keys: tuple[str, ...], look: Mapping[str, Any]) -> None:
    entries = record.get("evaluation") or []
    steps, values = series(entries, *keys, "value")
    _, errors = series(entries, *keys, "error")
    if steps:
        errors = errors if len(errors) == len(values) else None
        axes.errorbar(steps, values, yerr=errors, **look, markersize=3.5, elinewidth=0.8)


def _relation(axes: Axes, relation: str, records: Mapping[str, Record], looks: Mapping[str, dict[str, Any]]) -> None:
    chances = set()
    for name, record in records.items():
        curves = recalls(record.get("evaluation") or [])
        if relation not in curves:
            continue
        chances.add(3 if "linked" in curves else 2)
        steps, values, errors = curves[relation]
        axes.errorbar(steps, values, yerr=errors, **looks[name], markersize=3.5, elinewidth=0.8)
    for ways in sorted(chances):
        axes.axhline(100 / ways, color=QUIET, linewidth=0.8, linestyle=CHANCE, zorder=1)
    if chances:
        axes.set_ylim(-3, 103)
    _title(axes, f"Recognized: {relation}, percent")


def _curve(
    axes: Axes, records: Mapping[str, Record], looks: Mapping[str, dict[str, Any]], key: str, title: str
) -> None:
    for name, record in records.items():
        steps, values = series(record["curve"], key)
        axes.plot(steps, values, color=looks[name]["color"], linewidth=1.1)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(EngFormatter(sep="") if key == "tokens_per_second" else "{x:g}")
    _title(axes, title)


def _title(axes: Axes, title: str) -> None:
    axes.set_title(title)
    if not any(len(line.get_xdata()) > 1 or line.get_marker() != "None" for line in axes.lines):
        empty(axes, "not recorded")


def _legend(axes: Axes, looks: Mapping[str, dict[str, Any]]) -> None:
    handles = [Line2D([], [], **look, markersize=4, label=name) for name, look in looks.items()]
    handles.append(Line2D([], [], color=QUIET, linewidth=0.8, linestyle=CHANCE, label="chance: one of two or three"))
    axes.set_axis_off()
    axes.legend(handles=handles, loc="upper left", borderaxespad=0)
