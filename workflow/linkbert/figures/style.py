"""What all figures share: size, type, colours that colour-blind readers and grey printers can tell apart, saving."""

import os
import textwrap

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linkbert.files import atomic_file

# Okabe and Ito's colours, dark enough on white; each comes with a marker and a line style of its own.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#56B4E9", "#E69F00", "#7F7F7F")
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "h")
QUIET = "#59636E"
WARNING = "#A04000"
INCHES = 3.4  # the width of a panel; three fill a printed page

SETTINGS = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E3E7EB",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
    "text.parse_math": False,  # a name with two dollar signs is no formula
    "svg.hashsalt": "linkbert",  # the same figure has the same bytes
    "svg.fonttype": "path",
    "savefig.dpi": 200,
}


def styled() -> "matplotlib.rc_context":
    """A context in which figures are drawn in the common style."""
    return matplotlib.rc_context(SETTINGS)


def head(figure: Figure, title: str, note: str = "", width: int = 100) -> None:
    """A title at the upper left and, below it, a note that cannot be overlooked."""
    lines = textwrap.wrap(note, width)
    line = 0.17 / figure.get_figheight()  # of a line of type, as a share of the height
    figure.text(0.012, 1.0, title, fontsize=11, fontweight="bold", va="top")
    for number, text in enumerate(lines, 1):
        figure.text(0.012, 1.0 - (number + 0.35) * line, text, fontsize=9, fontweight="bold", color=WARNING, va="top")
    figure.get_layout_engine().set(rect=(0, 0, 1, 1 - (len(lines) + 1.8) * line))


def empty(axes: Axes, text: str) -> None:
    """Say in a panel why it shows nothing."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=QUIET)


def save(figure: Figure, prefix: str | os.PathLike) -> None:
    """Write ``prefix.svg`` and ``prefix.png``, each whole or not at all, without a time inside."""
    for suffix, metadata in (("svg", {"Date": None, "Creator": None}), ("png", {"Software": None})):
        with styled(), atomic_file(f"{os.fspath(prefix)}.{suffix}") as temporary:
            figure.savefig(temporary, format=suffix, metadata=metadata, bbox_inches="tight", pad_inches=0.1)
    plt.close(figure)
