"""A table document arranged as lines of short texts: what Markdown and LaTeX share."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from linkbert.tables.cells import CITED, CLOSE, DIFFERS, MARKS, MATCHES, NOT_COMPARABLE, NOT_RUN, Document, cells_by_key

SIGNS = {MATCHES: "✓", CLOSE: "≈", DIFFERS: "✗"}
ON_DEV = "†"
OURS, PAPER, DIFFERENCE, GAIN = "ours", "paper", "difference", "gain"


@dataclass(frozen=True)
class Text:
    """A printed cell."""

    text: str = ""
    bold: bool = False


@dataclass(frozen=True)
class Line:
    """A printed line: its first two cells (`title`, `kind`) and the numbers; a section line has only a title."""

    title: str
    kind: str = ""
    texts: tuple[Text, ...] = ()
    rule_above: bool = False

    @property
    def is_section(self) -> bool:
        return not self.texts


@dataclass(frozen=True)
class Grid:
    """Headings and lines; `corner` heads the titles. Without `kinds` the second cell of the lines is not printed."""

    corner: str
    heads: tuple[str, ...]
    lines: tuple[Line, ...]
    kinds: bool = True


def number(value: float, decimals: int) -> str:
    """A number with a true minus sign, and no negative zero.

    >>> number(-3.25, 1), number(-0.01, 1)
    ('−3.2', '0.0')
    """
    text = f"{value:.{decimals}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def signed(value: float, decimals: int) -> str:
    """A difference with its sign.

    >>> signed(1.0, 1), signed(-0.3, 1), signed(0.0, 1)
    ('+1.0', '−0.3', '0.0')
    """
    text = number(value, decimals)
    return text if text[0] == "−" or float(text) == 0 else f"+{text}"


def estimate(cell: dict[str, Any], decimals: int) -> str:
    """Our mean ± spread; empty where there is none."""
    if cell["mean"] is None:
        return ""
    spread = "" if cell["spread"] is None else f" ± {number(cell['spread'], decimals)}"
    return number(cell["mean"], decimals) + spread


def paper(cell: dict[str, Any], decimals: int) -> str:
    """The paper's number, with the column's decimals."""
    return number(cell["published"]["value"], decimals) if cell["published"] else ""


def difference(cell: dict[str, Any], decimals: int) -> str:
    """The difference and its mark in one text: ``+0.3 ✓``, or the words where there is no difference."""
    if cell["difference"] is not None:
        return f"{signed(cell['difference'], decimals)} {SIGNS[cell['mark']]}"
    return cell["mark"] if cell["mark"] in (NOT_RUN, NOT_COMPARABLE) else ""


def gain(cell: dict[str, Any], decimals: int) -> str:
    """The gain over the baseline and its interval: ``+2.1 [+0.4, +3.8]``; without interval where none is known."""
    if not cell["gain"]:
        return ""
    value, edges = signed(cell["gain"]["value"], decimals), cell["gain"]["interval"]
    return f"{value} [{', '.join(signed(edge, decimals) for edge in edges)}]" if edges else value


def head(document: Document, column: dict[str, Any]) -> str:
    """The title of a column, with a dagger where a score in it is of a development set."""
    on_dev = any(cell["test_is_dev"] for cell in document["cells"] if cell["task"] == column["id"])
    return f"{column['title']}{ON_DEV if on_dev else ''}"


def arrange(document: Document) -> Grid:
    """The lines of a table, in the paper's order: ours, paper's and difference below one another.

    A table of one column puts the three beside one another instead.
    """
    if len(document["columns"]) == 1:
        return _wide(document)
    cells = cells_by_key(document)
    rows, columns = document["rows"], document["columns"]
    if not document["transpose"]:
        lines = [
            line
            for row in rows
            for line in _lines(
                row["title"],
                [cells[row["model"], column["id"]] for column in columns],
                [column["decimals"] for column in columns],
                row["rule_above"],
            )
        ]
        return Grid("Model", tuple(head(document, column) for column in columns), tuple(lines))
    lines, section = [], ""
    for column in columns:
        if column["section"] != section:
            section = column["section"]
            if section:
                lines.append(Line(section, rule_above=True))
        entries = [cells[row["model"], column["id"]] for row in rows]
        rule = bool(column["mean"]) and not section
        lines += _lines(head(document, column), entries, [column["decimals"]] * len(rows), rule)
    return Grid("Task", tuple(row["title"] for row in rows), tuple(lines))


def _lines(title: str, cells: list[dict[str, Any]], decimals: list[int], rule: bool) -> Iterator[Line]:
    pairs = list(zip(cells, decimals, strict=True))
    ours = tuple(Text(estimate(*pair), pair[0]["best"]) for pair in pairs)
    printed = {
        OURS: ours,
        PAPER: tuple(Text(paper(*pair)) for pair in pairs),
        DIFFERENCE: tuple(Text(difference(*pair)) for pair in pairs),
        GAIN: tuple(Text(gain(*pair)) for pair in pairs),
    }
    cited = all(cell["mark"] == CITED for cell in cells)
    kept = {
        kind: texts
        for kind, texts in printed.items()
        if any(text.text for text in texts) or (kind == OURS and not cited)
    }
    for index, (kind, texts) in enumerate(kept.items()):
        yield Line("" if index else title, kind, texts, rule and not index)


def _wide(document: Document) -> Grid:
    column = document["columns"][0]
    cells = cells_by_key(document)
    decimals = column["decimals"]
    lines = []
    for row in document["rows"]:
        cell = cells[row["model"], column["id"]]
        texts = (
            Text(estimate(cell, decimals), cell["best"]),
            Text(paper(cell, decimals)),
            Text(difference(cell, decimals)),
            Text(gain(cell, decimals)),
        )
        lines.append(Line(row["title"], "", texts, row["rule_above"]))
    return Grid("Model", (f"{head(document, column)}, {OURS}", PAPER, DIFFERENCE, GAIN), tuple(lines), kinds=False)


def legend(document: Document) -> list[str]:
    """What the signs mean: one sentence each, for the marks that occur."""
    tolerance = {name: f"{value:g}" for name, value in document["tolerance"].items()}
    sentences = ["Ours: mean ± sample standard deviation over seeds, in percent; bold: the best of ours in its group."]
    for mark, meaning in MARKS.items():
        if document["counts"][mark]:
            sign = f"{SIGNS[mark]} {mark}" if mark in SIGNS else mark
            sentences.append(f"{sign}: {meaning.format(**tolerance)}.")
    if any(cell["test_is_dev"] for cell in document["cells"]):
        sentences.append(
            f"{ON_DEV} tested on the development set, which also chooses among grid points: of several the best score."
        )
    return sentences + _reasons(document) + _about_gains(document)


def _reasons(document: Document) -> list[str]:
    """Why single columns are not comparable; of a whole table its note says it."""
    if not document["comparable"]:
        return []
    heads = {column["id"]: column["title"] for column in document["columns"]}
    unlike = {(cell["task"], cell["reason"]) for cell in document["cells"] if cell["mark"] == NOT_COMPARABLE}
    return [
        f"{head}, not comparable: {reason}."
        for name, head in heads.items()
        for task, reason in sorted(unlike)
        if task == name
    ]


def _about_gains(document: Document) -> list[str]:
    titles = {row["model"]: row["title"] for row in document["rows"]}
    gains = [cell["gain"] for cell in document["cells"] if cell["gain"]]
    pairs = {cell["model"]: cell["gain"]["over"] for cell in document["cells"] if cell["gain"]}
    if not gains:
        return []
    over: dict[str, list[str]] = {}
    for model, baseline in pairs.items():
        over.setdefault(titles[baseline], []).append(titles[model])
    of = "; ".join(f"{', '.join(models)} over {baseline}" for baseline, models in over.items())
    sentences = [f"gain: ours less our score of the baseline: {of}."]
    resamples = {gain["resamples"] for gain in gains if gain["interval"]}
    if resamples:
        sentences.append(
            f"Gains stand with the 95 % interval of a paired bootstrap over test examples ({max(resamples):,} "
            "resamples, each score the mean over its seeds): what another test set would change, not another training."
        )
    without = dict.fromkeys(gain["problem"] for gain in gains if gain["problem"])
    if without:
        first, more = next(iter(without)), len(without) - 1
        sentences.append(f"Gains without an interval: {first}{f', and {more} more' if more else ''}.")
    return sentences


def gaps(document: Document) -> list[str]:
    """Which averages are empty and why, and which scores are undefined: one sentence each."""
    titles = {row["model"]: row["title"] for row in document["rows"]}
    heads = {column["id"]: column["title"] for column in document["columns"]}
    averages = {column["id"] for column in document["columns"] if column["mean"]}
    return [
        f"{titles[cell['model']]}, {heads[cell['task']]}: {cell['problem']}."
        for cell in document["cells"]
        if cell["problem"] and (cell["task"] in averages or cell["choice"])
    ]


def wanted(document: Document) -> list[str]:
    """For each score file that an archive lacks, the cells that want it and the command that makes it."""
    titles = {row["model"]: row["title"] for row in document["rows"]}
    heads = {column["id"]: column["title"] for column in document["columns"]}
    return [
        f"{', '.join(f'{titles[model]} on {heads.get(task, task)}' for model, task in cells)}: made by the job "
        f"finetune, snakemake {path}"
        for path, cells in document.get("missing", {}).items()
    ]


def tally(document: Document) -> str:
    """How many of our cells carry which mark.

    >>> tally({"counts": {"matches": 3, "differs": 1, "not run": 0, "cited": 2}})
    '4 cells: matches 3, differs 1'
    """
    counts = {mark: count for mark, count in document["counts"].items() if count and mark != CITED}
    parts = ", ".join(f"{mark} {count}" for mark, count in counts.items())
    return f"{sum(counts.values())} cells" + (f": {parts}" if parts else "")
