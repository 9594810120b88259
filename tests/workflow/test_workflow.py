"""The workflow from outside, nothing run: it lints, plans the paper, refuses mistakes in a sentence."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

TABLES = [
    "table1_mrqa",
    "table2_glue",
    "table3_distractors",
    "table4_fewshot",
    "table5_ablation",
    "table6_drp",
    "table7_blurb",
    "table8_medqa",
    "table9_mmlu",
]


def rules(tree: Path) -> dict[str, str]:
    """Rule name -> its text, over all rule files."""
    found = {}
    for path in sorted((tree / "rules").glob("*.smk")):
        for part in re.split(r"^(?=rule )", path.read_text(), flags=re.M):
            if name := re.match(r"rule (\w+):", part):
                found[name.group(1)] = part
    return found


def planned(stdout: str) -> dict[str, int]:
    """Rule -> jobs, as a dry run counts them."""
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", stdout, re.M)}


@pytest.mark.parametrize(
    "command",
    ["snakefmt --check Snakefile workflow/Snakefile rules", "ruff check .", "ruff format --check ."],
)
def test_lint_and_format(execute, command):
    done = execute(*command.split())
    assert done.returncode == 0, done.stdout + done.stderr


def test_snakemake_lint(snakemake):
    done = snakemake("--lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_that_runs_has_its_script_log_benchmark_environment_and_resources(tree):
    found = rules(tree)
    assert len(found) > 15
    for name, text in found.items():
        if "shell:" not in text:
            continue
        for directive in ("log:", "benchmark:", "conda:", "resources:", "mem_mb", "runtime"):
            assert directive in text, f"rule {name} has no {directive}"
        scripts = re.findall(r"scripts/(\w+)\.py", text)
        assert all((tree / "scripts" / f"{script}.py").exists() for script in scripts), name
        assert f"<logs>/{name}" in text or f"/logs/{name}" in text, f"rule {name}: the log has another name"
        assert all((tree / "rules" / file).exists() for file in re.findall(r'conda:\s+"(.+?)"', text)), name


@pytest.mark.slow
def test_the_whole_paper_is_planned(snakemake):
    done = snakemake("-n")
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = planned(done.stdout)
    assert jobs["pretrain"] == 12 and jobs["adopt_model"] == 5 and jobs["make_table"] == 9
    assert jobs["extract_documents"] >= 64 + 1 + 128 and jobs["finetune"] > 100 and jobs["prepare_task"] == 34
    for name in ("linkbert-tiny-tfidf", "biolinkbert-large-released", "squad_distractors", "mmlu_medicine"):
        assert name in done.stdout, f"{name} is not planned"


def test_the_standard_layout_has_the_same_default_target(snakemake):
    demo = ("-n", "--configfile", "config/demo.yaml")
    plain, standard = (planned(snakemake(*demo, *place).stdout) for place in ((), ("-s", "workflow/Snakefile")))
    assert plain.pop("all") == standard.pop("everything") == 1
    assert plain == standard and plain["make_table"] == len(TABLES)


def test_an_undeclared_download_is_named(snakemake):
    done = snakemake("-n", "results/paper/downloads/glue-RTEE.zip")
    assert done.returncode != 0
    assert re.search(r"unknown download 'glue-RTEE.zip'.*Did you mean 'glue-RTE.zip'\?", done.stdout + done.stderr)


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_a_target_and_plans_its_models_and_no_others(snakemake, tree, table):
    done = snakemake(table, "-n", "--configfile", "config/demo.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    definition = yaml.safe_load((tree / "config" / "tables.yaml").read_text())["tables"][table]
    models = {row["model"] for row in definition["rows"] if not row.get("external")}
    assert set(re.findall(r"output: results/demo/models/(\S+)", done.stdout)) == models
    assert planned(done.stdout)["make_table"] == 1


@pytest.mark.slow
def test_every_table_is_planned_from_the_authors_files(snakemake):
    done = snakemake("tables", "-n", "--configfile", "config/demo.yaml", "config/authors.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = planned(done.stdout)
    assert jobs["make_table"] == 9 and jobs["prepare_task"] == 34
    inputs = re.findall(r"^    input: (.*)\n    output: results/demo/tasks/(\w+)$", done.stdout, re.M)
    assert len(inputs) == 34
    archive = {task for files, task in inputs if files == "results/demo/downloads/linkbert-data.zip"}
    assert len(archive) == 34 - 8 and {"hoc", "ebm_pico", "squad_10pct"} <= archive  # GLUE is not in it


HEADER = "task\tsuite\tkind\treader\tfiles\tmetric\ttype\ttuned_on\toptions\tlength\ttitle\n"
BROKEN = {
    "kind": "mine\tglue\tclassificaton\tglue_rte\tarchive=glue-RTE.zip\taccuracy\t\t\t{}\t128\tMine\n",
    "reader": "mine\tglue\tclassification\tglue_rt\tarchive=glue-RTE.zip\taccuracy\t\t\t{}\t128\tMine\n",
    "file": "mine\tglue\tclassification\tglue_rte\tarchive=glue-RTEE.zip\taccuracy\t\t\t{}\t128\tMine\n",
    "cells": "mine\tglue\tclassification\tglue_rte\tarchive=glue-RTE.zip\taccuracy\t\t\t{}\t128\tMine\tone\ttoo many\n",
}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("sed=3", "config: unknown key 'sed'"),
        ("graph={neighbours: 7}", r"config: graph: unknown key 'neighbours'.*Did you mean 'neighbors'\?"),
        ("pretraining={tiny: {steps: many}}", "config: pretraining.tiny.steps: 'many' is not of type 'integer'"),
        ("declarations={models: config/nothing.tsv}", "config/nothing.tsv: no such table"),
        (
            "overrides={models: {bert-tiny: {corpora: enwikki}}}",
            r"models.tsv \(bert-tiny\): unknown corpus 'enwikki'.*Did you mean 'enwiki'\?",
        ),
        (
            "tables={table9_mmlu: {rows: [{model: biolinkbert-larg}]}}",
            r"tables.table9_mmlu: unknown model 'biolinkbert-larg'.*Did you mean 'biolinkbert-large'\?",
        ),
        (
            "tables={table9_mmlu: {columns: [{id: mmlu_medicin}]}}",
            r"tables.table9_mmlu: unknown task 'mmlu_medicin'.*Did you mean 'mmlu_medicine'\?",
        ),
        ("tables={table9_mmlu: {titel: MMLU}}", r"table table9_mmlu: unknown key 'titel'.*Did you mean 'title'\?"),
    ],
)
def test_a_wrong_configuration_ends_in_one_sentence(snakemake, tree, config, sentence):
    refused(snakemake("--cores", "1", "--config", config), sentence)
    assert {path.name for path in (tree / "results").iterdir()} == {".gitignore", "README.md"}


@pytest.mark.parametrize(
    ("mistake", "sentence"),
    [
        ("kind", r"broken.tsv, line 2 \(mine\): unknown kind 'classificaton'.*Did you mean 'classification'\?"),
        ("reader", r"tasks.tsv \(mine\): unknown reader 'glue_rt'.*Did you mean 'glue_rte'\?"),
        ("file", r"tasks.tsv \(mine\): unknown download 'glue-RTEE.zip'.*Did you mean 'glue-RTE.zip'\?"),
        ("cells", "broken.tsv, line 2: 13 cells, but the table has 11 columns"),
    ],
)
def test_a_broken_row_is_named_with_its_line(snakemake, tmp_path, mistake, sentence):
    (tmp_path / "broken.tsv").write_text(HEADER + BROKEN[mistake])
    config = f"declarations={{tasks: [config/tasks.tsv, {tmp_path}/broken.tsv]}}"
    said = refused(snakemake("-n", "--config", config), sentence)
    assert len(said) < 4000, "a sentence, not a list of everything that is known"


def refused(done: subprocess.CompletedProcess, sentence: str) -> str:
    """Check that a command failed with a sentence and without a traceback; return what it said."""
    said = done.stdout + done.stderr  # a dry run speaks on the one, a run on the other
    assert done.returncode != 0
    assert re.search(sentence, said), said
    assert "Traceback" not in said
    return said
