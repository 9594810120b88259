"""The workflow from outside: it lints, plans the paper, refuses mistakes in a sentence."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
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


def rules() -> dict[str, str]:
    """Rule name -> its text, over all rule files."""
    found = {}
    for path in sorted((ROOT / "rules").glob("*.smk")):
        for part in re.split(r"^(?=rule )", path.read_text(), flags=re.M):
            if name := re.match(r"rule (\w+):", part):
                found[name.group(1)] = part
    return found


def test_lint_and_format():
    tools = Path(sys.executable).parent
    for command in (["snakefmt", "--check", "Snakefile", "workflow/Snakefile", "rules"], ["ruff", "check", "."]):
        done = subprocess.run([tools / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_snakemake_lint(snakemake):
    done = snakemake("--lint")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_that_runs_has_its_script_log_benchmark_environment_and_resources():
    for name, text in rules().items():
        if "shell:" not in text:
            continue
        for directive in ("log:", "benchmark:", "conda:", "resources:", "mem_mb", "runtime"):
            assert directive in text, f"rule {name} has no {directive}"
        scripts = re.findall(r"scripts/(\w+)\.py", text)
        assert all((ROOT / "scripts" / f"{script}.py").exists() for script in scripts), name
        assert f"<logs>/{name}" in text or f"/logs/{name}" in text, f"rule {name}: the log has another name"


def test_files_stay_small():
    limits = {"rules/*.smk": 260, "scripts/*.py": 90, "workflow/linkbert/**/*.py": 450}
    for pattern, limit in limits.items():
        for path in ROOT.glob(pattern):
            lines = len(path.read_text().splitlines())
            assert lines <= limit, f"{path.relative_to(ROOT)} has {lines} lines; split it by meaning"


def test_the_whole_paper_is_planned(snakemake):
    done = snakemake("-n", "--quiet", "progress", "--config", "downloads={mirror: results/mirror}")
    assert done.returncode == 0, done.stdout + done.stderr
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", done.stdout, re.M))
    assert jobs["pretrain"] == "12" and jobs["adopt_model"] == "5" and jobs["make_table"] == "9"
    assert int(jobs["extract_documents"]) >= 64 + 1 + 128 and int(jobs["finetune"]) > 100


@pytest.mark.parametrize("table", TABLES)
def test_every_table_is_a_target(snakemake, table):
    done = snakemake(table, "-n", "--quiet", "progress", "--configfile", "config/demo.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--config", "sed=3"], "config: unknown key 'sed'"),
        (["--config", "graph={neighbours: 7}"], "unknown key 'neighbours'"),
        (["--config", "declarations={models: config/nothing.tsv}"], "config/nothing.tsv: no such table"),
        (
            ["--config", "overrides={models: {bert-tiny: {corpora: enwikki}}}"],
            r"models.tsv \(bert-tiny\): unknown corpus 'enwikki'.*Did you mean 'enwiki'",
        ),
    ],
)
def test_a_wrong_configuration_ends_in_one_sentence(snakemake, arguments, sentence):
    done = snakemake("-n", *arguments)
    assert done.returncode != 0
    assert re.search(sentence, done.stderr), done.stderr
    assert "Traceback" not in done.stderr
