"""Which reports about corpora, graphs and instances there are, and what each reads."""

from typing import Any

from linkbert.declarations import names, table_tasks
from linkbert.planning.plan import Plan

Wildcards = Any  # Snakemake's wildcards: names as attributes


class CorpusReports:
    """The reports of an experiment: of every corpus, graph and set of instances that its models are trained on."""

    def __init__(self, plan: Plan):
        self.plan = plan
        used = {
            (corpus, row["tokenizer"], plan.sampling_for(corpus, row["sampling"]))
            for row in plan.models.values()
            for corpus in names(row["corpora"])
        }
        self.instances = sorted(used)
        links = {(corpus, plan.samplings[sampling]["links"]) for corpus, _, sampling in used}
        self.graphs = sorted(pair for pair in links if pair[1] != "none")
        self.corpora = sorted({corpus for corpus, _, _ in used})

    def pages(self) -> list[str]:
        """All pages."""
        folder = f"{self.plan.results}/reports"
        pages = [f"{folder}/graphs/{corpus}/{links}.md" for corpus, links in self.graphs]
        pages += [f"{folder}/instances/{'/'.join(used)}.md" for used in self.instances]
        return pages + [f"{folder}/overlap/{corpus}.md" for corpus in self.corpora]

    def tasks(self, wildcards: Wildcards) -> list[str]:
        """The tasks of the tables, those of the same files once."""
        plan, chosen = self.plan, dict[tuple[str, ...], str]()
        wanted = {task for definition in plan.tables.values() for task in table_tasks(definition)}
        for task in plan.tasks:
            if task in wanted:
                chosen.setdefault(plan.data_of(task), task)
        return [f"{plan.results}/tasks/{task}" for task in chosen.values()]
