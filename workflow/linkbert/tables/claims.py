"""The paper's claims as comparisons between cells of its tables, judged on our numbers.

A claim is a linear comparison, ``left - right``, and a region in which the paper says it lies: above or below zero, or
within a tolerance of a stated difference. Our difference has two 95 % intervals: over fine-tuning seeds, and, where
statistics of the test examples were kept, over test examples (a paired bootstrap). The claim holds where both lie
inside the region, does not hold where both lie outside, and otherwise there is not enough data.

A claim that rests on a cell which is not comparable with the paper's, whether for its table, row, column or metric, is
not judged: its verdict is "on other data", and what the rule would say of our data stands beside it, under ``here``.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from linkbert.declarations import check
from linkbert.errors import UserError
from linkbert.evidence.bootstrap import interval
from linkbert.evidence.record import ABSENT, Evidence
from linkbert.tables.cells import CITED, Document, cells_by_key
from linkbert.tables.definition import Mean
from linkbert.tables.gains import Resamples, runs_of, weights_of

HOLDS, FAILS, OPEN = "holds", "does not hold", "not enough data"
ELSEWHERE = "on other data"  # than the paper's: neither confirms nor refutes it
TOLERANCE = 1.0  # points around a stated difference, where the claim names none
LEVEL = 0.95

_NAME = {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"}
_TASKS = {"type": "array", "minItems": 1, "items": _NAME, "description": "tasks to average"}
_QUANTITY: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "minProperties": 1,
    "properties": {
        "model": {**_NAME, "description": "the model of a cell"},
        "table": {**_NAME, "description": "the table of the cell"},
        "task": {**_NAME, "description": "the column of the cell"},
        "tasks": _TASKS,
        "minus": {"type": "array", "minItems": 2, "maxItems": 2, "description": "two sides: the first less the second"},
        "value": {"type": "number", "description": "a constant"},
    },
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["claims"],
    "properties": {
        "claims": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["id", "section", "claim", "table", "left", "right", "expect"],
                "properties": {
                    "id": {**_NAME, "description": "a name"},
                    "section": {"type": "string", "description": "where the paper says it"},
                    "claim": {"type": "string", "minLength": 1, "description": "the claim in words"},
                    "table": {**_NAME, "description": "the table of cells that name none"},
                    "task": {**_NAME, "description": "the column of cells that name none"},
                    "tasks": _TASKS,
                    "each": {"type": "array", "minItems": 1, "description": "tasks, or lists to average"},
                    "left": _QUANTITY,
                    "right": _QUANTITY,
                    "expect": {
                        "type": "object",
                        "additionalProperties": False,
                        "minProperties": 1,
                        "properties": {
                            "sign": {"enum": ["positive", "negative"], "description": "the sign of left - right"},
                            "difference": {"type": "number", "description": "left - right in points"},
                            "tolerance": {"type": "number", "minimum": 0, "description": "around the difference"},
                        },
                    },
                },
            },
        }
    },
}

Key = tuple[str, str, str]  # table, model, task
Term = tuple[float, float | None, int]  # weight, spread over seeds, number of seeds


@dataclass(frozen=True)
class Combination:
    """A weighted sum of cells plus a constant."""

    weights: Mapping[Key, float]
    constant: float = 0.0

    def minus(self, other: "Combination") -> "Combination":
        """The difference; a cell on both sides counts once, with its net weight."""
        weights = dict(self.weights)
        for key, weight in other.weights.items():
            weights[key] = weights.get(key, 0.0) - weight
        return Combination(weights, self.constant - other.constant)


def read_claims(path: Path) -> list[dict[str, Any]]:
    """The claims of a YAML file; a UserError names the key that is wrong."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file.") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({error}).") from None
    check(str(path), content, SCHEMA)
    claims = content["claims"]
    names = [claim["id"] for claim in claims]
    for claim in claims:
        where = f"{path}: claim '{claim['id']}'"
        if names.count(claim["id"]) > 1:
            raise UserError(f"{where} stands there twice; names must be unique.")
        if ("sign" in claim["expect"]) == ("difference" in claim["expect"]):
            raise UserError(f"{where}: expect either 'sign' or 'difference'.")
        for combination, _ in _comparisons(where, claim):
            if not combination.weights:
                raise UserError(f"{where}: both sides are the same; nothing is compared.")
    return claims


def _comparisons(where: str, claim: Mapping[str, Any]) -> Iterable[tuple[Combination, list[str]]]:
    """(left - right, tasks) for each task the claim is made for; once, without tasks, where it names no `each`."""
    for entry in claim.get("each", [None]):
        scope = {key: claim[key] for key in ("table", "task", "tasks") if key in claim}
        tasks = [entry] if isinstance(entry, str) else list(entry or [])
        if tasks:
            scope = {"table": claim["table"], "tasks": tasks}
        left, right = (_combination(where, claim[side], scope) for side in ("left", "right"))
        difference = left.minus(right)
        weights = {key: weight for key, weight in difference.weights.items() if weight}
        yield Combination(weights, difference.constant), tasks


def _combination(where: str, quantity: Any, scope: Mapping[str, Any]) -> Combination:
    check(where, quantity, _QUANTITY)
    kinds = [kind for kind in ("model", "minus", "value") if kind in quantity]
    if len(kinds) != 1:
        raise UserError(f"{where}: a quantity has one of 'model', 'minus' and 'value'; found {sorted(quantity)}.")
    if kinds == ["value"]:
        return Combination({}, quantity["value"])
    own = {key: quantity[key] for key in ("table", "task", "tasks") if key in quantity}
    if "task" in own or "tasks" in own:  # what a quantity names replaces what the claim names
        scope = {key: value for key, value in scope.items() if key == "table"}
    scope = {**scope, **own}
    if kinds == ["minus"]:
        first, second = (_combination(where, part, scope) for part in quantity["minus"])
        return first.minus(second)
    tasks = scope.get("tasks") or ([scope["task"]] if "task" in scope else [])
    if not tasks:
        raise UserError(f"{where}: no task for '{quantity['model']}'. Give the claim or the side a 'task'.")
    return Combination({(scope["table"], quantity["model"], task): 1 / len(tasks) for task in tasks})


def judge_claims(
    claims: Iterable[Mapping[str, Any]],
    documents: Iterable[Document],
    evidence: Mapping[tuple[str, str], Evidence] | None = None,
) -> list[dict[str, Any]]:
    """Each claim with its verdict, our difference and intervals, the paper's difference, and what is missing.

    `here` is the verdict on our data, `elsewhere` says why they are not the paper's; of these two the verdict is made.
    """
    tables = {document["table"]: document for document in documents}
    cells = {table: cells_by_key(document) for table, document in tables.items()}
    runs = {key: runs_of(cell) for found in cells.values() for key, cell in found.items() if cell.get("choice")}
    resamples = Resamples(evidence or {}, runs)
    return [_judge(claim, tables, cells, resamples) for claim in claims]


def _judge(
    claim: Mapping[str, Any],
    tables: Mapping[str, Document],
    cells: Mapping[str, Mapping[tuple[str, str], dict[str, Any]]],
    resamples: Resamples,
) -> dict[str, Any]:
    where = f"claim '{claim['id']}'"
    parts: list[dict[str, Any]] = []
    names: list[str] = []
    for combination, tasks in _comparisons(where, claim):
        names += [table for table, _, _ in combination.weights]
        found: dict[Key, dict[str, Any]] = {}
        for table, model, task in combination.weights:
            if (model, task) in cells.get(table, {}):
                found[table, model, task] = cells[table][model, task]
        parts.append({"tasks": tasks, **_compare(combination, claim["expect"], found, tables, resamples)})
    verdicts, here = {part["verdict"] for part in parts}, {part["here"] for part in parts}
    whole = FAILS if FAILS in here else OPEN if OPEN in here else HOLDS
    # One comparable part that does not hold refutes a claim about every part.
    verdict = whole if FAILS in verdicts or whole == OPEN or ELSEWHERE not in verdicts else ELSEWHERE
    used = [tables[table] for table in dict.fromkeys(names) if table in tables]
    return {
        "id": claim["id"],
        "section": claim["section"],
        "claim": claim["claim"],
        "expect": dict(claim["expect"]),
        "verdict": verdict,
        "here": whole,
        "elsewhere": list(dict.fromkeys(reason for part in parts for reason in part["elsewhere"])),
        "comparable": not any(part["elsewhere"] for part in parts),
        "notes": list(dict.fromkeys(document["note"] for document in used if document["note"])),
        "parts": parts,
    }


def _compare(
    combination: Combination,
    expect: Mapping[str, Any],
    cells: Mapping[Key, dict[str, Any]],
    tables: Mapping[str, Document],
    resamples: Resamples,
) -> dict[str, Any]:
    paper: float | None = combination.constant
    for key, weight in combination.weights.items():
        published = cells.get(key, {}).get("published")
        paper = None if paper is None or not published else paper + weight * published["value"]
    elsewhere = _elsewhere(cells, tables)
    ours, missing = combination.constant, []
    terms: list[Term] = []
    for key, weight in combination.weights.items():
        cell, name = cells.get(key), " / ".join(key)
        if cell is None:
            missing.append(f"{name}: in none of the tables")
        elif cell["mark"] == CITED:
            # A cited number is of the paper's data: it can be held only against numbers that are comparable with them.
            if not cell["published"]:
                missing.append(f"{name}: no published number")
            elif elsewhere:
                missing.append(f"{name}: cited for the paper's data, ours are other data")
            else:
                ours += weight * cell["published"]["value"]
        elif cell["mean"] is None:
            missing.append(f"{name}: {cell['problem'] or 'not run'}")
        else:
            ours += weight * cell["mean"]
            terms += _terms(weight, cell, tables[key[0]])
    result: dict[str, Any] = {
        **{"difference": None, "interval": None, "seeds": None, "over_examples": None, "unsampled": ""},
        "paper": _rounded(paper),
        "elsewhere": elsewhere,
    }
    if not terms and not missing:
        missing.append("a comparison of published numbers alone; nothing of it is measured here")
    if missing:
        return {**result, "verdict": OPEN, "here": OPEN, "missing": missing}
    margin = _margin(terms, max(tables[table]["tolerance"]["matches"] for table, _, _ in cells))
    edges = [_rounded(ours - margin), _rounded(ours + margin)]
    over_examples, unsampled = _over_examples(combination, cells, tables, resamples)
    verdicts = {_verdict(*found, expect) for found in (edges, over_examples) if found}
    here = verdicts.pop() if len(verdicts) == 1 else OPEN
    return {
        **result,
        "difference": _rounded(ours),
        "interval": edges,
        "seeds": min((seeds for _, _, seeds in terms), default=0),
        "over_examples": over_examples,
        "unsampled": unsampled,
        "verdict": ELSEWHERE if elsewhere and here != OPEN else here,
        "here": here,
        "missing": [],
    }


def _elsewhere(cells: Mapping[Key, dict[str, Any]], tables: Mapping[str, Document]) -> list[str]:
    """Why some of the cells are not comparable with the paper's, each reason once."""
    reasons = {
        f"{task if tables[table]['comparable'] else table}: {cell['reason']}": None
        for (table, _, task), cell in cells.items()
        if not cell["comparable"]
    }
    return list(reasons)


def _over_examples(
    combination: Combination,
    cells: Mapping[Key, dict[str, Any]],
    tables: Mapping[str, Document],
    resamples: Resamples,
) -> tuple[list[float] | None, str]:
    """The interval over test examples, or None and why there is none; numbers of others are taken as certain."""
    if not resamples.evidence:
        return None, ABSENT
    weights: dict[tuple[str, str], float] = {}
    certain = combination.constant
    for (table, model, task), weight in combination.weights.items():
        if cells[table, model, task]["mean"] is None:
            certain += weight * cells[table, model, task]["published"]["value"]
            continue
        for member, share in weights_of(task, _mean_of(tables[table], task)).items():
            weights[model, member] = weights.get((model, member), 0.0) + weight * share
    weights = {key: weight for key, weight in weights.items() if weight}
    problem = resamples.problem(weights)
    if problem or not weights:
        return None, problem
    scores = sum(
        weight * found for weight, found in zip(weights.values(), resamples.scores(list(weights)), strict=True)
    )
    return [_rounded(edge + certain) for edge in interval(scores)], ""


def _mean_of(document: Document, task: str) -> Mean | None:
    """The tasks of a column that is a mean."""
    return next((column["mean"] for column in document.get("columns", ()) if column["id"] == task), None)


def _terms(weight: float, cell: Mapping[str, Any], document: Document) -> list[Term]:
    """What a cell adds to the interval over seeds: its spread, or its members' where a mean has no seeds in common."""
    whole = [(weight, cell["spread"], len(cell["by_seed"]))]
    mean = _mean_of(document, cell["task"])
    if cell["spread"] is not None or mean is None:
        return whole
    others = cells_by_key(document)
    members = [(share, others.get((cell["model"], task))) for task, share in weights_of(cell["task"], mean).items()]
    parts = [(weight * share, other["spread"], len(other["by_seed"])) for share, other in members if other]
    return parts if len(parts) == len(members) else whole


def _margin(terms: list[Term], single: float) -> float:
    """Half the width of the interval: Welch's, over seeds; at least `single` points where a cell has one seed only."""
    least = single if any(spread is None for _, spread, _ in terms) else 0.0
    variances = [(weight**2 * spread**2 / seeds, seeds - 1) for weight, spread, seeds in terms if spread]
    total = math.fsum(variance for variance, _ in variances)
    if not total:
        return least
    from scipy.special import stdtrit  # slow to import, and needed only where there are seeds to compare

    freedom = total**2 / math.fsum(variance**2 / degrees for variance, degrees in variances)
    return max(least, float(stdtrit(freedom, (1 + LEVEL) / 2)) * math.sqrt(total))


def _verdict(low: float, high: float, expect: Mapping[str, Any]) -> str:
    if "sign" in expect:
        if expect["sign"] == "negative":
            low, high = -high, -low
        return HOLDS if low > 0 else FAILS if high <= 0 else OPEN
    tolerance = expect.get("tolerance", TOLERANCE)
    bottom, top = expect["difference"] - tolerance, expect["difference"] + tolerance
    if bottom <= low and high <= top:
        return HOLDS
    return FAILS if high < bottom or low > top else OPEN


def _rounded(value: Any) -> Any:
    return None if value is None else round(float(value), 6) + 0.0  # no negative zero
