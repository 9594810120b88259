"""Figures: what they show, that they say what is missing, and that the same input gives the same bytes."""

import importlib
import json
import math

import pytest
from matplotlib.image import imread

from linkbert.errors import UserError
from linkbert.figures.comparison import plot_table
from linkbert.figures.records import read_training, recalls, series
from linkbert.figures.style import save
from linkbert.figures.training import plot_training
from linkbert.tables.cells import build
from linkbert.tables.definition import read_definition
from linkbert.tables.published import Published
from linkbert.tables.scores import load_scores

ROWS = [
    {"model": "bert-tiny", "title": "BERT tiny", "group": "tiny"},
    {"model": "linkbert-tiny", "title": "LinkBERT tiny", "group": "tiny"},
    {"model": "linkbert-base", "title": "LinkBERT base", "group": "base", "rule_above": True},
]
COLUMNS = [{"id": "one", "title": "One"}, {"id": "two", "title": "Two"}]
PUBLISHED = {
    ("t", row["model"], column["id"]): Published("f1", 60.0 + place, "", "Table 0")
    for place, row in enumerate(ROWS)
    for column in COLUMNS
}


@pytest.fixture
def make(tmp_path):
    """A table in which bert-tiny has two seeds, linkbert-tiny one, and linkbert-base was not run."""
    paths = []
    for model, seeds in (("bert-tiny", (0, 1)), ("linkbert-tiny", (0,))):
        runs = [
            {"task": task, "seed": seed, "point": "p", "metric": "f1", "dev": {"f1": 1.0}, "test": {"f1": 61.0 + seed}}
            for task in ("one", "two")
            for seed in seeds
        ]
        paths.append(tmp_path / f"{model}.json")
        paths[-1].write_text(json.dumps({"model": model, "runs": runs}))

    def document(**changes):
        table = {"table": "t", "title": "Table 0", "rows": ROWS, "columns": COLUMNS, **changes}
        return build(read_definition(table), load_scores(paths), PUBLISHED)

    return document


def test_no_name_is_read_as_a_formula(make, tmp_path):
    """Two dollar signs would be mathematics, and an error where TeX's commands are wrong."""
    name = r"5$ or \frac{$6 _x_ <b> & ^"
    rows = [{**row, "title": f"{name} {row['model']}"} for row in ROWS]
    figure = plot_table(make(rows=rows, title=name, columns=[{"id": "one", "title": name}, COLUMNS[1]]))
    save(figure, tmp_path / "figure")
    assert (tmp_path / "figure.svg").exists() and (tmp_path / "figure.png").exists()


def joined(figure):
    """Lines that join two different values at one height."""
    lines = [line for axes in figure.axes for line in axes.lines]
    return [
        line.get_xdata()
        for line in lines
        if len(line.get_xdata()) == 2 and line.get_ydata()[0] == line.get_ydata()[1] and line.get_alpha() == 0.6
    ]


def texts(figure):
    return " ".join(text.get_text() for text in figure.texts)


def test_ours_and_the_papers_are_joined_where_both_exist(make):
    figure = plot_table(make())
    assert len(figure.axes) == 2  # a panel for each group
    assert sorted(tuple(line) for line in joined(figure)) == [(60.0, 61.5)] * 2 + [(61.0, 61.0)] * 2
    shown = {x for axes in figure.axes for line in axes.lines for x in line.get_xdata() if line.get_marker() != "None"}
    assert {60.0, 61.0, 62.0, 61.5} <= shown
    labels = [text.get_text() for axes in figure.axes for text in axes.get_legend().get_texts()]
    assert labels == ["BERT tiny", "LinkBERT tiny", "LinkBERT base"]


def test_models_of_a_family_share_colour_and_marker(make):
    first, second = (axes.get_legend().get_lines() for axes in plot_table(make()).axes)
    assert first[1].get_color() == second[0].get_color() != first[0].get_color()
    assert first[1].get_marker() == second[0].get_marker() != first[0].get_marker()


def test_incomparable_numbers_are_not_joined_and_the_note_is_printed(make):
    note = "Demo: a generated world, not the paper's data."
    for columns in (COLUMNS, COLUMNS[:1]):
        figure = plot_table(make(comparable=False, note=note, columns=columns))
        assert not joined(figure)
        assert note in texts(figure)


def test_table_of_one_column_names_its_models(make):
    (axes,) = plot_table(make(columns=COLUMNS[:1])).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["BERT tiny", "LinkBERT tiny", "LinkBERT base"]
    assert len(joined(axes.figure)) == 2


def curve(steps=4):
    return [
        {"step": step, "mlm_loss": 9.0 - step, "learning_rate": 1e-3 * step, "tokens_per_second": 1000.0}
        for step in range(steps)
    ]


def evaluation(step, confusion):
    loss = {"loss": {"value": 8.0 - step, "error": 0.1, "count": 50}}
    return {
        "step": step,
        "mlm": loss,
        "mlm_by_relation": {"linked": loss},
        "relation": {"accuracy": {"value": 0.5, "error": 0.1, "count": 10}, "confusion": confusion},
    }


def test_accuracy_by_relation_is_the_share_of_each_true_relation():
    curves = recalls(
        [evaluation(1, [[3, 1, 0], [0, 2, 2], [0, 0, 0]]), evaluation(2, [[4, 0, 0], [4, 0, 0], [0, 1, 3]])]
    )
    assert curves["contiguous"][:2] == ([1, 2], [75.0, 100.0])
    assert curves["random"][:2] == ([1, 2], [50.0, 0.0])
    assert curves["linked"][:2] == ([2], [75.0])
    assert curves["contiguous"][2] == [pytest.approx(100 * math.sqrt(0.75 * 0.25 / 4)), 0.0]


def test_absent_and_undefined_values_are_left_out():
    entries = [{"step": 0}, {"step": 1, "a": {"b": math.nan}}, {"step": 2, "a": {"b": 3}}, {"a": {"b": 4}}, {"a": None}]
    assert series(entries, "a", "b") == ([2], [3])
    assert recalls([{"step": 0}, {"step": 1, "relation": None}, {"step": 2, "relation": {}}]) == {}


def test_training_figure_shows_both_objectives():
    records = {
        "bert": {"curve": curve(), "evaluation": [evaluation(0, [[2, 2], [2, 2]]), evaluation(3, [[4, 0], [1, 3]])]},
        "linkbert": {"curve": curve(), "evaluation": [evaluation(3, [[3, 0, 1], [1, 3, 0], [0, 0, 4]])]},
    }
    figure = plot_training(records)
    losses, linked, rate, _, contiguous, random, only_linked, legend = figure.axes

    def chances(axes):
        levels = [line.get_ydata()[0] for line in axes.lines if len(set(line.get_ydata())) == 1]
        return {level for level in levels if level in (50.0, 100 / 3)}

    assert chances(contiguous) == chances(random) == {50.0, 100 / 3} and chances(only_linked) == {100 / 3}
    assert any(list(line.get_ydata()) == [50.0, 75.0] for line in random.lines)
    assert [list(line.get_ydata()) for line in rate.lines] == [[0.0, 0.001, 0.002, 0.003]] * 2
    assert any(list(line.get_ydata()) == [8.0, 5.0] for line in losses.lines)
    assert any(list(line.get_ydata()) == [5.0] for line in linked.lines)
    assert all(axes.axison for axes in figure.axes[:-1])
    assert [text.get_text() for text in legend.get_legend().get_texts()][:2] == ["bert", "linkbert"]


def test_what_was_not_recorded_is_said():
    record = {"curve": [{"step": step, "mlm_loss": 2.0} for step in range(3)]}  # MLM alone, never evaluated
    losses, *others, _ = plot_training({"mlm": record}).axes
    assert losses.axison
    for axes in others:
        assert not axes.axison
        assert "not recorded" in [text.get_text() for text in axes.texts]


def test_training_record_is_checked(tmp_path):
    path = tmp_path / "training.json"
    path.write_text('{"recipe": {}}')
    with pytest.raises(UserError, match="no 'curve'"):
        read_training(path)
    with pytest.raises(UserError, match="no model to plot"):
        plot_training({})


def run_command(name, *arguments):
    importlib.import_module(name).main([str(argument) for argument in arguments])


def test_commands_write_vector_and_raster_and_the_same_bytes_again(make, tmp_path):
    model = tmp_path / "bert-tiny"
    model.mkdir()
    (model / "training.json").write_text(
        json.dumps({"curve": curve(), "evaluation": [evaluation(1, [[1, 1], [1, 1]])]})
    )
    table = tmp_path / "t.json"
    table.write_text(json.dumps(make()))
    written = []
    for folder in (tmp_path / "first", tmp_path / "second"):
        run_command("plot_table", "--table", table, "--output", folder / "table")
        run_command("plot_training", "--models", model, "--output", folder / "models")
        run_command(
            "plot_training", "--training", f"bert-tiny={model / 'training.json'}", "--output", folder / "record"
        )
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert written[0] == written[1]
    assert set(written[0]) == {
        f"{name}.{suffix}" for name in ("table", "models", "record") for suffix in ("svg", "png")
    }
    assert written[0]["models.svg"] == written[0]["record.svg"]
    assert imread(tmp_path / "first" / "table.png").std() > 0
    assert str(tmp_path).encode() not in b"".join(written[0].values())
