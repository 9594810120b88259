"""Case studies: the very question is found, each model's kept answer is shown, and what is missing is said."""

import gzip
import importlib
import json
from pathlib import Path

import pytest
import yaml

from linkbert.cases.answers import answer_cases, find, plain
from linkbert.cases.page import collect_case, html, markdown, place
from linkbert.errors import UserError
from linkbert.files import sha256_of, write_json

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "Roden Brothers were taken over by a group headquartered in which city?"
EXAMPLES = {
    "train": [{"id": "t", "question": "In training?", "context": "Yes.", "answers": [], "golds": ["Yes"]}],
    "dev": [
        {"id": "d", "question": "Another?", "context": "No.", "answers": [{"text": "No", "start": 0}], "golds": ["No"]}
    ],
    "test": [
        {"id": "x", "question": "First?", "context": "One.", "answers": [], "golds": ["One"]},
        {
            **{"id": "y", "question": QUESTION, "golds": ["Montreal"]},
            "context": "[PAR] [TLE] Roden [SEP] In Toronto <1891>. [PAR] [TLE] Birks [SEP] Seat: Montreal.",
            "answers": [{"text": "Montreal", "start": 75}],
        },
    ],
}
CHOICES = {
    "id": "m",
    "question": "A patient with cancer of the leg?",
    "choices": ["Blood test", "Ultrasound"],
    "label": 1,
}
CASE = {"title": "Figure 3", "task": "hop", "question": f"  {QUESTION.upper()} ", "paper": {"BERT": "Toronto"}}


def write_task(folder, examples, kind="span", metric="squad"):
    folder.mkdir(parents=True)
    for split, lines in examples.items():
        with gzip.open(folder / f"{split}.jsonl.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
    write_json(folder / "meta.json", {"stage": "tasks", "kind": kind, "metric": metric})


@pytest.fixture
def place_of(tmp_path):
    """A finished model: its tasks, kept runs of two seeds at two grid points, and its score file."""
    write_task(tmp_path / "tasks" / "hop", EXAMPLES)
    write_task(tmp_path / "tasks" / "exam", {"test": [CHOICES], "dev": [], "train": []}, "choice", "accuracy")
    entries = []
    said = {("good", 0): "Montreal", ("good", 1): "Toronto", ("bad", 0): "a city", ("bad", 1): "a city"}
    for (point, seed), answer in said.items():
        for task, predictions in (("hop", {"test": {"x": "One", "y": answer}}), ("exam", {"test": {"m": 1}})):
            name = f"{task}/{point}-seed{seed}.json.gz"
            path = tmp_path / "runs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(json.dumps({"predictions": predictions}).encode(), mtime=0))
            score = {"f1": 60.0 if point == "good" else 50.0}
            about = {"task": task, "seed": seed, "point": point, "recipe": {"epochs": 1}, "metric": "f1"}
            entries.append({**about, "dev": score, "test": score, "run": name, "sha256": sha256_of(path)})
    write_json(tmp_path / "scores.json", {"model": "tiny", "batch": "all", "runs": entries})
    return tmp_path


def answers(folder, **cases):
    answered = answer_cases("tiny", cases, [folder / "scores.json"], folder / "tasks", folder / "runs")
    return {one["case"]: one for one in answered["cases"]}


def test_a_question_is_found_by_its_words_whatever_case_and_punctuation(place_of):
    found = find(CASE, place_of / "tasks" / "hop")
    assert (found.split, found.example["id"], found.matches) == ("test", "y", 1)
    assert plain("“Montreal”, Québec?") == "montreal québec"


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ({"example": "dev/0"}, ("dev", "d")),
        ({"example": "test/1"}, ("test", "y")),
        ({"example": "test/9"}, None),
        ({"question": "In training?"}, ("train", "t")),
        ({"question": "Never asked?"}, None),
        ({"contains": ["Roden", "city"]}, ("test", "y")),
        ({"contains": ["Roden", "cit"]}, None),  # whole words
    ],
)
def test_ways_of_finding(place_of, case, expected):
    found = find(case, place_of / "tasks" / "hop")
    assert (found and (found.split, found.example["id"])) == expected


def test_words_are_looked_for_in_question_and_choices(place_of):
    assert find({"contains": ["cancer", "ultrasound", "blood"]}, place_of / "tasks" / "exam").example["id"] == "m"


def test_answers_are_those_of_the_chosen_point_seed_by_seed(place_of):
    found = answers(place_of, figure3=CASE)["figure3"]
    assert [(one["seed"], one["said"], one["right"]) for one in found["answers"]] == [
        (0, "Montreal", True),
        (1, "Toronto", False),
    ]
    assert found["missing"] == "" and found["example"]["golds"] == ["Montreal"] and "answers" not in found["example"]


def test_a_choice_is_shown_with_letter_and_text(place_of):
    case = {"title": "Figure 4", "task": "exam", "contains": ["cancer"]}
    answered = answer_cases("tiny", {"f": case}, [place_of / "scores.json"], place_of / "tasks", place_of / "runs")
    page = collect_case("f", case, [answered], {"tiny": "Tiny"})
    assert "B: Ultrasound" in markdown(page) and "✓" in markdown(page)
    assert "<mark>Ultrasound</mark>" in html(page) and "<mark>Blood" not in html(page)


def test_what_is_missing_is_said(place_of):
    def missing(**change):
        return answers(place_of, c={**CASE, **change})["c"]["missing"]

    assert missing(question="Never asked?") == "the question is not among the task's examples"
    assert "training examples" in missing(question="In training?")
    kept = place_of / "runs" / "hop" / "good-seed1.json.gz"
    kept.write_bytes(gzip.compress(b'{"predictions": {}}'))
    assert "seed 1 are not those of the score" in missing()
    kept.unlink()
    assert "seed 1 are not kept here" in missing()
    write_json(place_of / "scores.json", {"model": "tiny", "batch": "all", "runs": []})
    assert missing() == "not run"


def test_an_answer_that_was_not_given_is_wrong(place_of):
    found = answers(place_of, c={**CASE, "question": "Another?"})["c"]
    assert [(one["said"], one["right"]) for one in found["answers"]] == [(None, False)] * 2


def test_the_page_shows_documents_answers_and_the_papers(place_of):
    answered = answer_cases("tiny", {"f": CASE}, [place_of / "scores.json"], place_of / "tasks", place_of / "runs")
    page = collect_case("f", CASE, [answered], {"base": "Base", "tiny": "Tiny & small"}, note="A demo.")
    assert [model["title"] for model in page["models"]] == ["Tiny & small"]
    text = html(page)
    assert "A demo." in text and "Tiny &amp; small" in text and "Toronto &lt;1891&gt;" in text
    assert "<mark>Montreal</mark>" in text and "Roden: In Toronto" in text and "[PAR]" not in text
    assert "✓ right" in text and "✗ wrong" in text and "BERT Toronto" in text
    assert "1 of 2 answers of 1 models are right." in text and "1 of 2 answers" in markdown(page)
    assert r"In Toronto \<1891>" in markdown(page), "what publishers write is no markup of ours"


def test_a_page_without_answers_says_why_and_invents_none(place_of):
    nobody = collect_case("f", CASE, [], {"tiny": "Tiny"})
    assert place(nobody).startswith("No answers are kept here") and "No model was asked." in html(nobody)
    case = {"title": "Figure 4", "task": "hop", "contains": ["pancreatic cancer"]}
    answered = answer_cases("tiny", {"f": case}, [place_of / "scores.json"], place_of / "tasks", place_of / "runs")
    page = collect_case("f", case, [answered], {"tiny": "Tiny"})
    assert "none of its examples holds the words “pancreatic cancer”" in html(page)
    assert "No model was asked: the question is not among the task's examples." in markdown(page)
    assert "<table" not in html(page)


def test_a_task_without_questions_is_refused(place_of):
    write_task(place_of / "tasks" / "tags", {"test": [], "dev": [], "train": []}, "tagging", "entity_f1")
    with pytest.raises(UserError, match="a task of kind 'tagging' has no question"):
        answers(place_of, c={"title": "C", "task": "tags", "example": "test/0"})


def test_commands_write_answers_and_pages_and_the_same_bytes_again(place_of):
    def call(script, **options):
        importlib.import_module(script).main(
            [text for key, value in options.items() for text in (f"--{key.replace('_', '-')}", str(value))]
        )

    made = []
    for name in ("first", "second"):
        answered = place_of / name / "cases-1.json"
        places = {"scores": place_of / "scores.json", "tasks": place_of / "tasks", "run_folder": place_of / "runs"}
        call("answer_cases", name="tiny", cases=json.dumps({"f": CASE}), output=answered, **places)
        page = {"case": "f", "definition": json.dumps(CASE), "titles": '{"tiny": "Tiny"}'}
        call("show_case", answers=answered, output=place_of / name / "f", **page)
        made.append({path.name: path.read_bytes() for path in (place_of / name).iterdir()})
    assert made[0] == made[1] and set(made[0]) == {"cases-1.json", "f.html", "f.md", "f.json"}
    assert str(place_of).encode() not in b"".join(made[0].values())


@pytest.mark.real
def test_the_papers_question_of_figure_4_is_the_only_one_that_its_captions_words_fit(real, tmp_path):
    case = yaml.safe_load((ROOT / "config" / "report.yaml").read_text(encoding="utf-8"))["cases"]["figure4"]
    folder = tmp_path / "medqa"
    splits = {}
    for split in ("test", "dev"):
        lines = (real / "medqa" / f"phrases_no_exclude_{split}.jsonl").read_text(encoding="utf-8").splitlines()
        examples = [json.loads(line) for line in lines]
        splits[split] = [
            {
                "id": str(at),
                "question": one["question"],
                "choices": list(one["options"].values()),
                "label": "ABCD".index(one["answer_idx"]),
            }
            for at, one in enumerate(examples)
        ]
    write_task(folder, {**splits, "train": []}, "choice", "accuracy")
    found = find(case, folder)
    assert found.matches == 1 and found.split == "test"
    assert found.example["choices"][found.example["label"]] == "Compression ultrasonography"
