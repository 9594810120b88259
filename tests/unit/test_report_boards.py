"""Leaderboard and model card: published numbers beside ours, in their units, and what cannot be had is said."""

import importlib
import json
from pathlib import Path

import pytest

from linkbert import STAGE
from linkbert.errors import UserError
from linkbert.report.boards import arrange, build, html, markdown, read_entries, tsv

HEAD = "board\tbenchmark\tmethodology\tmetric\tpublished\tmodel\ttasks\tscore\tscale\tnote\n"
LINES = (
    "b\tsquad11\tLinkBERT\tEM\t87.45\tm\tsquad\texact_match\t\t\n"
    "b\tblurb\tLinkBERT\tF1\t90.2\tm\tchem,disease\t\t\tmean\n"
    "b\tbiosses\tLinkBERT\tPearson\t0.9325\tm\tsimilar\tpearson\t0.01\t\n"
    "b\thoc\tLinkBERT\tF1\t88.1\tm\t\t\t\t\n"
    "b\tgad\tLinkBERT\tF1\t84.90\tm\tgad\t\t\t\n"
    "other\tsquad11\tBERT\tF1\t88.7\tm\tsquad\t\t\t\n"
)
LIST = {"title": "Board", "layout": "list", "released": "{model}-released"}


def cell(model, task, mean, comparable=True, **scores):
    runs = [{"test": scores}] if mean is not None else []
    choice = {"runs": runs} if runs else None
    about = {"mean": mean, "comparable": comparable, "choice": choice, "test_is_dev": task == "similar"}
    return {"model": model, "task": task, **about}


DOCUMENT = {
    "note": "Demo.",
    "cells": [
        cell("m", "squad", 90.0, f1=90.0, exact_match=87.0),
        cell("m", "chem", 94.0),
        cell("m", "disease", 86.0),
        cell("m", "similar", 93.0, comparable=False, pearson=93.0),
        cell("m", "gad", None),
        cell("m-released", "squad", 91.0, f1=91.0, exact_match=88.45),
    ],
}


@pytest.fixture
def entries(tmp_path):
    path = tmp_path / "leaderboards.tsv"
    path.write_text(HEAD + LINES)
    return read_entries(path, "b")


def by_benchmark(board):
    return {entry["benchmark"]: entry for entry in board["entries"]}


def test_scores_are_those_of_the_metric_in_the_boards_unit(entries):
    board = by_benchmark(build("b", LIST, entries, [DOCUMENT]))
    assert len(board) == 5
    assert board["squad11"]["ours"]["value"] == 87.0 and board["squad11"]["ours"]["difference"] == -0.45
    assert board["squad11"]["released"] == {
        **{"model": "m-released", "value": 88.45, "difference": 1.0, "test_is_dev": False, "problem": ""},
    }
    assert board["blurb"]["ours"]["value"] == 90.0  # the mean of the two tasks
    assert board["biosses"]["ours"]["value"] == pytest.approx(0.93)
    assert board["biosses"]["ours"]["difference"] is None  # its data are not the paper's
    nothing = {"value": None, "difference": None, "test_is_dev": False}
    assert board["hoc"]["ours"] == {"model": "m", **nothing, "problem": "not computed"}
    assert board["gad"]["ours"]["problem"] == "not run"


def test_pages_hold_published_numbers_verbatim_and_ours_with_the_difference(entries):
    board = build("b", LIST, entries, [DOCUMENT])
    heads, lines = arrange(board)
    assert heads == [
        "benchmark",
        "methodology",
        "metric",
        "published",
        "pretrained here",
        "released, tuned here",
        "note",
    ]
    assert lines[0] == ["squad11", "LinkBERT", "EM", "87.45", "87.00 (−0.45)", "88.45 (+1.00)", ""]
    assert lines[2][3:5] == ["0.9325", "0.9300†"] and lines[3][4] == "" and lines[4][4] == "not run"
    for page in (markdown(board), html(board)):
        assert all(text in page for text in ("Demo.", "87.45", "87.00 (−0.45)", "0.9325", "† of a development set"))
    rows = [line.split("\t") for line in tsv(board).splitlines()]
    assert {len(row) for row in rows} == {8} and rows[1][4:] == ["m", "87", "-0.45", ""]


def test_grid_has_a_line_of_published_numbers_and_one_of_ours_a_method(entries):
    heads, lines = arrange(build("b", {**LIST, "layout": "grid"}, entries, [DOCUMENT]))
    assert heads[:3] == ["model", "", "squad11 (EM)"]
    assert [line[1] for line in lines] == ["published", "pretrained here", "released, tuned here"]
    assert lines[0][2] == "87.45" and lines[1][2] == "87.00 (−0.45)" and lines[2][3] == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (LINES.replace("87.45", "many"), "line 2: 'published' and 'scale' must be numbers"),
        (LINES.replace("b\t", "c\t"), "no line of the board 'b'"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, text, sentence):
    path = tmp_path / "leaderboards.tsv"
    path.write_text(HEAD + text)
    with pytest.raises(UserError, match=sentence):
        read_entries(path, "b")


def test_an_unknown_score_is_named(tmp_path):
    path = tmp_path / "leaderboards.tsv"
    path.write_text(HEAD + LINES.replace("exact_match", "exact"))
    with pytest.raises(UserError, match=r"m, squad: unknown score 'exact'.*Did you mean 'exact_match'"):
        build("b", LIST, read_entries(path, "b"), [DOCUMENT])


def test_every_published_number_of_the_repository_is_read():
    path = Path(__file__).resolve().parents[2] / "config" / "leaderboards.tsv"
    assert len(read_entries(path, "leaderboard")) == 33
    assert len(read_entries(path, "model_card")) == 28


def test_command_writes_four_formats(entries, tmp_path):
    table = tmp_path / "t.json"
    table.write_text(json.dumps({"stage": "tables", "stage_version": STAGE["tables"], "table": "t", **DOCUMENT}))
    arguments = {"leaderboard": "b", "definition": json.dumps(LIST), "published": tmp_path / "leaderboards.tsv"}
    arguments |= {"tables": table, "output": tmp_path / "made" / "b"}
    options = [text for key, value in arguments.items() for text in (f"--{key}", str(value))]
    importlib.import_module("make_leaderboard").main(options)
    assert {path.name for path in (tmp_path / "made").iterdir()} == {"b.md", "b.tsv", "b.html", "b.json"}
