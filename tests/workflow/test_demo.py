"""The demo from an empty results folder, smaller still: every stage runs, and what is promised of it is true."""

import json
import math
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from linkbert.files import atomic_file

TABLES = 9
FORMATS = ("md", "csv", "tsv", "html", "tex", "json")
TARGETS = ("all", "tables", "figures", "cases", "report_page", "audits", "scores", "models")
# What atomic writes and downloads call a file before it is whole.
UNFINISHED = re.compile(r"\.[0-9a-f]{8}-\d+-[0-9a-f]{8}\..+|.+\.part(\.json|\.lock)?|.+\.(tmp|old)")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def finished(clone, world, demo, tmp_path_factory) -> Path:
    """A copy of the repository in which the demo has run; no test may change it."""
    folder = clone(tmp_path_factory.mktemp("the demo"))
    shutil.copytree(world, folder / "results" / "demo" / "world")
    done = demo(folder, "all", "audits")
    assert done.returncode == 0, done.stderr[-10000:]
    return folder


@pytest.fixture
def changeable(finished, tmp_path) -> Path:
    """A copy of the finished demo, file times and Snakemake's own records included, for a test that changes it."""
    return shutil.copytree(finished, tmp_path / "demo", symlinks=True)


@pytest.fixture(scope="module")
def results(finished) -> Path:
    return finished / "results" / "demo"


@pytest.fixture(scope="module")
def definitions(finished) -> dict[str, dict]:
    """Table -> its declaration."""
    tables = yaml.safe_load((finished / "config" / "tables.yaml").read_text(encoding="utf-8"))["tables"]
    assert len(tables) == TABLES
    return tables


@pytest.fixture(scope="module")
def trained(results) -> dict[str, dict]:
    """Model pretrained here -> its training.json."""
    return {path.parent.name: json.loads(path.read_text()) for path in results.glob("models/*/training.json")}


def ran(said: str) -> set[str]:
    """The rules that a run of Snakemake says it ran, without the targets that only collect."""
    rules = set(re.findall(r"^(?:local)?rule (\w+):", said, re.M))
    return {rule for rule in rules if rule not in TARGETS}


def own_rows(definition: dict) -> list[str]:
    return [row["model"] for row in definition["rows"] if not row.get("external")]


# What the demo leaves -------------------------------------------------------------------------------------------------


def test_nine_tables_in_five_formats_with_every_row_and_a_number_in_every_cell(results, definitions):
    for table, definition in definitions.items():
        text = {kind: (results / "tables" / f"{table}.{kind}").read_text(encoding="utf-8") for kind in FORMATS}
        document = json.loads(text["json"])
        cells = {(cell["model"], cell["task"]): cell for cell in document["cells"]}
        columns = [column["id"] for column in definition["columns"]]
        assert {(row["model"], column) for row in definition["rows"] for column in columns} == set(cells)
        for model in own_rows(definition):
            for column in columns:
                mean = cells[model, column]["mean"]
                assert mean is not None and math.isfinite(mean), f"{table}: {model}, {column}"
                printed = f"{abs(mean):.{definition.get('decimals', 1)}f}"
                assert all(printed in text[kind] for kind in ("md", "html", "tex")), f"{table}: {model}, {column}"
        for row in document["rows"]:
            assert all(row["title"] in text[kind] for kind in ("md", "html", "tex")), f"{table}: {row['title']}"
        for column in document["columns"]:
            assert all(column["title"] in text[kind] for kind in ("md", "html", "tex")), f"{table}: {column['title']}"


def test_the_values_for_programs_are_those_of_the_tables(results, definitions):
    for table in definitions:
        document = json.loads((results / "tables" / f"{table}.json").read_text())
        head, *lines = (results / "tables" / f"{table}.tsv").read_text().splitlines()
        rows = [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]
        means = {(row["model"], row["task"]): row["value"] for row in rows if row["seed"] == "mean"}
        for cell in document["cells"]:
            value = means[cell["model"], cell["task"]]
            assert value == "" if cell["mean"] is None else math.isclose(float(value), cell["mean"], rel_tol=1e-4)


def test_cited_systems_have_no_number_of_ours(results):
    cells = json.loads((results / "tables" / "table8_medqa.json").read_text())["cells"]
    cited = [cell for cell in cells if cell["model"] in ("biobert-large", "qagnn", "greaselm")]
    assert len(cited) == 3 and all(cell["mean"] is None and cell["published"]["value"] > 30 for cell in cited)


def test_the_papers_numbers_stand_beside_ours_and_nothing_is_called_comparable(results, definitions):
    for table in definitions:
        document = json.loads((results / "tables" / f"{table}.json").read_text())
        assert not document["comparable"] and document["note"].startswith("Demo")
        assert any(cell["published"] for cell in document["cells"])
        assert all(cell["difference"] is None for cell in document["cells"])


def test_the_first_page_leads_to_every_table_and_to_the_claims(results, definitions):
    page = (results / "tables" / "README.md").read_text()
    assert all(f"({table}.md)" in page for table in definitions)
    claims = json.loads((results / "tables" / "claims.json").read_text())
    assert claims["claims"] and sum(claims["counts"].values()) == len(claims["claims"])


def test_every_audit_report_passes(results):
    reports = list((results / "audits").rglob("*.txt"))
    assert len(reports) == 10
    for report in reports:
        *lines, last = report.read_text().splitlines()
        assert re.fullmatch(r"all \d+ properties hold", last), report
        assert lines and all(line.startswith("PASS") for line in lines), report


def test_every_page_and_every_link_is_accounted_for(results, finished, execute):
    shards = sorted(str(folder) for folder in results.glob("documents/*/*") if folder.is_dir())
    assert len(shards) == 5
    done = execute("python", "scripts/report_links.py", "--documents", *shards, folder=finished)
    assert done.returncode == 0, done.stdout
    assert re.findall(r"unaccounted +(\d+)", done.stdout) == ["0", "0"]


def test_instances_can_be_read_by_a_person(results, finished, execute):
    corpus = {"tokens": "tokens/enwiki/bert_uncased", "instances": "instances/enwiki/bert_uncased/hyperlink"}
    corpus |= {"graph": "graphs/enwiki/hyperlink", "tokenizer": "tokenizers/bert_uncased"}
    options = [text for key, path in corpus.items() for text in (f"--{key}", str(results / path))]
    done = execute("python", "scripts/show_instances.py", *options, "--number", "40", folder=finished)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("instance ") == 40
    for relation in ("contiguous", "random", "linked"):
        assert relation in done.stdout


def test_tasks_are_what_the_table_of_tasks_says(results, finished):
    lines = [line for line in (finished / "config" / "tasks.tsv").read_text().splitlines() if line[0] != "#"]
    head, *rows = [line.split("\t") for line in lines]
    declared = [dict(zip(head, row, strict=False)) for row in rows]
    assert len(declared) == 34
    for row in declared:
        meta = json.loads((results / "tasks" / row["task"] / "meta.json").read_text())
        assert (meta["kind"], meta["metric"]) == (row["kind"], row["metric"]), row["task"]


def test_training_records_hold_curves_and_what_was_learned_on_held_out_documents(trained):
    assert len(trained) == 12
    for model, record in trained.items():
        assert record["steps"] == record["recipe"]["steps"] and record["tokens"] > 0 and record["curve"], model
        every = record["recipe"]["evaluate_every"]
        assert [one["step"] for one in record["evaluation"]] == [every, 2 * every], model
        for one in record["evaluation"]:
            assert 0 < one["mlm"]["loss"]["value"] < 20 and one["mlm"]["loss"]["error"] > 0, model
            parts = one["mlm_by_relation"].values()
            assert sum(part["instances"] for part in parts) == one["mlm"]["instances"], model
            assert ("relation" in one) == (record["recipe"]["objective"] != "mlm"), model


def test_models_of_one_corpus_and_tokenizer_are_evaluated_on_the_same_instances(trained):
    for size in ("tiny", "base", "large"):
        for family in ([f"bert-{size}", f"linkbert-{size}"], [f"biolinkbert-{size}"]):
            counts = [
                {name: part["instances"] for name, part in trained[model]["evaluation"][-1]["mlm_by_relation"].items()}
                for model in trained
                if any(model.startswith(name) for name in family)
            ]
            assert all(one == counts[0] for one in counts)
            assert not counts or counts[0]["linked"] > 0


def test_figures_are_drawn(results, definitions):
    names = [*definitions, "training_tiny", "training_base", "training_large"]
    names += ["fewshot", "ablation_links", "ablation_drp", "robustness"]
    for name in names:
        drawing = ElementTree.parse(results / "figures" / f"{name}.svg").getroot()
        assert drawing.tag.endswith("svg") and len(list(drawing.iter())) > 50, name
        assert (results / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG\r\n"), name
    assert len(list((results / "figures").glob("*.svg"))) == len(names)


def test_each_case_shows_what_every_model_answered(results):
    for case, models in (("two_documents", 12), ("four_choices", 5)):
        page = json.loads((results / "cases" / f"{case}.json").read_text())
        assert len(page["models"]) == models and page["example"]["question"], case
        assert all(len(model["answers"]) == 1 and not model["missing"] for model in page["models"]), case
        assert page["example"]["question"].split()[0] in (results / "cases" / f"{case}.html").read_text()


def test_the_report_is_one_page_that_needs_no_other_file(results, definitions):
    page = (results / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert sources and all(source.startswith(("#", "data:")) for source in sources)
    assert all(f'id="{table}"' in page for table in definitions) and page.count("<img") == TABLES + 3 + 4
    sections = ("tables", "claims", "numbers", "figures", "cases", "leaderboards", "deviations", "provenance")
    assert all(f'<h2 id="{section}">' in page for section in sections)
    assert "Demo: a small generated world" in page and "none of them may be held against the paper" in page


def test_nothing_half_written_is_left(finished, tmp_path):
    with atomic_file(tmp_path / "whole.json") as temporary:
        temporary.touch()
        assert UNFINISHED.fullmatch(temporary.name) and not UNFINISHED.fullmatch("whole.json")
    found = [path for path in (finished / "results").rglob("*") if UNFINISHED.fullmatch(path.name)]
    assert not found


def test_every_folder_of_a_stage_says_where_it_comes_from(results, finished):
    folders = [*results.glob("documents/*/*"), *results.glob("tokens/*/*"), *results.glob("graphs/*/*")]
    folders += [*results.glob("instances/*/*/*"), *results.glob("heldout/*/*"), *results.glob("models/*")]
    folders += [*results.glob("tasks/*"), *results.glob("tokenizers/*"), *results.glob("hub/*")]
    assert len(folders) > 80
    for folder in folders:
        text = (folder / "meta.json").read_text()
        assert {"stage", "stage_version", "inputs", "counts", "dropped"} <= json.loads(text).keys(), folder
        assert str(finished) not in text, folder


@pytest.mark.parametrize("model", ["linkbert-tiny", "bert-base", "biolinkbert-large", "linkbert-base-nodrp"])
def test_models_load_in_hugging_face_and_compute_the_same(results, model):
    import torch
    from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForPreTraining, AutoTokenizer

    from linkbert.model.bert import BertForPreTraining
    from linkbert.model.packing import pack
    from linkbert.model.weights import load_into, read_config, read_weights

    folder = results / "models" / model
    objective = json.loads((folder / "training.json").read_text())["recipe"]["objective"]
    ours = BertForPreTraining(read_config(folder), 3 if objective == "mlm_drp" else 2).eval()
    load_into(ours, read_weights(folder), "", str(folder))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    text = tokenizer("The river runs through two cities.", "A company makes [MASK] there.", return_tensors="pt")
    batch = pack(text["input_ids"].tolist(), text["token_type_ids"].tolist())
    with torch.inference_mode():
        states = ours.encoder(batch)
        words, relations = ours.logits(states)[:, : len(tokenizer)], ours.relation_logits(states[:1])
        for kind in (AutoModel, AutoModelForMaskedLM, AutoModelForPreTraining):
            loaded, report = kind.from_pretrained(folder, output_loading_info=True)
            assert not report["missing_keys"] and not report["mismatched_keys"], (kind, report)
            output = loaded.eval()(**text)
            if kind is AutoModel:
                found, expected = output.last_hidden_state[0], states
            elif kind is AutoModelForMaskedLM:
                found, expected = output.logits[0], words
            else:
                torch.testing.assert_close(output.seq_relationship_logits, relations[:, :2], atol=1e-5, rtol=0)
                found, expected = output.prediction_logits[0], words
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


# What happens next ----------------------------------------------------------------------------------------------------


def test_a_second_run_has_nothing_to_do(finished, demo):
    done = demo(finished, "all", "audits")
    assert done.returncode == 0 and "Nothing to be done" in done.stderr, done.stderr


def test_tables_are_drawn_from_the_scores_alone_and_are_the_same(clone, results, demo, tmp_path):
    folder = clone(tmp_path / "site")
    again = folder / "results" / "demo"
    shutil.copytree(results / "scores", again / "scores")
    done = demo(folder, "tables", "figures", "report_page")
    assert done.returncode == 0, done.stderr
    tables = {"make_table", "summarize_tables", "judge_claims", "make_leaderboard"}
    assert ran(done.stderr) == tables | {"plot_table", "plot_training", "plot_analysis", "show_case", "make_report"}
    assert (again / "report.html").read_bytes() == (results / "report.html").read_bytes()
    tables = sorted(path.name for path in (results / "tables").iterdir())
    assert len(tables) > TABLES * len(FORMATS)
    for name in tables:
        assert (again / "tables" / name).read_bytes() == (results / "tables" / name).read_bytes(), name


def test_a_changed_title_redraws_one_table_though_data_and_models_are_gone(changeable, demo):
    results = changeable / "results" / "demo"
    for folder in results.iterdir():
        if folder.is_dir() and folder.name not in ("scores", "tables", "figures"):
            shutil.rmtree(folder)
    assert "Nothing to be done" in demo(changeable, "tables", "figures", dry=True).stdout
    done = demo(changeable, "tables", "figures", config="tables={table3_distractors: {title: Redrawn}}")
    assert done.returncode == 0, done.stderr
    drawn = {"plot_table", "plot_analysis"}  # the robustness figure shows the table, too
    assert ran(done.stderr) == {"make_table", "summarize_tables", "judge_claims", "make_leaderboard"} | drawn
    assert done.stderr.count("rule make_table:") == done.stderr.count("rule plot_table:") == 1
    assert (results / "tables" / "table3_distractors.md").read_text().startswith("# Redrawn\n")


def test_a_deleted_score_and_model_come_back_byte_for_byte_and_finished_runs_are_not_repeated(changeable, demo):
    results = changeable / "results" / "demo"
    (score,) = results.glob("scores/linkbert-tiny/all-*.json")
    weights = results / "models" / "linkbert-tiny" / "model.safetensors"
    before, runs = (score.read_bytes(), weights.read_bytes()), len(json.loads(score.read_bytes())["runs"])
    score.unlink()
    shutil.rmtree(weights.parent)
    shutil.rmtree(results / "checkpoints", ignore_errors=True)
    done = demo(changeable, str(score.relative_to(changeable)))
    assert done.returncode == 0, done.stderr
    assert ran(done.stderr) == {"pretrain", "finetune"}
    assert (score.read_bytes(), weights.read_bytes()) == before
    log = (results / "logs" / "finetune" / "linkbert-tiny" / f"{score.stem}.log").read_text()
    assert f"{runs} runs, of which {runs} were finished before" in log


def test_a_changed_recipe_is_a_new_score_and_the_old_one_stays(finished, demo):
    before = set(finished.glob("results/demo/scores/*/*"))
    done = demo(finished, "table9_mmlu", dry=True, config="overrides={recipes: {demo: {epochs: 2}}}")
    assert done.returncode == 0, done.stderr
    named = re.findall(r"output: (results/demo/scores/\S+)", done.stdout)
    assert ran(done.stdout) == {"finetune", "condense_scores", "make_table", "table9_mmlu"} and len(named) == 4
    assert not {finished / name for name in named} & before
