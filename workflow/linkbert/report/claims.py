"""The paper's claims, judged: each with a strip that shows the expected region, our interval and the paper's number."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Any

from linkbert.tables.claims import TOLERANCE
from linkbert.tables.claims_page import CLASSES, notes, said, sentences
from linkbert.tables.layout import signed
from linkbert.tables.page import scroll

WIDTH, HEIGHT = 208, 30  # of a strip, in its own units
HEADS = ("claim", "verdict", "", "ours", "95 % interval", "paper", "expected")


def claims(judged: list[dict[str, Any]], titles: Mapping[str, str]) -> str:
    """All claims in the paper's order, with how they are judged; those without any number of ours are folded.

    `titles` are those of tasks.
    """
    measured = [claim for claim in judged if any(part["difference"] is not None for part in claim["parts"])]
    others = [claim for claim in judged if claim not in measured]
    told = {note for claim in judged for note in claim["notes"]}  # those of the tables stand at the top of the page
    parts = [f'<p class="note">{escape(note)}</p>' for note in notes(judged) if note not in told]
    if measured:
        parts += [_table(measured, titles), _list([*sentences(judged), KEY])]
    if others:
        title = f'Claims without a number of ours <span class="soft">{len(others)}</span>'
        parts.append(f"<details><summary>{title}</summary>{_table(others, titles)}</details>")
    elsewhere = dict.fromkeys(f"{reason}." for claim in judged for reason in claim["elsewhere"])
    if elsewhere:
        parts.append(f"<details><summary>Other data than the paper's</summary>{_list(list(elsewhere))}</details>")
    missing = [
        f"{claim['id']}: {'; '.join(dict.fromkeys(names))}."
        for claim in judged
        if (names := [name for part in claim["parts"] for name in part["missing"]])
    ]
    if missing:
        parts.append(f"<details><summary>What is missing for a verdict</summary>{_list(missing)}</details>")
    return "\n".join(parts)


def _table(judged: list[dict[str, Any]], titles: Mapping[str, str]) -> str:
    heads = "".join(f'<th scope="col"{_number(place)}>{head}</th>' for place, head in enumerate(HEADS))
    body = []
    for section, group in groupby(judged, key=lambda claim: claim["section"].split()[-1]):
        body.append(f'<tr class="section"><th colspan="{len(HEADS)}">Section {escape(section)}</th></tr>')
        for claim in group:
            body += _rows(claim, titles)
    table = f'<table class="words"><thead><tr>{heads}</tr></thead>\n<tbody>\n{chr(10).join(body)}\n</tbody></table>'
    return scroll(table, "Claims of the paper")


KEY = (
    "Strips: the shaded region is where the paper says the difference lies; dot and line are ours with its interval "
    "over seeds, the pale band that over examples; the diamond is the paper's own tables, the thin line is zero."
)


def _list(lines: list[str]) -> str:
    return f'<ul class="soft small">{"".join(f"<li>{escape(line)}</li>" for line in lines)}</ul>'


def _number(place: int) -> str:
    return ' class="number"' if place > 2 else ""


def _rows(claim: dict[str, Any], titles: Mapping[str, str]) -> list[str]:
    parts = claim["parts"]
    if len(parts) == 1:
        return [_row(claim["claim"], claim, parts[0], claim["expect"])]
    whole = _row(claim["claim"], claim, None, claim["expect"])
    names = [", ".join(titles.get(task, task) for task in part["tasks"]) for part in parts]
    return [
        whole,
        *(_row(name, part, part, claim["expect"], True) for name, part in zip(names, parts, strict=True)),
    ]


def _row(
    title: str, about: dict[str, Any], part: dict[str, Any] | None, expect: dict[str, Any], is_part: bool = False
) -> str:
    numbers = [""] * 3
    if part:
        numbers[2] = "" if part["paper"] is None else signed(part["paper"], 1)
        if part["difference"] is not None:
            numbers[0] = signed(part["difference"], 1)
            numbers[1] = _interval(part["interval"])
            if part["over_examples"]:
                numbers[1] += f'<span class="beside">examples {_interval(part["over_examples"])}</span>'
    cells = "".join(f'<td class="number">{text}</td>' for text in (*numbers, "" if is_part else _expected(expect)))
    chip = f'<span class="chip {CLASSES[about["verdict"]]}">{said(about)}</span>'
    picture = strip(part, expect) if part else ""
    name = ' class="part"' if is_part else ""
    return f'<tr{name}><td class="claim">{escape(title)}</td><td>{chip}</td><td>{picture}</td>{cells}</tr>'


def _interval(edges: Sequence[float] | None) -> str:
    return " to ".join(signed(edge, 1) for edge in edges) if edges else ""


def _expected(expect: dict[str, Any]) -> str:
    if "sign" in expect:
        return "above 0" if expect["sign"] == "positive" else "below 0"
    return f"{signed(expect['difference'], 1)} ± {expect.get('tolerance', TOLERANCE):g}"


def strip(part: dict[str, Any], expect: dict[str, Any]) -> str:
    """The claim as a small picture on an axis of points; empty where neither we nor the paper have a number."""
    edges = [*(part["interval"] or ()), *(part["over_examples"] or ())]
    known = [value for value in (part["paper"], part["difference"], *edges) if value is not None]
    if not known:
        return ""
    region = None
    if "difference" in expect:
        tolerance = expect.get("tolerance", TOLERANCE)
        region = (expect["difference"] - tolerance, expect["difference"] + tolerance)
    points = [0.0, *known, *(region or ())]
    low, high = min(points), max(points)
    margin = 0.08 * (high - low) or 1.0
    low, high = low - margin, high + margin
    if region is None:
        region = (0.0, high) if expect["sign"] == "positive" else (low, 0.0)

    def x(value: float) -> str:
        return f"{(value - low) / (high - low) * WIDTH:.1f}"

    start, end = (float(x(edge)) for edge in region)
    shapes = [
        f'<rect class="region" x="{start}" y="3" width="{end - start:.1f}" height="16"/>',
        f'<line class="zero" x1="{x(0)}" x2="{x(0)}" y1="1" y2="21"/>',
        f'<text x="{x(0)}" y="30" text-anchor="middle">0</text>',
    ]
    if part["over_examples"]:
        first, last = (x(value) for value in part["over_examples"])
        shapes.append(f'<line class="examples" x1="{first}" x2="{last}" y1="11" y2="11"/>')
    if part["interval"]:
        first, last = (x(value) for value in part["interval"])
        shapes.append(f'<line class="ours" x1="{first}" x2="{last}" y1="11" y2="11"/>')
    if part["paper"] is not None:
        place = float(x(part["paper"]))
        shapes.append(f'<path class="paper" d="M{place:.1f} 5l5.5 6-5.5 6-5.5-6z"/>')
    if part["difference"] is not None:
        shapes.append(f'<circle cx="{x(part["difference"])}" cy="11" r="3.2"/>')
    said = "; ".join(
        f"{name} {signed(value, 1)}"
        for name, value in (("ours", part["difference"]), ("paper", part["paper"]))
        if value is not None
    )
    return f'<svg class="strip" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{said}">{"".join(shapes)}</svg>'
