"""Each cell of a table: our mean and spread beside the paper's number, a judgement, and where ours comes from."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from linkbert import STAGE, __version__
from linkbert.evidence.record import Evidence
from linkbert.tables.definition import Column, Row, Table, Tolerance, members
from linkbert.tables.gains import Resamples, baselines, gain
from linkbert.tables.published import Published, PublishedNumbers
from linkbert.tables.scores import Choice, Estimate, Run, mean_of, select

MATCHES, CLOSE, DIFFERS = "matches", "close", "differs"
NOT_RUN, NOT_COMPARABLE, UNPUBLISHED, CITED = "not run", "not comparable", "unpublished", "cited"
MARKS = {
    MATCHES: "differs from the paper by at most {matches} or one spread, whichever is wider (never more than {close})",
    CLOSE: "differs by at most {close}",
    DIFFERS: "differs by more than {close}",
    NOT_RUN: "no score of ours",
    NOT_COMPARABLE: "our data or setting is not the paper's, so the two numbers must not be compared",
    UNPUBLISHED: "a score of ours for which the paper has no number",
    CITED: "a system of others; the paper's number only",
}

Document = dict[str, Any]


def judge(difference: float, spread: float | None, tolerance: Tolerance) -> str:
    """The mark for ours minus the paper's, in points.

    A match lies within the tolerance or one spread over seeds; a large spread never makes a match of what is not
    even close.

    >>> judge(0.5, None, Tolerance()), judge(-1.1, 1.2, Tolerance()), judge(1.1, 0.2, Tolerance())
    ('matches', 'matches', 'close')
    >>> judge(-2.1, 9.0, Tolerance())
    'differs'
    """
    distance = round(abs(difference), 6)  # 55.1 - 54.6 is a difference of 0.5
    if distance <= max(tolerance.matches, min(spread or 0.0, tolerance.close)):
        return MATCHES
    return CLOSE if distance <= tolerance.close else DIFFERS


def build(
    table: Table,
    runs: Iterable[Run],
    published: PublishedNumbers,
    evidence: Mapping[tuple[str, str], Evidence] | None = None,
) -> Document:
    """The table as one JSON value: what the renderers, figures and claims read, and the provenance of every cell.

    Holds the definition, the cells in the order of rows and columns, the score files used, and counts by mark.
    With `evidence`, by (model, task), gains over baselines have intervals.
    """
    choices = select(runs)
    cells = []
    for row in table.rows:
        ours = {} if row.external else {task: choice for (model, task), choice in choices.items() if model == row.model}
        found: dict[str, dict[str, Any]] = {}
        for column in sorted(table.columns, key=lambda column: bool(column.mean)):  # a mean rests on its members' cells
            found[column.id] = _cell(table, row, column, ours, published, found)
        cells += [found[column.id] for column in table.columns]
    _mark_best(table, cells)
    _set_gains(table, cells, choices, evidence or {})
    used = {run["scores"] for cell in cells for run in (cell["choice"] or {}).get("runs", [])}
    files = {run.file.name: run.file for choice in choices.values() for run in choice.runs if run.file.name in used}
    return {
        "stage": "tables",
        "stage_version": STAGE["tables"],
        "linkbert": __version__,
        **asdict(table),
        "cells": cells,
        "counts": {mark: sum(cell["mark"] == mark for cell in cells) for mark in MARKS},
        "scores": {
            name: {"sha256": file.sha256, "model": file.model, "batch": file.batch, **file.about}
            for name, file in sorted(files.items())
        },
    }


def _cell(
    table: Table,
    row: Row,
    column: Column,
    choices: Mapping[str, Choice],
    published: PublishedNumbers,
    others: Mapping[str, dict[str, Any]],
) -> dict[str, Any]:
    """A cell; `others` are those of its row that a mean may rest on."""
    paper = published.get((table.table, row.model, column.id))
    choice, estimate, problem = _ours(column, choices)
    behind = [choices[task] for task in members(column.mean or (column.id,)) if task in choices]
    reason = _reason(table, row, column, others)
    metric = choice.runs[0].metric if choice else ""
    if paper and metric not in ("", paper.metric):
        other = f"our metric is {metric}, the paper's is {paper.metric}"
        reason, problem = reason or other, problem or other
    difference = round(estimate.mean - paper.value, 10) if estimate and paper and not reason else None
    return {
        "model": row.model,
        "task": column.id,
        "mark": _mark(row, estimate, paper, difference, table.tolerance),
        "best": False,
        "mean": estimate.mean if estimate else None,
        "spread": estimate.spread if estimate else None,
        "by_seed": {str(seed): value for seed, value in estimate.by_seed.items()} if estimate else {},
        "test_is_dev": estimate is not None and any(run.test_is_dev for one in behind for run in one.runs),
        "published": {"value": paper.value, "text": paper.text, "metric": paper.metric, "source": paper.source}
        if paper
        else None,
        "difference": difference,
        "comparable": not reason,
        "reason": reason,
        "gain": None,
        "problem": "" if row.external else problem,
        "choice": _provenance(choice) if choice else None,
    }


def _reason(table: Table, row: Row, column: Column, others: Mapping[str, dict[str, Any]]) -> str:
    """Why ours and the paper's number of a cell must not be compared; empty where they may."""
    if not table.comparable:
        return "the data or settings of the whole table are not the paper's"
    for part in (row, column):
        if not part.comparable:
            return part.reason or f"data or setting of {part.title} are not the paper's"
    titles = {column.id: column.title for column in table.columns}
    unlike = [
        titles[task] for task in members(column.mean or ()) if not others.get(task, {"comparable": True})["comparable"]
    ]
    return f"the mean holds {', '.join(unlike)}" if unlike else ""


def _ours(column: Column, choices: Mapping[str, Choice]) -> tuple[Choice | None, Estimate | None, str]:
    if column.mean is None:
        choice = choices.get(column.id)
        return (choice, choice.estimate, choice.problem) if choice else (None, None, "not run")
    estimates = {task: choice.estimate for task, choice in choices.items() if choice.estimate}
    absent = [task for task in members(column.mean) if task not in choices]
    undefined = [task for task in members(column.mean) if task in choices and task not in estimates]
    problems = [
        f"{what}: {', '.join(tasks)}" for what, tasks in (("not run", absent), ("without a score", undefined)) if tasks
    ]
    return None, mean_of(column.mean, estimates), "; ".join(problems)


def _mark(
    row: Row, estimate: Estimate | None, paper: Published | None, difference: float | None, tolerance: Tolerance
) -> str:
    """The mark of a cell; `difference` is None where ours and the paper's must not be compared."""
    if row.external:
        return CITED
    if estimate is None:
        return NOT_RUN
    if paper is None:
        return UNPUBLISHED
    if difference is None:
        return NOT_COMPARABLE
    return judge(difference, estimate.spread, tolerance)


def _provenance(choice: Choice) -> dict[str, Any]:
    first = choice.runs[0]
    return {
        "metric": first.metric,
        "train_task": first.train_task,
        "recipe": first.recipe,
        "point": first.point,
        "chosen_on": choice.chosen_on,
        "dev": choice.dev,
        "candidates": [
            {"recipe": tried.run.recipe, "point": tried.run.point, "dev": tried.dev, "seeds": tried.seeds}
            for tried in choice.candidates
        ],
        "runs": [_run_provenance(run) for run in choice.runs],
    }


def _run_provenance(run: Run) -> dict[str, Any]:
    shared = ("task", "train_task", "recipe", "point")  # said once for the cell
    about = {key: value for key, value in run.record.items() if key not in shared}
    return {**about, "batch": run.file.batch, "scores": run.file.name}


def _mark_best(table: Table, cells: list[dict[str, Any]]) -> None:
    """Set `best` on our highest mean of each column within each group, and on its equals as printed.

    A number that has no rival in its group is not the best of anything.
    """
    groups = {row.model: row.group for row in table.rows}
    for column in table.columns:
        for group in dict.fromkeys(groups.values()):
            rivals = [
                cell
                for cell in cells
                if cell["task"] == column.id and groups[cell["model"]] == group and cell["mean"] is not None
            ]
            if len(rivals) < 2:
                continue
            best = max(round(cell["mean"], column.decimals) for cell in rivals)
            for cell in rivals:
                cell["best"] = round(cell["mean"], column.decimals) == best


def _set_gains(
    table: Table,
    cells: list[dict[str, Any]],
    choices: Mapping[tuple[str, str], Choice],
    evidence: Mapping[tuple[str, str], Evidence],
) -> None:
    """Set `gain` on every cell whose row has a baseline, where both have a score."""
    runs = {
        key: {str(run.seed): run.record.get("sha256", "") for run in choice.runs} for key, choice in choices.items()
    }
    resamples = Resamples(evidence, runs)
    by_key = {(cell["model"], cell["task"]): cell for cell in cells}
    for model, baseline in baselines(table.rows).items():
        for column in table.columns:
            cell = by_key[model, column.id]
            cell["gain"] = gain(cell, by_key[baseline, column.id], column.mean, resamples)


def cells_by_key(document: Document) -> dict[tuple[str, str], dict[str, Any]]:
    """The cells of a table document by (model, task)."""
    return {(cell["model"], cell["task"]): cell for cell in document["cells"]}
