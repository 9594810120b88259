"""Every script explains itself, and tells a user's mistake in a sentence that names what was found."""

import json
import re
import shlex
from pathlib import Path

import pytest

from linkbert.errors import UserError

SCRIPTS = sorted(path.stem for path in (Path(__file__).resolve().parents[2] / "scripts").glob("*.py"))
ROOT = Path(__file__).resolve().parents[2]
RECIPE = {
    "objective": "mlm",
    "size": {"num_layers": 1, "hidden_size": 8, "num_heads": 1, "intermediate_size": 8},
    **{"length": 16, "steps": 1, "batch_size": 1, "learning_rate": 1e-3, "warmup": 0},
}
RUNS = {"rte": {"tests": ["rte"], "recipes": [{"learning_rate": 1, "batch_size": 1, "epochs": 1}], "seeds": [0]}}
TABLE = {"table": "t", "title": "T", "rows": [{"model": "m", "title": "M"}], "columns": [{"id": "c", "title": "C"}]}

# Script -> its arguments, with NOTHING for an input that is not there, OUT for the output, and what must be said.
MISSING = {
    "adopt_model": ("--hub NOTHING --tokenizer NOTHING --output OUT", "no weights found"),
    "answer_cases": (
        '--name m --cases \'{"c": {"title": "C", "task": "NOTHING", "example": "test/0"}}\' --scores NOTHING --tasks T '
        "--run-folder R --output OUT",
        "NOTHING",
    ),
    "audit_instances": ("--tokens NOTHING --instances NOTHING --report OUT", "NOTHING"),
    "build_graph": ("--links hyperlink --documents NOTHING --output OUT", "NOTHING"),
    "check_overlap": ("--documents NOTHING --output OUT", "NOTHING"),
    "report_graph": ("--graph NOTHING --output OUT", "NOTHING"),
    "report_instances": ("--instances NOTHING --output OUT", "NOTHING"),
    "condense_scores": ("--scores NOTHING --runs R --tasks T --output OUT", "NOTHING"),
    "download_file": ("--url NOTHING --output OUT", "NOTHING: no such file"),
    "download_hub": (f"--repository a/b --revision {'0' * 40} --kind model --mirror NOTHING --output OUT", "NOTHING"),
    "extract_documents": ("--format jsonl --inputs NOTHING --output OUT", "NOTHING"),
    "export_scores": ('--results NOTHING --config \'{"experiment": "e"}\' --output OUT', "NOTHING: no scores yet"),
    "finetune": (
        f"--name m --model NOTHING --batch b --runs '{json.dumps(RUNS)}' --tasks NOTHING --run-folder R --output OUT",
        "NOTHING",
    ),
    "import_scores": ("--archive NOTHING --results OUT", "NOTHING: no such archive"),
    "judge_claims": ("--claims NOTHING --tables NOTHING --output OUT", "NOTHING"),
    "make_leaderboard": (
        '--leaderboard b --definition \'{"title": "B", "layout": "list"}\' --published NOTHING '
        "--tables NOTHING --output OUT",
        "NOTHING",
    ),
    "make_model_card": ("--model NOTHING --card '{}' --lineage NOTHING --output OUT", "NOTHING"),
    "make_report": ("--tables NOTHING --claims NOTHING --deviations NOTHING --output OUT", "NOTHING"),
    "make_table": (f"--table '{json.dumps(TABLE)}' --scores NOTHING --published NOTHING --output OUT", "NOTHING"),
    "make_world": ('--sizes \'{"base": {"layers": 2}}\' --output OUT', "size 'base'.*expected num_layers"),
    "plan": ("table10 --configfile NOTHING", "NOTHING: no such"),
    "plot_analysis": ("--figure f --definition '{}' --tables NOTHING --output OUT", "NOTHING"),
    "plot_table": ("--table NOTHING --output OUT", "NOTHING"),
    "plot_training": ("--models NOTHING --output OUT", "NOTHING"),
    "prepare_task": ("--task rte --reader glue_rte --files archive=NOTHING --output OUT", "NOTHING"),
    "prepare_tokenizer": ("--source NOTHING --output OUT", "NOTHING"),
    "pretrain": (
        f"--name m --recipe '{json.dumps(RECIPE)}' --tokenizer NOTHING --sources NOTHING=NOTHING --checkpoints C "
        "--device cpu --output OUT",
        "NOTHING",
    ),
    "record_lineage": ("--model m --results NOTHING --folders models/m --output OUT", "NOTHING"),
    "report_links": ("--documents NOTHING --output OUT", "NOTHING"),
    "sample_instances": ("--tokens NOTHING --tokenizer NOTHING --output OUT", "NOTHING"),
    "show_case": ("--case c --definition '{}' --titles '{}' --answers NOTHING --output OUT", "NOTHING"),
    "show_instances": ("--tokens NOTHING --instances NOTHING --tokenizer NOTHING", "NOTHING"),
    "summarize_tables": ("--tables NOTHING --output OUT", "NOTHING"),
    "trace": ("table5 linkbert-tiny squad --scores NOTHING", "NOTHING: no such archive"),
    "tokenize_documents": ("--documents NOTHING --tokenizer NOTHING --output OUT", "NOTHING"),
}
# Script -> arguments with a value outside what is known, and what must be said.
WRONG = {
    "extract_documents": ("--format wikitext --inputs X --output OUT", "unknown format 'wikitext'"),
    "prepare_task": ("--task t --reader glue_rt --files archive=X --output OUT", "Did you mean 'glue_rte'"),
    "prepare_tokenizer": ("--documents X --output OUT", "--documents needs --vocab-size"),
    "pretrain": (
        '--name m --recipe \'{"objectiv": "mlm"}\' --tokenizer X --sources X=X --checkpoints C --output OUT',
        "recipe: unknown key 'objectiv'.*Did you mean 'objective'",
    ),
    "sample_instances": ("--tokens X --tokenizer X --sampling '{\"linkd\": 1}' --output OUT", "'linkd'"),
    "calibrate": ("--sizes tinny --output OUT", "unknown size 'tinny'.*Did you mean 'tiny'"),
    "trace": ("table5 linkbert-tny squad", "unknown model 'linkbert-tny'.*Did you mean 'linkbert-tiny'"),
    "plan": ("table11", "unknown target 'table11'"),
    "make_table": ('--table \'{"table": "t", "titel": "T"}\' --published X --output OUT', "unknown key 'titel'"),
    "download_file": ("--url X --sha256 12 --output OUT", "not 64 hexadecimal digits"),
    "download_hub": ("--repository a/b --revision main --kind model --output OUT", "main"),
    "launch": ("--launcher srun --nodes 2 --gpus 4 scripts/pretrain.py", "several nodes need a SLURM allocation"),
}


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def arguments(text: str) -> list[str]:
    return [word.replace("OUT", "made/output") for word in shlex.split(text)]


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_says_what_it_does_and_shows_a_command(main, script, capsys):
    with pytest.raises(SystemExit) as exit:
        main(script)(["--help"])
    assert exit.value.code == 0
    said = capsys.readouterr().out
    assert "usage:" in said and f"scripts/{script}.py" in said


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_command_in_the_help_uses_options_that_exist(main, script, capsys):
    with pytest.raises(SystemExit):
        main(script)(["--help"])
    said = capsys.readouterr().out
    # The usage lists every option; the example in the description must not have others.
    usage, _, rest = said.partition("\n\n")
    description = rest.partition("\noptions:")[0].partition("\npositional arguments:")[0]
    known = set(re.findall(r"--[a-z][a-z0-9-]*", usage + rest.partition("\noptions:")[2]))
    example = description[description.index(f"scripts/{script}.py") :].partition("\n\n")[0]
    if script != "launch":  # whose example ends in another script with options of its own
        assert set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", example)) <= known


@pytest.mark.parametrize("script", [script for script in SCRIPTS if script != "launch"])
def test_an_unknown_option_is_named(main, script, capsys):
    with pytest.raises(SystemExit) as exit:
        main(script)(["--nonsense"])
    assert exit.value.code == 2
    assert re.search(r"error: .*(--nonsense|are required|is required)", capsys.readouterr().err)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_is_tried_with_a_mistake(script):
    assert script in MISSING or script in WRONG


@pytest.mark.parametrize("script", MISSING)
def test_a_missing_input_is_a_sentence_and_leaves_nothing(main, place, script):
    text, sentence = MISSING[script]
    with pytest.raises(UserError, match=sentence) as error:
        main(script)(arguments(text))
    assert "\n" not in str(error.value)
    assert not [path for path in place.rglob("*") if path.is_file() and path.name != "lock"]


@pytest.mark.parametrize("script", WRONG)
def test_a_wrong_value_is_a_sentence_and_leaves_nothing(main, place, script, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    text, sentence = WRONG[script]
    with pytest.raises(UserError, match=sentence):
        main(script)(arguments(text))
    assert not [path for path in place.rglob("*") if path.is_file()]


def test_json_that_is_none_is_named(main, capsys):
    with pytest.raises(SystemExit) as exit:
        main("make_table")(["--table", "{", "--published", "x", "--output", "x"])
    assert exit.value.code == 2
    assert "neither JSON nor a readable JSON file" in capsys.readouterr().err


def test_a_pair_without_equals_is_named(main, capsys):
    with pytest.raises(SystemExit) as exit:
        main("prepare_task")(["--task", "t", "--reader", "r", "--files", "x.zip", "--output", "x"])
    assert exit.value.code == 2
    assert "expected name=path, found 'x.zip'" in capsys.readouterr().err
