"""config/hub.yaml: the paper's tasks from data sets of the hub, laid out as the hub has them, through the plan."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pyarrow as arrow
import pyarrow.parquet as parquet
import pytest

from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.metrics import score
from linkbert.planning.plan import Plan
from linkbert.tasks.prepare import prepare, read_examples

ROOT = Path(__file__).resolve().parents[2]
# Columns and label names of nyu-mll/glue, by configuration; stsb's label is a number.
GLUE = {
    "cola": (["sentence"], ["unacceptable", "acceptable"]),
    "sst2": (["sentence"], ["negative", "positive"]),
    "mrpc": (["sentence1", "sentence2"], ["not_equivalent", "equivalent"]),
    "qqp": (["question1", "question2"], ["not_duplicate", "duplicate"]),
    "stsb": (["sentence1", "sentence2"], []),
    "mnli": (["premise", "hypothesis"], ["entailment", "neutral", "contradiction"]),
    "qnli": (["question", "sentence"], ["entailment", "not_entailment"]),
    "rte": (["sentence1", "sentence2"], ["entailment", "not_entailment"]),
}


def planned(*more: str) -> Plan:
    return Plan(load_configuration(ROOT / name for name in (*CONFIGURATION, *more)), ROOT)


@pytest.fixture(scope="module")
def plans() -> tuple[Plan, Plan]:
    """The paper's plan, and the one with config/hub.yaml beside it."""
    return planned(), planned("config/hub.yaml")


def write_parquet(path: Path, columns: dict, names: list[str], label: str = "label") -> None:
    features = {label: {"names": names, "_type": "ClassLabel"} if names else {"dtype": "float32", "_type": "Value"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(arrow.table(columns).replace_schema_metadata(metadata), path)


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Path:
    """Invented rows in the layout of the four repositories."""
    root = tmp_path_factory.mktemp("hub")
    for config, (texts, names) in GLUE.items():
        held = ["validation_matched", "validation_mismatched"] if config == "mnli" else ["validation"]
        for split in ("train", *held, *(name.replace("validation", "test") for name in held)):
            labels = [n % len(names) if names else 0.5 * n for n in range(6)]
            labels = [-1] * 6 if split.startswith("test") else labels
            columns = {text: [f"{config} {split} {text} {n}" for n in range(6)] for text in texts}
            columns |= {"label": labels, "idx": list(range(6))}
            write_parquet(root / "glue" / config / f"{split}-00000-of-00001.parquet", columns, names)
    for split, number in (("dev", 5), ("validation", 3), ("test", 4)):
        choices = [["one", "two", "three", "four"]] * number
        columns = {"question": [f"{split} {n}" for n in range(number)], "choices": choices, "subject": ["x"] * number}
        for subject in ("professional_medicine", "professional_law"):
            file = root / "mmlu" / subject / f"{split}-00000-of-00001.parquet"
            write_parquet(file, columns | {"answer": [n % 4 for n in range(number)]}, list("ABCD"), "answer")
    (root / "medqa").mkdir()
    for split, number in (("train", 16), ("test", 3)):
        options = dict(zip("ABCD", ("one", "two", "three", "four"), strict=True))
        question = {"answer": "two", "options": options, "answer_idx": "B"}
        lines = "".join(json.dumps({"question": f"{split} {n}?", **question}) + "\n" for n in range(number))
        (root / "medqa" / f"phrases_no_exclude_{split}.jsonl").write_text(lines)
    (root / "biosses").mkdir()
    pairs = [{"sentence1": f"a {n}", "sentence2": f"b {n}", "score": n / 25} for n in range(100)]
    (root / "biosses" / "test.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    return root


def test_repositories_are_pinned_and_only_the_source_changes(plans):
    paper, plan = plans
    changed = {task for task in plan.tasks if plan.tasks[task] != paper.tasks[task]}
    assert changed == {*GLUE, "biosses", "medqa_usmle", "mmlu_medicine"}
    for task in changed:
        ((_, file),) = plan.task_files(task)
        assert re.fullmatch("[0-9a-f]{40}", plan.hub[file.removeprefix("hub:")]["revision"])
        kept = ("suite", "kind", "metric", "type", "tuned_on", "length", "title")
        assert [plan.tasks[task][column] for column in kept] == [paper.tasks[task][column] for column in kept]


@pytest.mark.parametrize("task", [*GLUE, "biosses", "medqa_usmle", "mmlu_medicine"])
def test_each_row_reads_its_repository_like_the_publishers_files(plans, hub, tmp_path, task):
    paper, plan = plans
    row = plan.tasks[task]
    ((role, file),) = plan.task_files(task)
    assert plan.task_inputs(SimpleNamespace(task=task)) == [f"{plan.results}/hub/{file.removeprefix('hub:')}"]
    options = json.loads(row["options"])
    files = {role: hub / file.removeprefix("hub:")}
    meta = prepare(task, row["reader"], files, options, 0, tmp_path / "out", row["kind"], row["metric"])
    assert (meta["kind"], meta["metric"], meta["dropped"]) == (row["kind"], row["metric"], {})
    assert meta["test_is_dev"] == (task in GLUE)
    assert all(" published" in sentence for sentence in meta["warnings"])  # the invented files are smaller
    published = json.loads(paper.tasks[task]["options"])["expected"]
    if task != "medqa_usmle":  # its dev is drawn from train
        assert published.items() <= options["expected"].items()
    examples = read_examples(tmp_path / "out", "test")
    golds = {example["id"]: example["label"] for example in examples}
    assert next(iter(score(row["metric"], examples, golds).values())) == pytest.approx(100)
    if task in ("cola", "sst2", "mrpc", "qqp"):
        assert meta["labels"] == ["0", "1"]  # as in the publishers' files
    elif task in GLUE and GLUE[task][1]:
        assert meta["labels"] == GLUE[task][1]
    if task in GLUE:
        assert all(text.startswith(f"{task} validation") for example in examples for text in [example["text_a"]])
        assert ("text_b" in examples[0]) == (len(GLUE[task][0]) == 2)


def test_a_set_that_is_divided_otherwise_is_not_comparable(plans):
    comparable = [
        {column["id"]: column.get("comparable", True) for column in plan.tables["table7_blurb"]["columns"]}
        for plan in plans
    ]
    assert {name for name in comparable[0] if comparable[0][name] != comparable[1][name]} == {"biosses"}
    assert comparable[0]["biosses"] and not comparable[1]["biosses"]
