"""Which artefacts a target needs, stage by stage, and which of them are there: jobs before anything starts.

The same answers that the rules get (`linkbert.planning.plan`), followed from a target to the downloads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

from linkbert.declarations import names
from linkbert.errors import unknown
from linkbert.planning.plan import Plan

STAGES = (
    *("downloads", "hub", "documents", "tokenizers", "tokens", "graphs", "instances", "heldout"),
    *("models", "tasks", "scores", "tables"),
)
EVERYTHING = ("all", "tables", "figures", "scores")


@dataclass
class Needs:
    """Names of artefacts by stage, relative to the results, in the order in which they were asked for."""

    plan: Plan
    found: dict[str, dict[str, None]] = field(default_factory=lambda: {stage: {} for stage in STAGES})

    def add(self, *paths: str) -> list[str]:
        """Take paths below the results, each into its stage; returns those that are new."""
        fresh = []
        for path in paths:
            name = path.removeprefix(f"{self.plan.results}/")
            stage = name.split("/")[0]
            if name not in self.found[stage]:
                self.found[stage][name] = None
                fresh.append(name)
        return fresh

    def __getitem__(self, stage: str) -> list[str]:
        return list(self.found[stage])

    def left(self, stage: str) -> list[str]:
        """Those of a stage that are not there."""
        root = self.plan.root / self.plan.results
        # A folder counts when its meta.json stands: Snakemake makes empty ones.
        return [name for name in self[stage] if not ((root / name).is_file() or (root / name / "meta.json").exists())]


def needs(plan: Plan, targets: Sequence[str] = ()) -> Needs:
    """All that some targets need; everything where none is named.

    A target is a table (``table5`` is short for its name), a model, a task, or one of ``models``, ``audits``, ``all``,
    ``tables``, ``figures`` and ``scores``.

    Raises:
        UserError: for a name that is none of these.
    """
    result = Needs(plan)
    for target in targets or ("all",):
        if target in EVERYTHING:
            _tables(result, plan.tables)
        elif tables := [table for table in plan.tables if target in (table, table.split("_")[0])]:
            _tables(result, tables)
        elif target == "models":
            _models(result, dict.fromkeys(model for model, _ in plan.jobs))
        elif target == "audits":
            for path in plan.audit_reports():
                corpus, tokenizer, sampling = path.removesuffix(".txt").split("/")[-3:]
                _instances(result, corpus, tokenizer, sampling)
        elif target in plan.models:
            _models(result, [target])
        elif target in plan.tasks:
            _task(result, target)
        else:
            known = [*EVERYTHING, "models", "audits", *plan.tables, *plan.models, *plan.tasks]
            raise unknown("plan", "target", target, known)
    return result


def _wild(**values: str) -> SimpleNamespace:
    return SimpleNamespace(**values)


def _tables(result: Needs, tables: Iterable[str]) -> None:
    plan = result.plan
    wanted = {path for table in tables for path in plan.table_scores(_wild(table=table))}
    result.add(*(f"tables/{table}" for table in tables))
    for (model, _), runs, path in zip(plan.jobs, plan.jobs.values(), plan.score_files(), strict=True):
        if path in wanted:
            result.add(path)
            _models(result, [model])
            for task, run in runs.items():
                for name in (task, *run["tests"]):
                    _task(result, name)


def _task(result: Needs, task: str) -> None:
    if result.add(f"tasks/{task}"):
        made = (path for path in result.plan.task_inputs(_wild(task=task)) if path.startswith(result.plan.results))
        result.add(*made)


def _models(result: Needs, models: Iterable[str]) -> None:
    plan = result.plan
    for model in models:
        if not result.add(f"models/{model}"):
            continue
        row = plan.models[model]
        _tokenizer(result, row["tokenizer"])
        result.add(*plan.model_init(_wild(model=model)))
        for corpus in names(row["corpora"]) if row["kind"] == "pretrained" else ():
            _instances(result, corpus, row["tokenizer"], plan.sampling_for(corpus, row["sampling"]))
            result.add(f"heldout/{corpus}/{row['tokenizer']}")
            _graphs(result, corpus, plan.heldout_graph(_wild(corpus=corpus)))


def _tokenizer(result: Needs, tokenizer: str) -> None:
    if result.add(f"tokenizers/{tokenizer}"):
        for path in result.plan.tokenizer_inputs(_wild(tokenizer=tokenizer)):
            if path.removeprefix(f"{result.plan.results}/").startswith("hub/"):
                result.add(path)
            else:
                _documents(result, path.split("/")[-2])


def _documents(result: Needs, corpus: str) -> None:
    for path in result.plan.corpus_documents(corpus):
        if result.add(path):
            result.add(*result.plan.corpus_files(_wild(corpus=corpus, shard=path.split("/")[-1])))


def _instances(result: Needs, corpus: str, tokenizer: str, sampling: str) -> None:
    if result.add(f"instances/{corpus}/{tokenizer}/{sampling}"):
        _tokenizer(result, tokenizer)
        _documents(result, corpus)
        result.add(f"tokens/{corpus}/{tokenizer}")
        _graphs(result, corpus, result.plan.sampling_graph(_wild(sampling=sampling, corpus=corpus)))


def _graphs(result: Needs, corpus: str, paths: Iterable[str]) -> None:
    for path in paths:
        if result.add(path):
            _documents(result, corpus)
            _graphs(result, corpus, result.plan.graph_like(_wild(corpus=corpus, links=path.split("/")[-1])))
