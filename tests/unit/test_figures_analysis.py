"""Figures across tables: their numbers are those of the cells, and what was not run is said."""

import importlib
import json

import pytest

from linkbert.errors import UserError
from linkbert.figures.analysis import plot_analysis
from linkbert.tables.cells import build
from linkbert.tables.definition import read_definition
from linkbert.tables.published import Published
from linkbert.tables.scores import load_scores

TITLES = {"bert": "BERT", "linkbert": "LinkBERT", "nodrp": "No DRP"}
PAPER = {("bert", "clean"): 88.7, ("bert", "noisy"): 85.9, ("linkbert", "clean"): 90.1, ("linkbert", "noisy"): 89.6}
OURS = {("bert", "clean"): (88.0, 89.0), ("bert", "noisy"): (85.0, 86.0), ("linkbert", "clean"): (90.0, 90.0)}
ABLATION = {
    **{"kind": "ablation", "title": "Cost", "tables": ["t"], "reference": "linkbert", "models": ["bert", "nodrp"]},
    "tasks": ["clean", "noisy"],
}
ROBUSTNESS = {
    "kind": "robustness",
    **{"title": "Drop", "tables": ["t"], "models": ["bert", "linkbert"], "tasks": ["clean", "noisy"]},
}
FEWSHOT = {
    **{"kind": "fewshot", "title": "Few", "tables": ["t"], "models": ["bert", "linkbert"]},
    "tasks": {"SQuAD": {"10": "noisy", "100": "clean"}},
}


@pytest.fixture
def make(tmp_path):
    """A function that makes the table document, with these scores by (model, task) over two seeds."""

    def document(ours=OURS, **changes):
        paths = []
        for model in TITLES:
            runs = [
                {"task": task, "seed": seed, "point": "p", "metric": "f1", "dev": {"f1": 1.0}, "test": {"f1": value}}
                for (owner, task), values in ours.items()
                if owner == model
                for seed, value in enumerate(values)
            ]
            paths.append(tmp_path / f"{model}.json")
            paths[-1].write_text(json.dumps({"model": model, "runs": runs}))
        published = {("t", *key): Published("f1", value, str(value), "Table 0") for key, value in PAPER.items()}
        rows = [{"model": model, "title": title} for model, title in TITLES.items()]
        columns = [{"id": "clean", "title": "SQuAD"}, {"id": "noisy", "title": "SQuAD distract"}]
        table = {"table": "t", "title": "Table 0", "rows": rows, "columns": columns, **changes}
        return build(read_definition(table), load_scores(paths), published)

    return document


def texts(figure):
    found = [text.get_text() for text in figure.texts]
    return found + [text.get_text() for axes in figure.axes for text in axes.texts]


def test_bars_are_differences_to_the_reference_ours_filled_and_the_papers_hollow(make):
    (axes,) = plot_analysis("cost", ABLATION, [make()]).axes
    filled = [round(bar.get_height(), 6) for bar in axes.patches if bar.get_facecolor()[3] > 0]
    hollow = [round(bar.get_height(), 6) for bar in axes.patches if bar.get_facecolor()[3] == 0]
    assert filled == [-1.5]  # BERT's 88.5 less 90 on the clean set; the reference lacks the other one
    assert hollow == [
        -1.4,
        -3.7,
        round((-1.4 - 3.7) / 2, 6),
    ]  # both sets and their mean; nothing is published for No DRP
    assert [label.get_text() for label in axes.get_xticklabels()] == ["SQuAD", "SQuAD distract", "mean"]
    assert axes.get_ylabel() == "points, less LinkBERT"


def test_a_mean_bar_of_ours_needs_every_data_set(make):
    whole = OURS | {("linkbert", "noisy"): (89.0, 90.0)}
    (axes,) = plot_analysis("cost", ABLATION, [make(whole)]).axes
    filled = [round(bar.get_height(), 6) for bar in axes.patches if bar.get_facecolor()[3] > 0]
    assert filled == [-1.5, -4.0, -2.75]


def test_drops_are_printed_beside_ours_and_the_papers(make):
    said = texts(plot_analysis("drop", ROBUSTNESS, [make()]))
    assert said.count("−3.0") == 1 and said.count("−2.8") == 1 and said.count("−0.5") == 1
    assert said.count("ours: not run") == 1  # LinkBERT was not run with distractors


def test_curves_hold_the_scores_of_each_share(make):
    (axes,) = plot_analysis("few", FEWSHOT, [make()]).axes
    lines = [[round(value, 6) for value in line.get_ydata()] for line in axes.lines if line.get_marker() in "os"]
    assert [85.9, 88.7] in lines and [85.5, 88.5] in lines and [89.6, 90.1] in lines and [90.0] in lines
    assert [label.get_text() for label in axes.get_xticklabels()] == ["10 %", "100 %"]


@pytest.mark.parametrize("definition", [ABLATION, ROBUSTNESS])
def test_where_nothing_was_run_only_the_papers_numbers_are_drawn_and_it_is_said(make, definition):
    assert "ours: not run" in texts(plot_analysis("f", definition, [make({})]))


def test_the_note_of_the_tables_is_printed(make):
    note = "Demo: a generated world."
    for definition in (ABLATION, ROBUSTNESS, FEWSHOT):
        figure = plot_analysis("f", definition, [make(comparable=False, note=note)])
        assert note in " ".join(text.get_text() for text in figure.texts)


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        ({**ABLATION, "kind": "bars"}, "figure f: unknown kind 'bars'"),
        ({key: value for key, value in ABLATION.items() if key != "reference"}, "names the 'reference' model"),
        ({**ROBUSTNESS, "reference": "bert"}, "an ablation, and nothing else"),
        ({**ROBUSTNESS, "tasks": ["clean"]}, "a list of two columns"),
        ({**FEWSHOT, "tasks": ["clean"]}, "title -> percent -> column"),
        ({**ABLATION, "models": ["gpt"]}, "none of gpt is in the given tables"),
    ],
)
def test_a_wrong_declaration_is_named(make, definition, sentence):
    with pytest.raises(UserError, match=sentence):
        plot_analysis("f", definition, [make()])


def test_command_writes_the_same_bytes_again(make, tmp_path):
    table = tmp_path / "t.json"
    table.write_text(json.dumps(make()))
    written = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        for definition in (ABLATION, ROBUSTNESS, FEWSHOT):
            options = {"figure": "f", "definition": json.dumps(definition), "tables": table}
            options["output"] = folder / definition["kind"]
            arguments = [text for key, value in options.items() for text in (f"--{key}", str(value))]
            importlib.import_module("plot_analysis").main(arguments)
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert written[0] == written[1] and len(written[0]) == 6
