"""What the rules ask about evidence: which of its files an experiment has, can make, or takes from an archive.

Evidence is never a reason to compute a score again. It is made where its makings stand or will stand anyway: the
statistics of examples beside the runs and tasks, a model's lineage beside the model. Like a score, a file that exists
has no producer.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path

from linkbert.declarations import names, table_tasks
from linkbert.files import fingerprint
from linkbert.planning.chain import NOTHING, Wildcards
from linkbert.planning.plan import Plan

# The names of files whose hash says what they depend on; whatever else stands among the scores is packed as it is.
HASHED = re.compile(r".+-[0-9a-f]{12}\.(json|npz)")


class Wanted:
    """Answers to the rules, for one plan."""

    def __init__(self, plan: Plan):
        self.plan = plan

    def _exists(self, path: str) -> bool:
        return self.plan.exists(path.removeprefix(f"{self.plan.results}/"))

    def _folder(self, path: str) -> bool:
        return (self.plan.root / self.plan.results / path / "meta.json").exists()

    # Statistics of examples -----------------------------------------------------------------------------------------

    @staticmethod
    def statistics_of(score: str) -> str:
        """The evidence file of a score file."""
        return f"{score.removesuffix('.json')}.npz"

    def _can_condense(self, model: str, batch: str) -> bool:
        runs = self.plan.jobs[model, batch]
        tasks = {task for run in runs.values() for task in run["tests"]}
        stands = (self.plan.root / self.plan.results / "runs" / model).is_dir()
        return stands and all(self._folder(f"tasks/{task}") for task in tasks)

    def statistics(self, scores: Iterable[str]) -> list[str]:
        """The evidence of score files: that which exists, and that which can be made with no score made for it."""
        wanted = []
        for score in scores:
            model, batch = score.removesuffix(".json").split("/")[-2:]
            path = self.statistics_of(score)
            if self._exists(score) and not self._exists(path):
                if self.plan.archive or not self._can_condense(model, batch):
                    continue
            elif self.plan.archive and not self._exists(path):
                continue
            wanted.append(path)
        return wanted

    def missing_batches(self) -> str:
        """A pattern for the batches whose evidence must be made: it is absent, or its score is and will be made."""
        jobs = zip(self.plan.jobs, self.plan.score_files(), strict=True)
        missing = [job for job, path in jobs if not all(map(self._exists, (path, self.statistics_of(path))))]
        return self.plan.batch_pattern(missing)

    def table_statistics(self, wildcards: Wildcards) -> list[str]:
        return self.statistics(self.plan.table_scores(wildcards))

    def all_statistics(self) -> list[str]:
        return self.statistics(self.plan.available(self.plan.score_files()))

    # Lineage --------------------------------------------------------------------------------------------------------

    def lineage_file(self, model: str) -> str:
        return f"{self.plan.results}/scores/{model}/lineage-{fingerprint(self.plan.lineage(model))}.json"

    def missing_lineages(self) -> str:
        missing = [model for model in self.plan.models if not self._exists(self.lineage_file(model))]
        return "|".join(missing) or NOTHING

    def _lineages(self, models: Iterable[str]) -> list[str]:
        """Of models that have one, or that stand or will stand anyway."""
        files = {model: self.lineage_file(model) for model in models}
        return [path for model, path in files.items() if self._exists(path) or self.plan.stands_anyway(model)]

    def table_lineages(self, table: str) -> list[str]:
        rows = self.plan.tables[table]["rows"]
        return self._lineages(row["model"] for row in rows if not row.get("external"))

    def all_lineages(self) -> list[str]:
        return self._lineages(model for model, _ in self.plan.jobs)

    def lineage_folders(self, wildcards: Wildcards) -> str:
        """Every folder between the downloads and a model, nearest first, relative to the results."""
        row = self.plan.models[wildcards.model]
        folders = [f"models/{wildcards.model}", f"tokenizers/{row['tokenizer']}"]
        kind, _, source = self.plan.tokenizers[row["tokenizer"]]["source"].partition(":")
        corpora = names(row["corpora"]) if row["kind"] == "pretrained" else []
        for corpus in corpora:
            sampling = self.plan.sampling_for(corpus, row["sampling"])
            folders.append(f"instances/{corpus}/{row['tokenizer']}/{sampling}")
            folders.append(f"heldout/{corpus}/{row['tokenizer']}")
            for links in dict.fromkeys((self.plan.samplings[sampling]["links"], self.plan.corpora[corpus]["links"])):
                folders += [f"graphs/{corpus}/{links}"] if links != "none" else []
            folders.append(f"tokens/{corpus}/{row['tokenizer']}")
        for corpus in dict.fromkeys([*corpora, *([source] if kind == "train" else [])]):
            folders += [path.removeprefix(f"{self.plan.results}/") for path in self.plan.corpus_documents(corpus)]
        hubs = [row["hub"], source if kind == "hub" else ""]
        folders += [f"hub/{hub}" for hub in dict.fromkeys(hubs) if hub]
        return " ".join(folders)

    def lineage_downloads(self, wildcards: Wildcards) -> str:
        """The downloads of a model's corpora of which each shard reads a part."""
        row = self.plan.models[wildcards.model]
        corpora = [self.plan.corpora[corpus] for corpus in names(row["corpora"])] if row["kind"] == "pretrained" else []
        files = [names(corpus["files"]) for corpus in corpora if int(corpus["shards"]) > 1]
        return " ".join(found[0] for found in files if len(found) == 1)

    # Archives -------------------------------------------------------------------------------------------------------

    def exported(self) -> list[str]:
        """What an archive of scores holds: all that exists of this plan, and evidence that can be made without work."""
        known = [path for path in self.plan.score_files() if self._exists(path)]
        found = [*known, *self.statistics(known)]
        found += [path for path in self.plan.training_recordings() if self._exists(path)]
        found += [path for path in self.all_lineages() if self._exists(path) or self._folder(self._model_of(path))]
        scores = self.plan.root / self.plan.results / "scores"
        others = sorted(path for path in scores.rglob("*") if path.is_file() and path.name[0] != ".")
        found += [str(path.relative_to(self.plan.root)) for path in others if not HASHED.fullmatch(path.name)]
        return list(dict.fromkeys(found))

    @staticmethod
    def _model_of(lineage: str) -> str:
        return f"models/{Path(lineage).parent.name}"

    def absent(self) -> list[str]:
        """Score files of the plan that an archive cannot hold, for they are not there; relative to the results."""
        return [path for path in self.plan.score_files() if not self._exists(path)]

    def imported(self) -> list[str]:
        """The files that an archive brings: those of its files that are not there already."""
        archive = self.plan.archive
        paths = [f"{self.plan.results}/{name}" for name in (archive.files if archive else ())]
        return [path for path in paths if not (self.plan.root / path).exists()]

    def missing_json(self, wildcards: Wildcards) -> str:
        """Score file -> the cells that want it, for a table drawn from an archive that lacks some."""
        definition = self.plan.tables[wildcards.table]
        tasks, models = table_tasks(definition), [row["model"] for row in definition["rows"]]
        missing: dict[str, list[list[str]]] = {}
        for ((model, _), runs), path in zip(self.plan.jobs.items(), self.plan.score_files(), strict=True):
            if self.plan.archive and model in models and not self._exists(path):
                tested = {task for run in runs.values() for task in run["tests"]}
                cells = [[model, task] for task in tasks if task in tested]
                missing |= {path: cells} if cells else {}
        return json.dumps(missing)

    def results_folder(self, wildcards: Wildcards) -> str:
        return self.plan.results

    def config_json(self, wildcards: Wildcards) -> str:
        return json.dumps(self.plan.config, ensure_ascii=False, sort_keys=True)
