"""Pretraining curves: masked-token loss, document relation accuracy, learning rate, throughput."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter

from linkbert.errors import UserError
from linkbert.figures.style import COLORS, INCHES, MARKERS, QUIET, empty, head, styled
from linkbert.files import read_json

Record = Mapping[str, Any]  # a training.json
RELATIONS = ("contiguous", "random", "linked")  # as `linkbert.model.bert` numbers them, without importing torch
DASHES = {"contiguous": "-", "random": ":", "linked": (0, (5, 1.5))}


def read_training(path: Path) -> Record:
    """A ``training.json``; a UserError for a file that holds no curve."""
    record = read_json(path)
    if not isinstance(record, dict) or not isinstance(record.get("curve"), list):
        raise UserError(f"{path}: not a training record: it has no 'curve'.")
    return record


def series(entries: Sequence[Record], *keys: str) -> tuple[list[float], list[float]]:
    """Steps and values of a nested key, for the entries that have a number there.

    >>> series([{"step": 1, "mlm": {"loss": 9.5}}, {"step": 2}, {"step": 3, "mlm": {"loss": None}}], "mlm", "loss")
    ([1], [9.5])
    """
    steps, values = [], []
    for entry in entries:
        value: Any = entry
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if isinstance(value, int | float) and math.isfinite(value) and "step" in entry:
            steps.append(entry["step"])
            values.append(value)
    return steps, values


def recalls(entries: Sequence[Record]) -> dict[str, tuple[list[float], list[float], list[float]]]:
    """Steps, accuracy in percent and its standard error, by true relation, from the confusion matrices.

    The error is the binomial's. A relation that the objective does not know, or that never occurs, is left out.
    """
    curves: dict[str, tuple[list[float], list[float], list[float]]] = {}
    for entry in entries:
        confusion = (entry.get("relation") or {}).get("confusion") or []
        for name, line, right in zip(RELATIONS, confusion, range(len(confusion)), strict=False):
            total = sum(line)
            if total:
                steps, values, errors = curves.setdefault(name, ([], [], []))
                share = line[right] / total
                steps.append(entry["step"])
                values.append(100 * share)
                errors.append(100 * math.sqrt(share * (1 - share) / total))
    return curves


def plot_training(records: Mapping[str, Record]) -> Figure:
    """The curves of some models (name -> training.json) in six panels, the last of which is the legend."""
    if not records:
        raise UserError("no model to plot: give at least one training record.")
    with styled():
        figure, grid = plt.subplots(2, 3, figsize=(3 * INCHES, 5.4), layout="constrained")
        looks = {name: _look(number) for number, name in enumerate(records)}
        losses, linked, relation, rate, speed, legend = grid.flat
        _losses(losses, records, looks)
        _linked(linked, records, looks)
        _relations(relation, records, looks)
        _curve(rate, records, looks, "learning_rate", "Learning rate")
        _curve(speed, records, looks, "tokens_per_second", "Throughput, tokens per second")
        _legend(legend, looks)
        for axes in (losses, linked, relation, rate, speed):
            if axes.axison:
                axes.set_xlabel("step")
                axes.xaxis.set_major_formatter(EngFormatter(sep=""))
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
    _title(axes, "MLM loss: training (thin), held-out")


def _linked(axes: Axes, records: Mapping[str, Record], looks: Mapping[str, dict[str, Any]]) -> None:
    for name, record in records.items():
        _evaluated(axes, record, ("mlm_by_relation", "linked", "loss"), looks[name])
    _title(axes, "MLM loss on held-out linked pairs")


def _evaluated(axes: Axes, record: Record, keys: tuple[str, ...], look: Mapping[str, Any]) -> None:
    entries = record.get("evaluation") or []
    steps, values = series(entries, *keys, "value")
    _, errors = series(entries, *keys, "error")
    if steps:
        errors = errors if len(errors) == len(values) else None
        axes.errorbar(steps, values, yerr=errors, **look, markersize=3.5, elinewidth=0.8)


def _relations(axes: Axes, records: Mapping[str, Record], looks: Mapping[str, dict[str, Any]]) -> None:
    chances = set()
    for name, record in records.items():
        curves = recalls(record.get("evaluation") or [])
        if curves:
            chances.add(100 / (3 if "linked" in curves else 2))
        for relation, (steps, values, errors) in curves.items():
            style = {"linestyle": DASHES[relation], **looks[name], "markersize": 3.5, "elinewidth": 0.8}
            axes.errorbar(steps, values, yerr=errors, **style)
    for chance in sorted(chances):
        axes.axhline(chance, color=QUIET, linewidth=0.8, linestyle=(0, (1, 1)), zorder=1)
    if chances:
        axes.set_ylim(-3, 103)
    _title(axes, "Held-out relation accuracy, percent")


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
    relations = [Line2D([], [], color=QUIET, linestyle=dash, label=name) for name, dash in DASHES.items()]
    relations.append(Line2D([], [], color=QUIET, linewidth=0.8, linestyle=(0, (1, 1)), label="chance"))
    axes.set_axis_off()
    axes.add_artist(axes.legend(handles=handles, loc="upper left", title="model", alignment="left", borderaxespad=0))
    axes.legend(handles=relations, loc="lower left", title="relation", alignment="left", ncols=2, borderaxespad=0)
