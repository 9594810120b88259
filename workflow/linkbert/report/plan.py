"""What the rules of the report ask: which figures, cases and boards there are, and which files they come from."""

import json
import re
from collections import defaultdict
from typing import Any

from linkbert.cases.answers import VERSION, check_case
from linkbert.declarations import check
from linkbert.figures.definition import check_analysis
from linkbert.files import fingerprint
from linkbert.planning.chain import NOTHING, Wildcards
from linkbert.planning.plan import Plan
from linkbert.report.boards import SCHEMA

# What the report prints of the configuration: what numbers depend on, not where this machine keeps its files.
SETTINGS = ("experiment", "seed", "instances", "graph", "sizes", "pretraining", "finetuning", "overrides", "world")


class Reporting:
    """The declarations of config/report.yaml, checked, and the answers they give to the rules.

    An experiment may have other tables than the paper's: a figure is drawn where the first of its tables is declared,
    a case is asked where some table's model is tuned on its task.
    """

    def __init__(self, plan: Plan):
        self.plan, self.results = plan, plan.results
        self.figures = {
            name: figure for name, figure in self._declared("figures").items() if figure["tables"][0] in plan.tables
        }
        self.boards = self._declared("leaderboards")
        self._tested: dict[str, set[str]] = defaultdict(set)  # task -> the models that are tested on it
        for (model, _), runs in plan.jobs.items():
            for task in (test for run in runs.values() for test in run["tests"]):
                self._tested[task].add(model)
        self.cases = {name: case for name, case in self._declared("cases").items() if self._models(case)}
        for name, figure in self.figures.items():
            check_analysis(name, figure)
        for name, board in self.boards.items():
            check(f"leaderboard {name}", board, SCHEMA)
        for name, case in self.cases.items():
            check_case(name, case)

    def _declared(self, key: str) -> dict[str, Any]:
        """The entries of a key; one that is set to null is taken away."""
        return {name: entry for name, entry in self.plan.config.get(key, {}).items() if entry}

    @staticmethod
    def pattern(names: dict[str, Any]) -> str:
        """A regular expression for some names."""
        return "|".join(re.escape(name) for name in names) or NOTHING

    # Figures across tables ------------------------------------------------------------------------------------------

    def figure_tables(self, wildcards: Wildcards) -> list[str]:
        tables = self.figures[wildcards.figure]["tables"]
        return [f"{self.results}/tables/{table}.json" for table in tables if table in self.plan.tables]

    def figure_json(self, wildcards: Wildcards) -> str:
        return json.dumps(self.figures[wildcards.figure], ensure_ascii=False)

    def figure_files(self) -> list[str]:
        return [f"{self.results}/figures/{figure}.svg" for figure in self.figures]

    # Boards ---------------------------------------------------------------------------------------------------------

    def board_json(self, wildcards: Wildcards) -> str:
        return json.dumps(self.boards[wildcards.board], ensure_ascii=False)

    def board_files(self) -> list[str]:
        return [f"{self.results}/tables/{board}.md" for board in self.boards]

    # Cases ----------------------------------------------------------------------------------------------------------

    def _models(self, case: dict[str, Any]) -> list[str]:
        """The models that are tuned on a case's task, in the order of their declaration."""
        return [model for model in self.plan.models if model in self._tested[case["task"]]]

    def _asked(self, model: str) -> dict[str, Any]:
        return {name: case for name, case in self.cases.items() if model in self._models(case)}

    def _batches(self, model: str) -> list[str]:
        """The batches of a model in which the tasks of its cases are tested."""
        tasks = {case["task"] for case in self._asked(model).values()}
        return [
            batch
            for (owner, batch), runs in self.plan.jobs.items()
            if owner == model and any(tasks & set(run["tests"]) for run in runs.values())
        ]

    def _file(self, model: str) -> str:
        """Where a model's answers stand; the name covers the questions and all that its scores depend on."""
        about = {"version": VERSION, "model": model, "cases": self._asked(model), "batches": self._batches(model)}
        # Longer than the hash of a score: an archive of scores takes the file as it is.
        return f"scores/{model}/cases-{fingerprint(about, 16)}.json"

    def _wanted(self, model: str) -> bool:
        """Whether a model's answers are there, or can be had from runs that stand here or will be made anyway."""
        if self.plan.exists(self._file(model)):
            return True
        tasks = {case["task"] for case in self._asked(model).values()}
        folders = [f"runs/{model}", *(f"tasks/{task}" for task in tasks)]
        stand = all((self.plan.root / self.results / folder).is_dir() for folder in folders)
        scored = all(self.plan.exists(f"scores/{model}/{batch}.json") for batch in self._batches(model))
        return not self.plan.archive and (stand or not scored)

    def case_files(self) -> dict[str, str]:
        """Model -> the file of its answers, for the models that are asked something."""
        models = [model for model in self.plan.models if self._asked(model)]
        return {model: f"{self.results}/{self._file(model)}" for model in models if self._wanted(model)}

    def missing_cases(self) -> str:
        """A pattern for the answers that are not there; those that are have no producer, as scores."""
        files = [self._file(model) for model in self.plan.models if self._asked(model)]
        missing = [file.partition("cases-")[2].removesuffix(".json") for file in files if not self.plan.exists(file)]
        return "|".join(missing) or NOTHING

    def case_scores(self, wildcards: Wildcards) -> list[str]:
        return [f"{self.results}/scores/{wildcards.model}/{batch}.json" for batch in self._batches(wildcards.model)]

    def cases_json(self, wildcards: Wildcards) -> str:
        return json.dumps(self._asked(wildcards.model), ensure_ascii=False)

    def case_answers(self, wildcards: Wildcards) -> list[str]:
        models = self._models(self.cases[wildcards.case])
        return [path for model, path in self.case_files().items() if model in models]

    def case_json(self, wildcards: Wildcards) -> str:
        return json.dumps(self.cases[wildcards.case], ensure_ascii=False)

    def case_titles(self, wildcards: Wildcards) -> str:
        models = self._models(self.cases[wildcards.case])
        return json.dumps({model: self.plan.models[model]["title"] for model in models}, ensure_ascii=False)

    def case_pages(self) -> list[str]:
        return [f"{self.results}/cases/{case}.json" for case in self.cases]

    def case_note(self, wildcards: Wildcards) -> str:
        """What must be read before any number."""
        return self.plan.config["tables_note"].get("note", "")

    # The page -------------------------------------------------------------------------------------------------------

    def captions_json(self, wildcards: Wildcards) -> str:
        """Name of a figure -> its title and caption."""
        about = {
            name: {key: figure.get(key, "") for key in ("title", "caption")} for name, figure in self.figures.items()
        }
        return json.dumps(about, ensure_ascii=False)

    def record_arguments(self, wildcards: Wildcards) -> str:
        return " ".join(f"{model}={path}" for model, path in self.plan.recorded().items())

    def settings_json(self, wildcards: Wildcards) -> str:
        """The settings that the report prints, as JSON."""
        config = self.plan.config
        return json.dumps({key: config[key] for key in SETTINGS if key in config}, ensure_ascii=False)
