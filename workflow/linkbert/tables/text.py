"""Markdown for GitHub, tab-separated values for programs, LaTeX (booktabs) for papers."""

import json
import re
from collections.abc import Iterable

from linkbert.tables.cells import Document
from linkbert.tables.layout import Grid, Line, Text, arrange, gaps, legend, tally, wanted

TSV_COLUMNS = ("table", "model", "task", "seed", "point", "metric", "value", "published")


def markdown(document: Document, provenance: str = "") -> str:
    """The table as a Markdown page; `provenance` names the JSON file beside it."""
    grid = arrange(document)
    page = [f"# {plain(document['title'])}", ""]
    if document["note"]:
        page += [f"> **{plain(document['note'])}**", ""]
    if document["caption"]:
        page += [plain(document["caption"]), ""]
    heads = [grid.corner, *([""] if grid.kinds else []), *grid.heads]
    rows = [_markdown_row(line, grid) for line in grid.lines]
    page += aligned([[plain(head) for head in heads], *rows], left=2 if grid.kinds else 1)
    page += ["", f"{tally(document)}.", "", *(f"- {plain(sentence)}" for sentence in legend(document))]
    empty = gaps(document)
    if empty:
        page += ["", "Empty, and why:", "", *(f"- {plain(sentence)}" for sentence in empty)]
    jobs = wanted(document)
    if jobs:
        page += ["", "Not in the archive of scores:", "", *(f"- {plain(sentence)}" for sentence in jobs)]
    if provenance:
        page += ["", f"Where each number comes from: [{provenance}]({provenance})."]
    return "\n".join(page) + "\n"


def _markdown_row(line: Line, grid: Grid) -> list[str]:
    if line.is_section:
        return [f"**{plain(line.title)}**", *([""] * (len(grid.heads) + grid.kinds))]
    texts = [f"**{text.text}**" if text.bold else text.text for text in line.texts]
    return [plain(line.title), *([line.kind] if grid.kinds else []), *texts]


# What Markdown would read as more than text; an underscore inside a word is none of it.
_MARKUP = re.compile(r"[\\`*~<|\[]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")


def plain(text: str) -> str:
    """A text that Markdown shows as it is.

    >>> plain("A|B <b> *c* d_e")
    'A\\\\|B \\\\<b> \\\\*c\\\\* d_e'
    """
    return _MARKUP.sub(r"\\\g<0>", text)


def aligned(rows: list[list[str]], left: int) -> list[str]:
    """A Markdown table whose source lines up; the first row is the heading, the first `left` columns are words."""
    widths = [max(3, *(len(row[index]) for row in rows)) for index in range(len(rows[0]))]

    def cells(row: list[str]) -> str:
        padded = [
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * width if index < left else "-" * (width - 1) + ":" for index, width in enumerate(widths)]
    return [cells(rows[0]), f"| {' | '.join(rule)} |", *(cells(row) for row in rows[1:])]


def tsv(document: Document) -> str:
    """One line a value: every seed of the chosen grid point, then their mean (seed ``mean``), per cell.

    `published` stands on the mean's line only. A cell that was not run has an empty value.
    """
    lines = ["\t".join(TSV_COLUMNS)]
    for cell in document["cells"]:
        choice, published = cell["choice"], cell["published"]
        point = choice["point"] if choice else ""
        if not isinstance(point, str):
            point = json.dumps(point, sort_keys=True, ensure_ascii=False)
        metric = choice["metric"] if choice else (published or {"metric": ""})["metric"]
        values = [*cell["by_seed"].items(), ("mean", cell["mean"])]
        for seed, value in values:
            text = "" if value is None else f"{value:.6g}"
            paper = published["text"] if published and seed == "mean" else ""
            lines.append("\t".join((document["table"], cell["model"], cell["task"], seed, point, metric, text, paper)))
    return "\n".join(lines) + "\n"


CSV_COLUMNS = (
    *("table", "model", "task", "metric", "ours", "spread", "seeds", "best", "paper", "difference", "mark"),
    *("baseline", "gain", "gain_low", "gain_high", "paper_gain", "test_examples", "test_is_dev"),
)


def csv(document: Document) -> str:
    """One line a cell, comma separated: ours, the paper's, mark, and the gain with its interval; absent is empty."""
    lines = [CSV_COLUMNS]
    for cell in document["cells"]:
        choice, published, gain = cell["choice"], cell["published"] or {}, cell["gain"] or {}
        low, high = gain.get("interval") or (None, None)
        values = [
            *(document["table"], cell["model"], cell["task"], (choice or published).get("metric", "")),
            *(cell["mean"], cell["spread"], len(cell["by_seed"]) or None, cell["best"] or None, published.get("text")),
            *(cell["difference"], cell["mark"], gain.get("over"), gain.get("value"), low, high, gain.get("paper")),
            *(gain.get("examples"), cell["test_is_dev"] or None),
        ]
        lines.append(tuple(_csv(value) for value in values))
    return "".join(f"{','.join(line)}\n" for line in lines)


def _csv(value: str | float | bool | None) -> str:
    if value is None or value is True:
        return "yes" if value else ""
    return value if isinstance(value, str) else f"{value:.6g}"


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "±": r"$\pm$",
    "✓": r"$\checkmark$",
    "≈": r"$\approx$",
    "✗": r"$\times$",
    "†": r"$\dagger$",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
}


def latex(document: Document) -> str:
    """The table as a LaTeX float, shrunk to the page where it is wider; needs booktabs, amssymb and graphicx."""
    grid = arrange(document)
    width = len(grid.heads) + 1 + grid.kinds
    note = f"\\textbf{{{_tex(document['note'])}}} " if document["note"] else ""
    # The caption stands above: its note must be read before the numbers.
    caption = f"{note}{_tex(document['title'])}. {_tex(document['caption'])} {_tex(' '.join(legend(document)))}"
    body = [
        "% needs \\usepackage{booktabs,amssymb,graphicx}",
        "\\begin{table*}",
        "\\centering\\small\\setlength{\\tabcolsep}{4pt}",
        f"\\caption{{{' '.join(caption.split())}}}",
        f"\\label{{tab:{document['table']}}}",
        "\\resizebox{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}{!}{%",
        f"\\begin{{tabular}}{{@{{}}{'l' * (1 + grid.kinds)}{'r' * len(grid.heads)}@{{}}}}",
        "\\toprule",
        _tex_row([grid.corner, *([""] if grid.kinds else []), *grid.heads]),
        "\\midrule",
    ]
    for index, line in enumerate(grid.lines):
        if line.rule_above and index:
            body.append("\\midrule")
        if line.is_section:
            body.append(f"\\multicolumn{{{width}}}{{@{{}}l}}{{\\textbf{{{_tex(line.title)}}}}} \\\\")
            continue
        body.append(_tex_row([line.title, *([line.kind] if grid.kinds else [])], line.texts))
    return "\n".join([*body, "\\bottomrule", "\\end{tabular}}", "\\end{table*}"]) + "\n"


def _tex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _tex_row(titles: list[str], texts: Iterable[Text] = ()) -> str:
    cells = [_tex(title) for title in titles]
    cells += [f"\\textbf{{{_tex(text.text)}}}" if text.bold else _tex(text.text) for text in texts]
    row = " & ".join(cells) + " \\\\"
    return f"{{}}{row}" if row[0] in "[*" else row  # the line break above would take it as its argument
