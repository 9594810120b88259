"""The judged claims as Markdown and as a self-contained HTML page."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from linkbert.evidence.bootstrap import RESAMPLES
from linkbert.tables.claims import ELSEWHERE, FAILS, HOLDS, LEVEL, OPEN, TOLERANCE
from linkbert.tables.layout import signed
from linkbert.tables.page import page, scroll
from linkbert.tables.text import aligned, plain

SIGNS = {HOLDS: "✓", FAILS: "✗", OPEN: "?", ELSEWHERE: "–"}
CLASSES = {HOLDS: "holds", FAILS: "fails", OPEN: "open", ELSEWHERE: "ran"}
_HEADS = ("claim", "verdict", "section", "expected", "paper", "ours", "over seeds", "over examples")
Judged = Sequence[dict[str, Any]]


def counts(judged: Judged) -> dict[str, int]:
    """Claims by verdict."""
    return {verdict: sum(claim["verdict"] == verdict for claim in judged) for verdict in SIGNS}


def said(judged: Mapping[str, Any]) -> str:
    """The verdict on a claim, or on a part of one, with its sign."""
    verdict = f"{SIGNS[judged['verdict']]} {judged['verdict']}"
    return f"{verdict}: {judged['here']}" if judged["verdict"] == ELSEWHERE else verdict


def sentences(judged: Judged) -> list[str]:
    """How the claims are judged, for the foot of the page."""
    single = any(part["seeds"] in (0, 1) for claim in judged for part in claim["parts"])
    lines = [
        "Numbers are differences in points, left less right as the claim puts them. 'paper' is what the paper's own "
        "tables give, 'expected' what its text says.",
        f"'over seeds' is Welch's {LEVEL:.0%} interval over fine-tuning seeds, 'over examples' that of a paired "
        f"bootstrap over test examples ({RESAMPLES:,} resamples). A claim holds where both lie wholly in the expected "
        "region and does not hold where both lie wholly outside; otherwise data are not enough.",
        "Each model was pretrained once: no interval covers another pretraining.",
    ]
    if single:
        lines.append(
            "Where a cell has one seed, the interval over seeds is at least the tolerance of a match on either side."
        )
    if any(len(claim["parts"]) > 1 for claim in judged):
        lines.append(
            "A claim about several data sets holds where each part does, and does not hold where one does not; the "
            "intervals are those of single parts, not corrected for their number."
        )
    unsampled = dict.fromkeys(part["unsampled"] for claim in judged for part in claim["parts"] if part["unsampled"])
    if unsampled:
        first, more = next(iter(unsampled)), len(unsampled) - 1
        lines.append(f"No interval over examples: {first}{f', and {more} more' if more else ''}.")
    return lines


def notes(judged: Judged) -> list[str]:
    """What must be read before any verdict."""
    found = list(dict.fromkeys(note for claim in judged for note in claim["notes"]))
    if any(ELSEWHERE in (claim["verdict"], *(part["verdict"] for part in claim["parts"])) for claim in judged):
        found.append(
            f"What stands '{ELSEWHERE}' rests on cells that are not comparable with the paper's: it says what holds on "
            "ours, and the numbers neither confirm nor refute the paper."
        )
    return found


def _expected(expect: dict[str, Any]) -> str:
    if "sign" in expect:
        return "above 0" if expect["sign"] == "positive" else "below 0"
    return f"{signed(expect['difference'], 1)} ± {expect.get('tolerance', TOLERANCE):g}"


def _numbers(part: dict[str, Any]) -> list[str]:
    paper = "" if part["paper"] is None else signed(part["paper"], 2)
    if part["difference"] is None:
        return [paper, "", "", ""]
    intervals = [_interval(part["interval"]), _interval(part["over_examples"])]
    return [paper, signed(part["difference"], 2), *intervals]


def _interval(edges: Sequence[float] | None) -> str:
    return " to ".join(signed(edge, 2) for edge in edges) if edges else ""


def _number(column: int) -> str:
    return ' class="number"' if column > 2 else ""


def _rows(judged: Judged) -> Iterable[tuple[bool, list[str], Mapping[str, Any]]]:
    """(is a part of the claim above, the cells without the verdict, the claim or part)."""
    for claim in judged:
        expected = _expected(claim["expect"])
        parts = claim["parts"]
        numbers = _numbers(parts[0]) if len(parts) == 1 else [""] * 4
        yield False, [claim["claim"], claim["section"], expected, *numbers], claim
        if len(parts) > 1:
            for part in parts:
                yield True, [", ".join(part["tasks"]), "", expected, *_numbers(part)], part


def _missing(judged: Judged) -> list[str]:
    return [
        f"{claim['id']}: {'; '.join(dict.fromkeys(missing))}."
        for claim in judged
        if (missing := [name for part in claim["parts"] for name in part["missing"]])
    ]


def _elsewhere(judged: Judged) -> list[str]:
    return [f"{reason}." for reason in dict.fromkeys(reason for claim in judged for reason in claim["elsewhere"])]


def _summary(judged: Judged) -> str:
    return f"{len(judged)} claims: " + ", ".join(f"{verdict} {count}" for verdict, count in counts(judged).items())


def markdown(judged: Judged) -> str:
    """The claims as a Markdown page."""
    rows = [list(_HEADS)]
    for is_part, cells, about in _rows(judged):
        cells = [plain(cell) for cell in cells]
        rows.append([f"· {cells[0]}" if is_part else cells[0], said(about), *cells[1:]])
    lines = ["# Claims of the paper", ""]
    lines += [line for note in notes(judged) for line in (f"> **{plain(note)}**", "")]
    lines += [
        f"{_summary(judged)}.",
        "",
        *aligned(rows, left=4),
        "",
        *(f"- {plain(line)}" for line in sentences(judged)),
    ]
    for title, found in (("Other data than the paper's", _elsewhere(judged)), ("Missing", _missing(judged))):
        if found:
            lines += ["", f"{title}:", "", *(f"- {plain(line)}" for line in found)]
    return "\n".join(lines) + "\n"


def html(judged: Judged) -> str:
    """The claims as a self-contained HTML page."""
    heads = "".join(f'<th scope="col"{_number(index)}>{head}</th>' for index, head in enumerate(_HEADS))
    rows = []
    for is_part, cells, about in _rows(judged):
        title = f'<span class="quiet">· {escape(cells[0])}</span>' if is_part else escape(cells[0])
        texts = "".join(f"<td{_number(index)}>{escape(cell)}</td>" for index, cell in enumerate(cells[1:], 2))
        chip = f'<td><span class="chip {CLASSES[about["verdict"]]}">{said(about)}</span></td>'
        rows.append(f'<tr{"" if is_part else " class=rule"}><th scope="row">{title}</th>{chip}{texts}</tr>')
    table = (
        f'<table class="text claims"><thead><tr>{heads}</tr></thead>\n<tbody>\n{chr(10).join(rows)}\n</tbody></table>'
    )
    body = [
        "<h1>Claims of the paper</h1>",
        *(f'<p class="note" role="note">{escape(note)}</p>' for note in notes(judged)),
        f'<p class="quiet">{escape(_summary(judged))}.</p>',
        scroll(table, "Claims of the paper"),
        f'<ul class="legend">{"".join(f"<li>{escape(line)}</li>" for line in sentences(judged))}</ul>',
    ]
    for title, found in (("Other data than the paper's", _elsewhere(judged)), ("What is missing", _missing(judged))):
        if found:
            items = "".join(f"<li>{escape(line)}</li>" for line in found)
            body.append(f'<details><summary>{title}</summary><ul class="quiet">{items}</ul></details>')
    return page("Claims of the paper", "\n".join(body))
