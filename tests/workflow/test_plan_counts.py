"""What scripts/plan.py counts is what Snakemake plans."""

import re
from pathlib import Path

import pytest

from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.planning.needs import needs
from linkbert.planning.plan import Plan

# Stage of the estimate -> the rules that make its artefacts.
RULES = {
    "downloads": ("download_file",),
    "hub": ("download_hub",),
    "documents": ("extract_documents",),
    "tokenizers": ("prepare_tokenizer",),
    "tokens": ("tokenize_documents",),
    "graphs": ("build_graph",),
    "instances": ("sample_instances",),
    "heldout": ("sample_heldout",),
    "models": ("pretrain", "adopt_model"),
    "tasks": ("prepare_task",),
    "scores": ("finetune",),
    "tables": ("make_table",),
}


def counted(tree: Path, target: str, *files: str) -> dict[str, int]:
    plan = Plan(load_configuration([tree / name for name in (*CONFIGURATION, *files)]), tree)
    found = needs(plan, [target])
    return {stage: len(found[stage]) for stage in RULES}


@pytest.mark.slow
@pytest.mark.parametrize("target", ["table5_ablation", "table7_blurb", "models"])
def test_jobs_by_stage_are_those_of_a_dry_run(snakemake, tree, target):
    done = snakemake("-n", "--configfile", "config/demo.yaml", "--", target)
    assert done.returncode == 0, done.stderr
    planned = {rule: int(number) for rule, number in re.findall(r"^(\w+) +(\d+)$", done.stdout, re.M)}
    expected = {stage: sum(planned.get(rule, 0) for rule in rules) for stage, rules in RULES.items()}
    assert counted(tree, target, "config/demo.yaml") == expected
