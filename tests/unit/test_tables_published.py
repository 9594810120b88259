"""The paper's numbers and the declared tables: they fit each other and the paper's own averages."""

import statistics
from pathlib import Path

import pytest
import yaml

from linkbert.declarations import read_table
from linkbert.errors import UserError
from linkbert.tables.definition import members, read_definition
from linkbert.tables.published import read_published
from linkbert.tables.scores import average, mean_of

CONFIG = Path(__file__).resolve().parents[2] / "config"
PUBLISHED = read_published(CONFIG / "published.tsv")
DECLARED = yaml.safe_load((CONFIG / "tables.yaml").read_text(encoding="utf-8"))["tables"]


def definition(name):
    """A declared table; the workflow fills in titles from models.tsv and tasks.tsv where they are left out."""
    table = DECLARED[name]
    rows = [{"title": row["model"], **row} for row in table["rows"]]
    columns = [{"title": column["id"], **column} for column in table["columns"]]
    return read_definition({**table, "table": name, "rows": rows, "columns": columns})


def test_all_nine_tables_are_there():
    assert [name[:6] for name in DECLARED] == [f"table{number}" for number in range(1, 10)]
    assert {table for table, _, _ in PUBLISHED} == set(DECLARED)


@pytest.mark.parametrize("name", DECLARED)
def test_every_published_number_has_its_cell(name):
    table = definition(name)
    cells = {(row.model, column.id) for row in table.rows for column in table.columns}
    numbers = {(model, task) for published, model, task in PUBLISHED if published == name}
    assert numbers <= cells
    # GLUE's tasks are ours to show; the paper prints the score only. Everything else is a full rectangle.
    expected = {cell for cell in cells if name != "table2_glue" or cell[1] == "glue"}
    assert numbers == expected


@pytest.mark.parametrize("name", [name for name in DECLARED if name != "table2_glue"])
def test_printed_averages_follow_from_the_printed_cells(name):
    table = definition(name)
    for column in table.columns:
        for row in table.rows if column.mean else ():
            cells = {task: average({0: PUBLISHED[name, row.model, task].value}) for task in members(column.mean)}
            printed = PUBLISHED[name, row.model, column.id].value
            # Half a unit of the last place, for the average and again for the cells behind it.
            assert mean_of(column.mean, cells).mean == pytest.approx(printed, abs=10**-column.decimals)


@pytest.mark.parametrize(
    ("model", "score"), [("pubmedbert-base", 81.10), ("biolinkbert-base", 83.39), ("biolinkbert-large", 84.30)]
)
def test_blurb_score_is_the_mean_over_six_kinds_of_task(model, score):
    kinds = (5, 1, 3, 1, 1, 2)
    values = [
        number.value
        for (table, of, task), number in PUBLISHED.items()
        if (table, of) == ("table7_blurb", model) and task != "blurb"
    ]
    means = []
    for size in kinds:
        means.append(statistics.fmean(values[:size]))
        values = values[size:]
    assert not values
    assert round(statistics.fmean(means), 2) == score == PUBLISHED["table7_blurb", model, "blurb"].value


def test_cell_that_the_paper_prints_twice_is_the_same():
    seen = {}
    for (_, model, task), number in PUBLISHED.items():
        assert seen.setdefault((model, task), number.value) == number.value


def test_released_checkpoints_stand_for_the_models_of_the_paper():
    released = {key: number for key, number in PUBLISHED.items() if key[1].endswith("-released")}
    assert len({model for _, model, _ in released}) == 4
    for (table, model, task), number in released.items():
        own = PUBLISHED[table, model.removesuffix("-released"), task]
        assert (number.value, number.metric) == (own.value, own.metric)
        assert "release" in number.source


HEAD = "table\tmodel\ttask\tmetric\tvalue\tsource\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("table\tmodel\nx\ty\n", "the columns are table, model"),
        (HEAD + "t\tm\tk\tf1\thigh\tTable 1\n", "line 2: value 'high' is not a percentage"),
        (HEAD + "t\tm\tk\tf1\tnan\tTable 1\n", "not a percentage"),
        (HEAD + "t\tm\tk\tf1\t\tTable 1\n", "'value' is empty"),
        (HEAD + "t\tm\tk\tf1\t1\tTable 1\n" * 2, "line 3: t / m / k is given twice"),
    ],
)
def test_wrong_line_is_named(tmp_path, text, message):
    path = tmp_path / "published.tsv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_published(path)


def test_our_scorers_are_the_published_metrics():
    """Else every cell would be called incomparable for its metric's name."""
    ours = {row["task"]: row["metric"] for _, row in read_table(CONFIG / "tasks.tsv")}
    theirs = {task: number.metric for (_, _, task), number in PUBLISHED.items() if task in ours}
    assert theirs and theirs == {task: ours[task] for task in theirs}
