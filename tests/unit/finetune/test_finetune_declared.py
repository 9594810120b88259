"""A new data set is one line in a table: the rows of the documentation, declared, planned, prepared, tuned, printed."""

import csv
import importlib
import json
import re
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

import download_file
import download_hub
import make_table
import prepare_task
from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.errors import UserError
from linkbert.files import read_json
from linkbert.planning.plan import Plan
from linkbert.tasks.prepare import prepare, read_examples

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "evaluation.md"
NEW = ["own_qa", "own_topics", "own_ner", "own_hub"]
MODEL = "linkbert-base-released"


def wild(**names):
    return SimpleNamespace(**names)


def blocks(language: str) -> list[str]:
    """The code blocks of the page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


def lay_hub(folder: Path) -> None:
    """An invented copy of GLUE's RTE as the hub has it."""
    names = {"label": {"names": ["entailment", "not_entailment"], "_type": "ClassLabel"}}
    metadata = {"huggingface": json.dumps({"info": {"features": names}})}
    folder.mkdir(parents=True)
    for split, number in (("train", 9), ("validation", 6), ("test", 2)):
        rows = {
            "sentence1": [f"The mill by the lake has {n} bells." for n in range(number)],
            "sentence2": ["The mill has a bell." if n % 2 else "The lake froze." for n in range(number)],
            "label": [-1 if split == "test" else n % 2 for n in range(number)],
        }
        table = arrow.table(rows).replace_schema_metadata(metadata)
        parquet.write_table(table, folder / f"{split}-00000-of-00001.parquet")


@pytest.fixture
def declared(tmp_path, data, monkeypatch) -> Plan:
    """The paper's declarations with those of the page beside them, in a folder of their own."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    (tmp_path / "my").mkdir()
    for block in blocks("tsv"):
        name = {"task": "tasks", "file": "downloads", "hub": "hub", "set": "recipes"}[block.split("\t")[0]]
        here = block.replace("file:///data/", f"file://{tmp_path}/mirror/")
        (tmp_path / "my" / f"{name}.tsv").write_text(here, encoding="utf-8")
    (tmp_path / "my" / "config.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    shutil.copytree(data / "tasks", tmp_path / "mirror")
    lay_hub(tmp_path / "mirror" / "hub" / "nyu-mll" / "glue" / "rte")
    config = load_configuration(tmp_path / name for name in (*CONFIGURATION, "my/config.yaml"))
    config["downloads"]["mirror"] = "mirror"
    monkeypatch.chdir(tmp_path)
    return Plan(config, tmp_path)


def run_stages(plan: Plan, model: Path) -> None:
    """What the rules would run for the tasks of the page, command by command."""
    for file in ("own-qa.jsonl", "own-topics.jsonl", "own-ner.tsv"):
        source = shlex.split(plan.download_source(wild(file=file)))
        download_file.main([*source, "--output", f"{plan.results}/downloads/{file}"])
    download_hub.main([*shlex.split(plan.hub_source(wild(hub="own-rte"))), "--output", f"{plan.results}/hub/own-rte"])
    for task in NEW:
        row = plan.tasks[task]
        command = ["--task", task, "--reader", row["reader"], "--files", *plan.task_arguments(wild(task=task)).split()]
        command += ["--options", row["options"], "--output", f"{plan.results}/tasks/{task}"]
        assert all(Path(path).exists() for path in plan.task_inputs(wild(task=task)))
        prepare_task.main(command)
    finetune = importlib.import_module("finetune")
    for name, batch in plan.jobs:
        if name == MODEL and batch.startswith("own_"):
            names = wild(model=name, batch=batch)
            command = ["--name", name, "--model", str(model), "--batch", batch, "--runs", plan.batch_json(names)]
            command += ["--tasks", plan.task_folder(names), "--run-folder", plan.run_folder(names)]
            command += ["--threads", "1", "--device", "cpu"]
            finetune.main([*command, "--output", f"{plan.results}/scores/{name}/{batch}.json"])


def test_each_new_set_is_one_line_and_gets_its_runs(declared):
    lines = (declared.root / "my" / "tasks.tsv").read_text(encoding="utf-8").splitlines()
    assert [line.split("\t")[0] for line in lines] == ["task", *NEW]
    paper = Plan(load_configuration(ROOT / name for name in CONFIGURATION), ROOT)
    added = {(model, batch.rpartition("-")[0]) for model, batch in declared.jobs.keys() - paper.jobs.keys()}
    assert {(MODEL, task) for task in NEW} <= added
    assert len(declared.table_scores(wild(table="own_tasks"))) == len(NEW)
    (own_qa,) = [job for (_, batch), job in declared.jobs.items() if batch.startswith("own_qa-")]
    assert own_qa["own_qa"]["seeds"] == [0, 1, 2] and own_qa["own_qa"]["recipes"][0]["length"] == 384


def test_the_rows_of_the_page_run_from_file_to_table(declared, world, tmp_path):
    world.save_model(tmp_path / "model", positions=384)
    run_stages(declared, tmp_path / "model")
    for task, kind in zip(NEW, ("span", "classification", "tagging", "classification"), strict=True):
        meta = read_json(tmp_path / declared.results / "tasks" / task / "meta.json")
        assert (meta["kind"], meta["metric"], meta["dropped"]) == (kind, declared.tasks[task]["metric"], {})
        assert all(meta["counts"][split] for split in ("train", "dev", "test"))
    scores = declared.table_scores(wild(table="own_tasks"))
    table = ["--table", declared.table_json(wild(table="own_tasks")), "--scores", *scores]
    make_table.main([*table, "--published", "config/published.tsv", "--output", f"{declared.results}/tables/own_tasks"])
    with (tmp_path / declared.results / "tables" / "own_tasks.tsv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    seeds = {task: {row["seed"] for row in rows if row["task"] == task and row["value"]} for task in NEW}
    assert seeds == {task: {"0", "1", "2", "mean"} for task in NEW}
    page = (tmp_path / declared.results / "tables" / "own_tasks.md").read_text(encoding="utf-8")
    assert "Our questions" in page and "RTE from the hub" in page


def test_each_kind_of_line_of_the_page_is_read(tmp_path):
    kinds = ("span", "classification", "multilabel", "regression", "tagging", "choice")
    for kind, line in zip(kinds, blocks("json")[0].splitlines(), strict=True):
        (tmp_path / "mine.jsonl").write_text(line + "\n", encoding="utf-8")
        (tmp_path / "twice.jsonl").write_text(2 * (line + "\n"), encoding="utf-8")  # equal splits would be refused
        files = {"train": tmp_path / "twice.jsonl"} | dict.fromkeys(("dev", "test"), tmp_path / "mine.jsonl")
        meta = prepare("mine", "jsonl", files, {"kind": kind}, 0, tmp_path / kind)
        assert (meta["counts"]["test"], meta["dropped"]) == (1, {})
        assert all("repeat an id" in sentence or "stand in train" in sentence for sentence in meta["warnings"])
        assert json.loads(line).items() <= read_examples(tmp_path / kind, "test")[0].items()


def test_the_row_of_contributing_is_right(declared, world, tmp_path):
    (row,) = re.findall(r"^my_ner\t.*$", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.M)
    header = blocks("tsv")[0].splitlines()[0]
    (tmp_path / "my" / "tasks.tsv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    files = [f"my-{split}.jsonl" for split in ("train", "dev", "test")]
    declared_files = "".join(f"{file}\tfile:///data/{file}\t\t\tours\n" for file in files)
    (tmp_path / "my" / "downloads.tsv").write_text(f"file\turl\tsha256\tmd5\tlicence\tnote\n{declared_files}")
    config = declared.config | {
        "tables": {"t": {"title": "t", "rows": [{"model": MODEL}], "columns": [{"id": "my_ner"}]}}
    }
    plan = Plan(config, tmp_path)
    for file in files:
        lines = [{"tokens": ["The", "copper", "bell"], "tags": ["O", "B", "I"]}, {"tokens": [file], "tags": ["O"]}]
        Path(plan.results, "downloads").mkdir(parents=True, exist_ok=True)
        Path(plan.results, "downloads", file).write_text("".join(json.dumps(line) + "\n" for line in lines))
    arguments = dict(pair.split("=") for pair in plan.task_arguments(wild(task="my_ner")).split())
    task = plan.tasks["my_ner"]
    meta = prepare(
        "my_ner",
        task["reader"],
        {role: Path(path) for role, path in arguments.items()},
        json.loads(task["options"]),
        0,
        tmp_path / "out",
    )
    assert (meta["kind"], meta["metric"], meta["counts"]["test_mentions"]) == (task["kind"], task["metric"], 1)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('{"kind": "span", ', '{"kind": "tagging", ', r"tasks.tsv \(own_qa\): the reader jsonl .*must be the row's"),
        ('{"kind": "span", ', "{", r'must be the row\'s: {"kind": "span"}'),
        ("hub:own-rte", "hub:own-ret", "unknown row of hub.tsv 'own-ret'.*Did you mean 'own-rte'"),
        ("data=own-ner.tsv", "data=own-nre.tsv", "unknown download 'own-nre.tsv'.*Did you mean 'own-ner.tsv'"),
    ],
)
def test_a_mistake_in_a_row_is_named_before_anything_runs(declared, old, new, sentence):
    path = declared.root / "my" / "tasks.tsv"
    text = path.read_text(encoding="utf-8").replace("train=own-ner", "data=own-ner")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        Plan(declared.config, declared.root)


def test_a_grid_is_decided_on_dev_and_its_test_reported_once(world, tmp_path):
    """2 × 2 points with 2 seeds through the commands: the cell is the test score of the point that is best on dev."""
    point = {"length": 32}
    grid = [{**point, "learning_rate": rate, "batch_size": 8, "epochs": n} for rate in (1e-4, 1e-2) for n in (1, 3)]
    runs = {"classification": {"tests": ["classification"], "recipes": grid, "seeds": [0, 1]}}
    finetune = importlib.import_module("finetune")
    command = ["--name", "small", "--model", str(world.model), "--batch", "grid", "--runs", json.dumps(runs)]
    command += [
        "--tasks",
        str(world.tasks),
        "--run-folder",
        str(tmp_path / "runs"),
        "--threads",
        "1",
        "--device",
        "cpu",
    ]
    finetune.main([*command, "--output", str(tmp_path / "scores" / "grid.json")])
    entries = read_json(tmp_path / "scores" / "grid.json")["runs"]
    assert len({(entry["point"], entry["seed"]) for entry in entries}) == len(entries) == 8
    table = {
        "table": "t",
        "title": "t",
        "rows": [{"model": "small", "title": "small"}],
        "columns": [{"id": "classification", "title": "c"}],
    }
    output = ["--published", str(ROOT / "config" / "published.tsv"), "--output", str(tmp_path / "t")]
    make_table.main(["--table", json.dumps(table), "--scores", str(tmp_path / "scores" / "grid.json"), *output])
    with (tmp_path / "t.tsv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["model"] == "small"]

    def mean(split: str, recipe: dict) -> float:
        scores = [entry[split]["accuracy"] for entry in entries if entry["recipe"] == recipe]
        assert len(scores) == 2
        return sum(scores) / 2

    recipes = [entry["recipe"] for entry in entries if entry["seed"] == 0]
    dev = [mean("dev", recipe) for recipe in recipes]
    best = recipes[dev.index(max(dev))]
    assert len(set(dev)) > 1  # otherwise nothing is decided
    assert {row["seed"] for row in rows} == {"0", "1", "mean"}
    (reported,) = [float(row["value"]) for row in rows if row["seed"] == "mean"]
    assert reported == pytest.approx(mean("test", best), abs=0.01)
    (cell,) = read_json(tmp_path / "t.json")["cells"]
    assert cell["choice"]["recipe"] == best and cell["choice"]["dev"] == pytest.approx(max(dev))
    assert [tried["dev"] for tried in cell["choice"]["candidates"]] == pytest.approx(dev)
    assert len(cell["choice"]["runs"]) == 2
