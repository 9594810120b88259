"""The report as a whole: what stands in it, in which order, and the sentences that open it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from linkbert.cases.page import case_section
from linkbert.report.boards import board_section
from linkbert.report.claims import claims
from linkbert.report.deviations import deviations
from linkbert.report.figures import figure
from linkbert.report.glance import classes, glance, words
from linkbert.report.provenance import Record, Scores, duration, finetuning_runs, hours, provenance
from linkbert.report.style import bar, document
from linkbert.report.tables import legend, table
from linkbert.tables.cells import Document
from linkbert.tables.claims import ELSEWHERE, FAILS, HOLDS, OPEN
from linkbert.tables.claims_page import CLASSES
from linkbert.tables.claims_page import counts as verdicts_of

TITLE = "LinkBERT, from raw dump to table"


@dataclass(frozen=True)
class Drawing:
    """A figure of the report; one that is named after a table stands beside it."""

    path: Path
    title: str = ""
    caption: str = ""


@dataclass(frozen=True)
class Contents:
    """All that the report shows."""

    documents: list[Document]
    judged: list[dict[str, Any]]
    deviations: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    commit: str | None = None
    scores: list[Scores] = field(default_factory=list)
    records: Mapping[str, Record] = field(default_factory=dict)
    drawings: Mapping[str, Drawing] = field(default_factory=dict)
    cases: list[dict[str, Any]] = field(default_factory=list)
    boards: list[dict[str, Any]] = field(default_factory=list)
    lineages: list[dict[str, Any]] = field(default_factory=list)


def report(contents: Contents) -> str:
    """The page. The same contents give the same bytes."""
    sections = {
        "tables": (
            "The nine tables at a glance" if len(contents.documents) == 9 else "The tables at a glance",
            _glance,
        ),
        "claims": ("What the paper says in words", _claims),
        "numbers": ("The tables in full", _tables),
        "figures": ("Figures", _figures),
        "cases": ("Case studies", _cases),
        "leaderboards": ("Leaderboard and model card", _boards),
        "deviations": ("Open decisions and deviations", _deviations),
        "provenance": ("Where the numbers come from", _provenance),
    }
    short = {"tables": "At a glance", "numbers": "Tables", "leaderboards": "Leaderboards"}
    bodies = {name: make(contents) for name, (_, make) in sections.items()}
    shown = [name for name in sections if bodies[name]]
    links = "".join(f'<li><a href="#{name}">{short.get(name, name.capitalize())}</a></li>' for name in shown)
    main = "\n".join(f'<section><h2 id="{name}">{sections[name][0]}</h2>\n{bodies[name]}\n</section>' for name in shown)
    body = (
        f"<header>{_opening(contents)}</header>\n"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav>\n<main>\n{main}\n</main>\n<footer>{_end()}</footer>'
    )
    experiment = contents.config.get("experiment")
    return document(f"{TITLE} · {experiment}" if experiment else TITLE, body)


def _notes(documents: list[Document]) -> list[str]:
    """What must be known before any number, each note once."""
    return list(dict.fromkeys(one["note"] for one in documents if one["note"]))


def _totals(documents: list[Document]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in documents:
        for name, count in classes(one).items():
            total[name] = total.get(name, 0) + count
    return total


def _opening(contents: Contents) -> str:
    experiment = contents.config.get("experiment", "")
    notes = "".join(
        f'<p class="note" role="note"><strong>{escape(note)}</strong></p>' for note in _notes(contents.documents)
    )
    lede = (
        "A reproduction of <cite>LinkBERT: Pretraining Language Models with Document Links</cite> "
        "(Yasunaga, Leskovec and Liang, ACL 2022): every number of its tables beside ours, its claims put to the test, "
        "and what we decided where it is silent."
    )
    return (
        f'<p class="kicker">Report{f" · experiment {escape(experiment)}" if experiment else ""}</p><h1>{TITLE}</h1>'
        f'<p class="lede">{lede}</p><p class="lede">{escape(headline(contents))}</p>{notes}{_facts(contents)}'
    )


def headline(contents: Contents) -> str:
    """The state of the tables and claims in two sentences."""
    total = _totals(contents.documents)
    cells, ran = sum(total.values()), sum(total.values()) - total.get("none", 0)
    judged = sum(total.get(name, 0) for name in ("matches", "close", "differs"))
    first = (
        f"Of {cells} cells in {len(contents.documents)} tables, {ran if ran < cells else 'all'} have a score of ours"
    )
    if judged:
        first += (
            f"; of the {judged} that may be held against the paper, {total['matches']} match it, "
            f"{total['close']} are close and {total['differs']} differ."
        )
    elif ran:
        first += "; none of them may be held against the paper."
    else:
        first += "."
    counts = verdicts_of(contents.judged)
    if not sum(counts.values()):
        return first
    second = (
        f" Of {sum(counts.values())} claims, {counts[HOLDS]} hold, {counts[FAILS]} do not, "
        f"and for {counts[OPEN]} there are not enough data"
    )
    if counts[ELSEWHERE]:
        second += f"; {counts[ELSEWHERE]} rest on other data than the paper's, and neither confirm nor refute it"
    return f"{first}{second}."


def _facts(contents: Contents) -> str:
    total, counts = _totals(contents.documents), verdicts_of(contents.judged)
    cells = sum(total.values())
    runs = len(finetuning_runs(contents.scores))
    spent = sum(line[3] for line in hours(contents.scores, contents.records))
    verdicts = {CLASSES[verdict]: count for verdict, count in counts.items()}
    said = f"{counts[HOLDS]} hold · {counts[FAILS]} do not · {counts[OPEN]} not enough data"
    said += f" · {counts[ELSEWHERE]} on other data" if counts[ELSEWHERE] else ""
    facts = [
        ("cells with a score", f"{cells - total.get('none', 0)} of {cells}", bar(total, words(total)), words(total)),
        ("claims that hold", f"{counts[HOLDS]} of {len(contents.judged)}", bar(verdicts, said), said),
        ("models pretrained here", str(len(contents.records)), "", "the others are released checkpoints"),
        (
            "fine-tuning runs",
            f"{runs:,}",
            "",
            f"{duration(spent)} of devices in all" if spent else "nothing computed yet",
        ),
    ]
    items = "".join(
        f'<div><dt>{name}</dt><dd><span class="figure">{value}</span>{picture}'
        f'<span class="small soft">{more}</span></dd></div>'
        for name, value, picture, more in facts
    )
    return f'<dl class="facts">{items}</dl>'


def _glance(contents: Contents) -> str:
    return glance(contents.documents)


def _claims(contents: Contents) -> str:
    titles = {column["id"]: column["title"] for one in contents.documents for column in one["columns"]}
    return claims(contents.judged, titles) if contents.judged else ""


def _tables(contents: Contents) -> str:
    parts = [legend(contents.documents)]
    for one in contents.documents:
        parts.append(table(one))
        drawing = contents.drawings.get(one["table"])
        if drawing:
            parts.append(figure(drawing.path, drawing.caption, f"{one['title']}, drawn"))
    return "\n".join(parts)


def _figures(contents: Contents) -> str:
    beside = {one["table"] for one in contents.documents}
    parts = []
    for name, drawing in contents.drawings.items():
        if name not in beside:
            title, caption = drawing.title or _title(name), drawing.caption or _caption(name)
            parts += [
                f'<h3 id="figure-{escape(name)}">{escape(title)}</h3>',
                figure(drawing.path, caption, title),
            ]
    return "\n".join(parts)


def _title(name: str) -> str:
    first, _, rest = name.partition("_")
    return f"Pretraining: {rest}" if first == "training" else name.replace("_", " ").capitalize()


def _caption(name: str) -> str:
    if not name.startswith("training_"):
        return ""
    return (
        "Loss on masked tokens in training (thin) and on held-out documents (marked), the same on linked pairs, "
        "learning rate, throughput; below, how many held-out pairs of each true relation are recognized. Every model "
        "of a corpus and a tokenizer is evaluated on the same instances and masks. Bars are one standard error."
    )


def _cases(contents: Contents) -> str:
    return "\n".join(case_section(case) for case in contents.cases)


def _boards(contents: Contents) -> str:
    return "\n".join(board_section(board) for board in contents.boards)


def _deviations(contents: Contents) -> str:
    return deviations(contents.deviations)


def _provenance(contents: Contents) -> str:
    return provenance(
        contents.documents,
        contents.scores,
        contents.records,
        contents.config,
        contents.commit,
        contents.lineages,
    )


def _end() -> str:
    return (
        "Made by <code>scripts/make_report.py</code> from scores, published numbers and declarations alone; "
        "this page needs no other file."
    )
