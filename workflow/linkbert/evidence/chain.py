"""The chain behind a cell of a table: scores, runs, checkpoint, instances, graph, corpus, downloads."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from linkbert.errors import UserError, unknown
from linkbert.evidence.record import Evidence, read_evidence
from linkbert.evidence.wanted import Wanted
from linkbert.files import read_json
from linkbert.planning.plan import Plan
from linkbert.tables.definition import members, read_definition
from linkbert.tables.scores import Choice, load_scores, select


@dataclass(frozen=True)
class Chain:
    """What is known of a cell; `choice` is None where there is no score yet, and `job` says which one makes it."""

    table: str
    model: str
    task: str
    job: str  # the score file, relative to the repository
    kind: str  # of the model: pretrained or released
    train_task: str
    choice: Choice | None = None
    evidence: Evidence | None = None
    training: dict[str, Any] = field(default_factory=dict)
    lineage: dict[str, Any] = field(default_factory=dict)


def table_named(plan: Plan, name: str) -> str:
    """The table with this name, or the one whose name begins with it before an underscore: ``table5``."""
    near = [table for table in plan.tables if table == name or table.split("_")[0] == name]
    if len(near) != 1:
        raise unknown("trace", "table", name, plan.tables)
    return near[0]


def chains(plan: Plan, table: str, model: str, task: str, scores: Path | None = None) -> list[Chain]:
    """The chain of a cell, or one for each task of an average.

    Args:
        table: its name, or the beginning of it (see `table_named`).
        model: one of the table's own rows.
        task: one of its columns, or a task inside an average.
        scores: the folder that holds ``scores/``; the experiment's results by default.

    Raises:
        UserError: for a name that is not in the table.
    """
    name = table_named(plan, table)
    definition = read_definition(plan.definition(name))
    own = [row.model for row in definition.rows if not row.external]
    if model in {row.model for row in definition.rows if row.external}:
        raise UserError(f"trace: {name} cites '{model}', a system of others; config/published.tsv says from where.")
    if model not in own:
        raise unknown(f"trace: {name}", "model", model, own)
    columns = {column.id: list(members(column.mean)) if column.mean else [column.id] for column in definition.columns}
    inside = {member for tasks in columns.values() for member in tasks}
    if task not in columns and task not in inside:
        raise unknown(f"trace: {name}", "task", task, [*columns, *sorted(inside - columns.keys())])
    folder = scores or plan.root / plan.results
    return [_chain(plan, name, model, member, folder) for member in columns.get(task, [task])]


def _chain(plan: Plan, table: str, model: str, task: str, folder: Path) -> Chain:
    wanted = Wanted(plan)
    job, trained = next(
        (job, name)
        for (owner, _), runs, job in zip(plan.jobs, plan.jobs.values(), plan.score_files(), strict=True)
        for name, run in runs.items()
        if owner == model and task in run["tests"]
    )
    kind = plan.models[model]["kind"]
    path = folder / job.removeprefix(f"{plan.results}/")
    if not path.exists():
        return Chain(table, model, task, job, kind, trained)
    statistics = path.with_suffix(".npz")
    training = folder / plan.recording(model)
    lineage = folder / wanted.lineage_file(model).removeprefix(f"{plan.results}/")
    return Chain(
        *(table, model, task, job, kind, trained),
        choice=select(load_scores([path]))[model, task],
        evidence=read_evidence(statistics) if statistics.exists() else None,
        training=read_json(training) if training.exists() else {},
        lineage=read_json(lineage) if lineage.exists() else {},
    )


def stages_of(lineage: dict[str, Any], *kinds: str) -> Iterable[tuple[str, dict[str, Any]]]:
    """(folder, meta.json) of the stages of a lineage whose folders are of these kinds."""
    for stage in lineage.get("stages", []):
        if stage["folder"].split("/")[0] in kinds and stage["meta"]:
            yield stage["folder"], stage["meta"]
