"""What the rule of model cards asks: what the declarations say of a model, and which scores of it there are."""

import json
from typing import Any

from linkbert.declarations import check, names
from linkbert.evidence.wanted import Wanted
from linkbert.planning.chain import NOTHING, Wildcards
from linkbert.planning.plan import Plan

_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "array", "items": _TEXT}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["licence", "language", "tags", "limits", "citation"],
    "properties": {
        "licence": {**_TEXT, "description": "of the weights, as the Hub abbreviates it"},
        "language": {**_TEXT, "description": "of the corpora, as the Hub abbreviates it"},
        "tags": {**_TEXTS, "description": "what the Hub finds the model by"},
        "limits": {**_TEXTS, "description": "one paragraph each"},
        "citation": {**_TEXT, "description": "BibTeX"},
        "corpora": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "dataset": {**_TEXT, "description": "its name on the Hub"},
                    "about": {**_TEXT, "description": "what it is, with its licence"},
                },
            },
        },
    },
}


class Cards:
    """Answers to the rule, for one plan."""

    def __init__(self, plan: Plan, evidence: Wanted):
        self.plan, self.evidence = plan, evidence
        self.said: dict[str, Any] = plan.config.get("cards") or {}
        if self.said:
            check("config: cards", self.said, SCHEMA)

    def models(self) -> list[str]:
        """Models that are trained here, and needed by some table; released ones have cards of their own."""
        used = dict.fromkeys(model for model, _ in self.plan.jobs)
        return [model for model in used if self.said and self.plan.models[model]["kind"] == "pretrained"]

    def pattern(self) -> str:
        return "|".join(self.models()) or NOTHING

    def scores(self, wildcards: Wildcards) -> list[str]:
        """Score files of the model: those that are there; all of them where there is none yet."""
        paths = self.plan.score_files(wildcards.model)
        return [path for path in paths if (self.plan.root / path).exists()] or paths

    def lineage(self, wildcards: Wildcards) -> str:
        return self.evidence.lineage_file(wildcards.model)

    def card_json(self, wildcards: Wildcards) -> str:
        """What the card says beside counts, recipe and scores."""
        row = self.plan.models[wildcards.model]
        corpora = names(row["corpora"])
        said = {name: self.said.get("corpora", {}).get(name, {}) for name in corpora}
        about = {
            **{key: self.said[key] for key in ("licence", "language", "tags", "limits", "citation")},
            "name": wildcards.model,
            "title": row["title"],
            "note": self.plan.config["tables_note"].get("note", ""),
            "generated": bool(self.plan.config.get("world")),  # then nothing is what its name says
            "base_model": self.plan.hub[row["hub"]]["repository"] if row["hub"] else "",
            "sampling": self.plan.samplings[row["sampling"]] | {"name": row["sampling"]},
            "corpora": {name: {**said[name], "links": self.plan.corpora[name]["links"]} for name in corpora},
            "tasks": {task: {key: cells[key] for key in ("title", "kind")} for task, cells in self.plan.tasks.items()},
        }
        return json.dumps(about, ensure_ascii=False)
