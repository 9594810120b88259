"""What the rules ask: which file comes from which, and with which settings. Up to the models it is `chain.Chain`.

Every method here turns names (wildcards) into paths, JSON or command-line arguments; nothing here does work.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from linkbert import STAGE
from linkbert.declarations import options_of, table_tasks
from linkbert.errors import unknown
from linkbert.evidence.archive import open_archive
from linkbert.files import fingerprint
from linkbert.planning.chain import NOTHING, Chain, Wildcards
from linkbert.planning.checks import check_lengths, check_models
from linkbert.recipes import recipe_points
from linkbert.tables.definition import read_definition
from linkbert.tasks.declared import check_declaration


class Plan(Chain):
    """The declarations of an experiment and the answers they give to the rules."""

    def __init__(self, config: Mapping[str, Any], root: Path):
        super().__init__(config, root)
        # Scores from elsewhere: then nothing is trained, and what the archive lacks is left out.
        self.archive = open_archive(config["scores"]) if config.get("scores") else None
        self._check_names_of_the_library()
        check_models(self)
        self.jobs = self._fine_tuning_jobs()
        check_lengths(self)
        if self.archive:
            self.archive.check(config["experiment"], [self._score_path(*job) for job in self.jobs])

    def _check_names_of_the_library(self) -> None:
        """A misspelt reader or key, or a metric that does not fit, ends here, and not when its job runs, after days."""
        for task, row in self.tasks.items():
            roles = [role for role, _ in self.task_files(task)]
            check_declaration(f"tasks.tsv ({task})", row["reader"], roles, options_of(row), row["kind"], row["metric"])
        for table in self.tables:
            read_definition(self.definition(table))

    # Fine-tuning ----------------------------------------------------------------------------------------------------

    def _task_path(self, file: str) -> str:
        """A download, a file of the repository, or with ``hub:`` before its name a data set of the hub."""
        name = file.removeprefix("hub:")
        return file if "/" in file else f"{self.results}/{'downloads' if name == file else 'hub'}/{name}"

    def task_inputs(self, wildcards: Wildcards) -> list[str]:
        return [self._task_path(file) for _, file in self.task_files(wildcards.task)]

    def task_arguments(self, wildcards: Wildcards) -> str:
        return " ".join(f"{role}={self._task_path(file)}" for role, file in self.task_files(wildcards.task))

    def task_options(self, wildcards: Wildcards) -> str:
        """The reader's options; the publishers' counts are not expected of files that are not the publishers'."""
        options = options_of(self.tasks[wildcards.task])
        if self.config["downloads"].get("checksums"):
            options.pop("expected", None)
        return json.dumps(options)

    def _cells(self) -> dict[str, list[str]]:
        """The tasks that the tables need of each model, in the order of the declarations."""
        wanted: dict[str, set[str]] = {model: set() for model in self.models}
        for definition in self.tables.values():
            for row in definition["rows"]:
                if not row.get("external"):
                    wanted[row["model"]] |= set(table_tasks(definition))
        return {model: [task for task in self.tasks if task in tasks] for model, tasks in wanted.items()}

    def _fine_tuning_jobs(self) -> dict[tuple[str, str], dict[str, Any]]:
        """(model, batch) -> runs. A batch is one job; its name ends in the hash of all that its scores depend on."""
        by = self.config["finetuning"]["jobs_by"]
        jobs: dict[tuple[str, str], dict[str, Any]] = {}
        for model, tasks in self._cells().items():
            batches: dict[str, dict[str, Any]] = {}
            for task in tasks:
                tuned_on = self.tasks[task]["tuned_on"] or task
                batch = {"model": "all", "suite": self.tasks[task]["suite"], "task": tuned_on}[by]
                runs = batches.setdefault(batch, {})
                runs.setdefault(tuned_on, {"tests": [], **self._runs(model, tuned_on)})["tests"].append(task)
            for batch, runs in batches.items():
                about = {tested: self.task_settings(tested) for run in runs.values() for tested in run["tests"]}
                about |= {task: self.task_settings(task) for task in runs}
                settings = {"runs": runs, "tasks": about, "model": self.lineage(model)}
                stages = {stage: STAGE[stage] for stage in ("tasks", "finetune")}
                jobs[model, f"{batch}-{fingerprint({**settings, 'stages': stages})}"] = runs
        return jobs

    def _runs(self, model: str, task: str) -> dict[str, Any]:
        row = self.tasks[task]
        finetuning = self.config["finetuning"]
        points, seeds = recipe_points(
            self.recipes, finetuning["recipes"], self.models[model]["size"], row["suite"], task, int(row["length"])
        )
        limit = finetuning.get("max_length")
        if limit:
            points = [{**point, "length": min(point["length"], limit)} for point in points]
        return {"recipes": points, "seeds": seeds or finetuning["seeds"]}

    def _job(self, wildcards: Wildcards) -> dict[str, Any]:
        key = (wildcards.model, wildcards.batch)
        if key not in self.jobs:
            known = [batch for model, batch in self.jobs if model == wildcards.model]
            raise unknown("scores", f"batch of {wildcards.model}", wildcards.batch, known)
        return self.jobs[key]

    def batch_tasks(self, wildcards: Wildcards) -> list[str]:
        runs = self._job(wildcards)
        tasks = dict.fromkeys(name for task, run in runs.items() for name in (task, *run["tests"]))
        return [f"{self.results}/tasks/{task}" for task in tasks]

    def batch_json(self, wildcards: Wildcards) -> str:
        return json.dumps(self._job(wildcards))

    def task_folder(self, wildcards: Wildcards) -> str:
        return f"{self.results}/tasks"

    def run_folder(self, wildcards: Wildcards) -> str:
        """Where finished runs of a model stay, outside Snakemake's sight, so that a restarted batch finds them."""
        return f"{self.results}/runs/{wildcards.model}"

    def checkpoint_folder(self, wildcards: Wildcards) -> str:
        """Where an unfinished training keeps its state, outside Snakemake's sight, so that a restarted job finds it."""
        # A changed setting trains anew, in a folder of its own; a checkpoint of other settings would be refused.
        return f"{self.results}/checkpoints/{wildcards.model}-{fingerprint(self.lineage(wildcards.model))}"

    def _score_path(self, model: str, batch: str) -> str:
        return f"scores/{model}/{batch}.json"

    def score_files(self, model: str | None = None) -> list[str]:
        return [f"{self.results}/{self._score_path(m, batch)}" for m, batch in self.jobs if model in (None, m)]

    def exists(self, path: str) -> bool:
        """Whether a file of the scores, relative to the results, stands there or comes from an archive."""
        return bool(self.archive and path in self.archive.files) or (self.root / self.results / path).exists()

    def available(self, paths: Iterable[str]) -> list[str]:
        """All of these files; with an archive, those that exist."""
        return [path for path in paths if not self.archive or self.exists(path.removeprefix(f"{self.results}/"))]

    def missing_batches(self) -> str:
        """A pattern for the batches without a score file; those that have one need no producer."""
        return self.batch_pattern(job for job in self.jobs if not self.exists(self._score_path(*job)))

    @staticmethod
    def batch_pattern(jobs: Iterable[tuple[str, str]]) -> str:
        """A pattern for the batches of these jobs, each behind the folder of its model: two models may share a name."""
        batches: dict[str, list[str]] = {}
        for model, batch in jobs:
            batches.setdefault(model, []).append(batch)
        patterns = (f"(?<=/{re.escape(model)}/)(?:{'|'.join(those)})" for model, those in batches.items())
        return "|".join(patterns) or NOTHING

    # Tables and figures ---------------------------------------------------------------------------------------------

    def table_scores(self, wildcards: Wildcards) -> list[str]:
        definition = self.tables[wildcards.table]
        needed = set(table_tasks(definition))
        models = [row["model"] for row in definition["rows"] if not row.get("external")]
        chosen = [
            (model, batch)
            for model, batch in self.jobs
            if model in models and any(needed & set(run["tests"]) for run in self.jobs[model, batch].values())
        ]
        return self.available(f"{self.results}/{self._score_path(model, batch)}" for model, batch in chosen)

    def definition(self, name: str) -> dict[str, Any]:
        """The definition of a table, titles filled in from the declarations of its models and tasks."""
        definition = dict(self.tables[name], table=name)
        definition["rows"] = [
            row if row.get("title") or row.get("external") else {**row, "title": self.models[row["model"]]["title"]}
            for row in definition["rows"]
        ]
        definition["columns"] = [
            {**column, "title": self.tasks[column["id"]]["title"]}
            if column["id"] in self.tasks and not column.get("title")
            else column
            for column in definition["columns"]
        ]
        return definition | self.config["tables_note"]

    def table_json(self, wildcards: Wildcards) -> str:
        return json.dumps(self.definition(wildcards.table), ensure_ascii=False)

    def recording(self, model: str) -> str:
        return f"scores/{model}/training-{fingerprint(self.lineage(model))}.json"

    def _pretrained(self, size: str | None = None) -> list[str]:
        rows = self.models.items()
        return [model for model, row in rows if row["kind"] == "pretrained" and size in (None, row["size"])]

    def _used(self) -> set[str]:
        return {model for model, _ in self.jobs}

    def recorded(self, size: str | None = None) -> dict[str, str]:
        """Pretrained model that some table needs -> the file of its training record."""
        used = self._used()
        return {
            model: f"{self.results}/{self.recording(model)}"
            for model in self._pretrained(size)
            if model in used and (self.exists(self.recording(model)) or self.stands_anyway(model))
        }

    def stands_anyway(self, model: str) -> bool:
        """Whether a model is there, or will be because a score of it is missing: then a record of it costs nothing."""
        stands = (self.root / self.results / "models" / model / "meta.json").exists()
        return not self.archive and (stands or self._is_needed(model))

    def _is_needed(self, model: str) -> bool:
        return not all(self.exists(self._score_path(*job)) for job in self.jobs if job[0] == model)

    def model_to_come(self, wildcards: Wildcards) -> list[str]:
        """The model where a missing score needs it; a record of one that stands must not make it anew."""
        return [f"{self.results}/models/{wildcards.model}"] if self._is_needed(wildcards.model) else []

    def model_folder(self, wildcards: Wildcards) -> str:
        return f"{self.results}/models/{wildcards.model}"

    def training_recordings(self) -> list[str]:
        """The training records of all pretrained models that some table needs."""
        return list(self.recorded().values())

    def missing_recordings(self) -> str:
        missing = [model for model in self._pretrained() if not self.exists(self.recording(model))]
        return "|".join(missing) or NOTHING

    def training_figures(self) -> list[str]:
        sizes = dict.fromkeys(self.models[model]["size"] for model in self.recorded())
        return [f"{self.results}/figures/training_{size}.svg" for size in sizes]

    def training_records(self, wildcards: Wildcards) -> list[str]:
        return list(self.recorded(wildcards.size).values())

    def training_arguments(self, wildcards: Wildcards) -> str:
        return " ".join(f"{model}={path}" for model, path in self.recorded(wildcards.size).items())
