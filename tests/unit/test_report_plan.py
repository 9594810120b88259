"""What the rules of the report ask, from the declarations as they stand and from changed ones."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.errors import UserError
from linkbert.planning.chain import NOTHING
from linkbert.planning.plan import Plan
from linkbert.report.plan import Reporting

ROOT = Path(__file__).resolve().parents[2]


def reporting(root=ROOT, **changes):
    config = load_configuration(ROOT / name for name in CONFIGURATION)
    for key, entries in changes.items():
        config[key] = {**config[key], **entries}
    plan = Plan(config, ROOT)
    plan.root = root  # where results are looked for
    return Reporting(plan)


def wild(**names):
    return SimpleNamespace(**names)


def test_everything_that_is_declared_for_the_paper_can_be_had():
    declared = yaml.safe_load((ROOT / "config" / "report.yaml").read_text(encoding="utf-8"))
    made = reporting()
    assert list(made.figures) == list(declared["figures"])
    assert list(made.cases) == list(declared["cases"]) == ["figure3", "figure4"]
    assert list(made.boards) == list(declared["leaderboards"]) == ["leaderboard", "model_card"]
    for figure in made.figures.values():
        rows = {row["model"] for table in figure["tables"] for row in made.plan.tables[table]["rows"]}
        columns = {column["id"] for table in figure["tables"] for column in made.plan.tables[table]["columns"]}
        tasks = figure["tasks"]
        named = [task for one in tasks.values() for task in one.values()] if isinstance(tasks, dict) else tasks
        assert rows >= {*figure["models"], figure.get("reference", figure["models"][0])}
        assert columns >= set(named)


def test_an_experiment_takes_entries_and_tables_away():
    made = reporting(cases={"figure3": None}, tables={"table5_ablation": None})
    assert list(made.cases) == ["figure4"]
    assert "ablation_links" not in made.figures and "ablation_drp" in made.figures
    assert not any("ablation_links" in path for path in made.figure_files())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"figures": {"drp": {"title": "D", "kind": "bars"}}}, "figure drp: unknown kind 'bars'"),
        ({"cases": {"c": {"title": "C", "task": "squad"}}}, "case c: it is found by one of .* given are none"),
        ({"cases": {"c": {"title": "C", "task": "squad", "exampel": "test/0"}}}, "Did you mean 'example'"),
        ({"leaderboards": {"b": {"title": "B", "layout": "lsit"}}}, "leaderboard b: unknown layout 'lsit'"),
    ],
)
def test_a_mistake_is_a_sentence(changes, sentence):
    changes = {
        key: {
            name: {"tables": ["table6_drp"], "models": ["m"], "tasks": ["squad"], **entry}
            if key == "figures"
            else entry
        }
        for key, entries in changes.items()
        for name, entry in entries.items()
    }
    with pytest.raises(UserError, match=sentence):
        reporting(**changes)


def test_answers_are_of_the_models_that_are_tuned_on_the_task_and_named_by_question_and_scores(tmp_path):
    made = reporting(tmp_path)
    files = made.case_files()
    assert {"linkbert-tiny", "biolinkbert-large"} <= set(files) and len(files) == len(made.plan.models)
    assert all(re.fullmatch(r"results/paper/scores/[\w-]+/cases-[0-9a-f]{16}\.json", path) for path in files.values())
    assert set(made.case_answers(wild(case="figure4"))) == {
        path for model, path in files.items() if "bio" in model or "pubmed" in model
    }
    scores = made.case_scores(wild(model="linkbert-tiny"))
    assert len(scores) == 1 and "/linkbert-tiny/hotpotqa-" in scores[0]
    other = reporting(tmp_path, cases={"figure3": {**made.cases["figure3"], "question": "Another?"}}).case_files()
    assert other["linkbert-tiny"] != files["linkbert-tiny"] and other["biolinkbert-large"] == files["biolinkbert-large"]


def test_answers_that_are_there_have_no_producer_and_none_is_wanted_that_would_need_a_run(tmp_path):
    made = reporting(tmp_path)
    path = made.case_files()["linkbert-tiny"]
    name = path.partition("cases-")[2].removesuffix(".json")
    assert name in made.missing_cases()
    for score in made.case_scores(wild(model="linkbert-tiny")):
        (tmp_path / score).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / score).touch()
    assert "linkbert-tiny" not in made.case_files()  # scored, but neither runs nor tasks are here
    (tmp_path / "results/paper/runs/linkbert-tiny").mkdir(parents=True)
    (tmp_path / "results/paper/tasks/hotpotqa").mkdir(parents=True)
    assert made.case_files()["linkbert-tiny"] == path
    (tmp_path / path).touch()
    assert name not in made.missing_cases() and made.case_files()["linkbert-tiny"] == path


def test_patterns_of_nothing_match_nothing():
    assert Reporting.pattern({}) == NOTHING
    assert re.fullmatch(Reporting.pattern({"a_b": 1, "c": 2}), "a_b")


def test_settings_of_the_page_hold_what_numbers_depend_on_and_no_folder():
    settings = json.loads(reporting().settings_json(wild()))
    assert settings["experiment"] == "paper" and "pretraining" in settings and "finetuning" in settings
    assert not {"downloads", "hardware", "cluster", "tables"} & set(settings)
