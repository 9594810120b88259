"""Printed tables: Markdown, TSV, LaTeX, HTML, the summary, and the commands that write them."""

import csv
import importlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt

from linkbert.errors import UserError
from linkbert.tables.cells import build
from linkbert.tables.definition import read_definition
from linkbert.tables.html import html
from linkbert.tables.layout import number, signed, tally
from linkbert.tables.published import read_published
from linkbert.tables.scores import load_scores
from linkbert.tables.summary import html as summary_html
from linkbert.tables.summary import markdown as summary_markdown
from linkbert.tables.summary import read_documents, summarize
from linkbert.tables.text import csv as cells_csv
from linkbert.tables.text import latex, markdown, tsv

NOTE = "Demo: a generated world."
TABLE = {
    "table": "table0",
    "title": "Table 0: 100% A & B_C",
    "caption": "F1 <of> two tasks.",
    "rows": [
        {"model": "cited", "title": "Cited", "external": True},
        {"model": "small", "title": "Small", "rule_above": True},
        {"model": "large", "title": "Large|wide"},
    ],
    "columns": [
        {"id": "one", "title": "One", "section": "First"},
        {"id": "two", "title": "Two", "section": "Second", "decimals": 2},
        {"id": "mean", "title": "Mean", "mean": ["one", "two"]},
    ],
}
SCORES = {("small", "one"): (60.0, 61.0), ("small", "two"): (70.0, 71.0), ("large", "one"): (65.0, 65.0)}


@pytest.fixture
def inputs(tmp_path):
    """Score files and published numbers: ours match, differ, and are missing."""
    paths = []
    for (model, task), values in SCORES.items():
        runs = [
            {
                "task": task,
                "train_task": task,
                "seed": seed,
                "recipe": {"learning_rate": rate, "batch_size": 8},
                "point": f"rate{rate}",
                "metric": "f1",
                "dev": {"f1": value - rate},
                "test": {"f1": value},
            }
            for rate in (1e-4, 1e-5)
            for seed, value in enumerate(values)
        ]
        path = tmp_path / "scores" / model / f"{task}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"model": model, "batch": task, "runs": runs}))
        paths.append(path)
    published = tmp_path / "published.tsv"
    lines = ["table\tmodel\ttask\tmetric\tvalue\tsource"]
    for line in ("small one 60.4", "small two 73.00", "small mean 66", "large two 80", "cited one 50"):
        model, task, value = line.split()
        lines.append(f"table0\t{model}\t{task}\tf1\t{value}\tTable 0")
    published.write_text("\n".join(lines) + "\n")
    return paths, published


@pytest.fixture
def make(inputs):
    paths, published = inputs

    def document(**changes):
        return build(read_definition({**TABLE, **changes}), load_scores(paths), read_published(published))

    return document


@pytest.mark.parametrize("transpose", [False, True])
def test_markdown_is_an_aligned_table_with_all_numbers(make, transpose):
    page = markdown(make(transpose=transpose), "table0.json")
    lines = [line for line in page.splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in lines}) == 1
    assert re.fullmatch(r"(\| -+:? )+\|", lines[1])
    for text in ("60.5 ± 0.7", "**65.0 ± 0.0**", "70.50 ± 0.71", "73.00", "+0.1 ✓", "−2.50 ✗", "not run", "50.0"):
        assert text in page
    assert "Large\\|wide" in page
    assert "- Large|wide, Mean: not run: two.".replace("|", "\\|") in page
    assert "[table0.json](table0.json)" in page
    assert "nan" not in page.lower() and "None" not in page


def test_sections_head_transposed_tables(make):
    page = markdown(make(transpose=True))
    assert page.index("**First**") < page.index("| One") < page.index("**Second**") < page.index("| Two")


def test_table_of_one_column_is_wide(make):
    page = markdown(make(columns=TABLE["columns"][:1]))
    assert re.search(r"\| Model +\| +One, ours +\| paper +\| difference +\|", page)
    assert re.search(r"\| Small +\| +60\.5 ± 0\.7 \| +60\.4 \| +\+0\.1 ✓ \|", page)
    assert re.search(r"\| Cited +\| +\| +50\.0 \| +\|", page)


def test_demo_says_so_and_judges_nothing(make):
    document = make(comparable=False, note=NOTE)
    for page in (markdown(document), html(document), latex(document)):
        assert page.index(NOTE) < page.index("60.5")
        assert "not comparable" in page
        for sign in ("✓", "≈", "✗", "checkmark", "+0.1", "−2.50", "$-$2.50"):
            assert sign not in page
        assert "73.00" in page


def test_tsv_is_long_and_leaves_missing_numbers_empty(make):
    rows = list(csv.DictReader(io.StringIO(tsv(make())), delimiter="\t"))
    assert list(rows[0]) == ["table", "model", "task", "seed", "point", "metric", "value", "published"]
    values = {(row["model"], row["task"], row["seed"]): (row["value"], row["published"]) for row in rows}
    assert values["small", "one", "0"] == ("60", "")
    assert values["small", "one", "mean"] == ("60.5", "60.4")
    assert values["small", "two", "mean"] == ("70.5", "73.00")
    assert values["large", "two", "mean"] == ("", "80")
    assert values["cited", "one", "mean"] == ("", "50")
    assert {row["point"] for row in rows if row["value"] and row["task"] != "mean"} == {"rate1e-05"}


@pytest.mark.parametrize("transpose", [False, True])
def test_latex_is_balanced_and_escaped(make, transpose):
    page = latex(make(transpose=transpose))
    assert page.count("{") == page.count("}")
    columns = re.search(r"\\begin\{tabular\}\{@\{\}([lr]+)@\{\}\}", page).group(1)
    body = page[page.index("\\toprule") : page.index("\\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\") and "multicolumn" not in line]
    assert len(rows) > 5
    assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns)}
    assert r"100\% A \& B\_C" in page
    assert not re.search("[±✓≈✗−]", page)


class Checker(HTMLParser):
    """Collects text and fails on tags that do not match."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def check(page):
    parser = Checker()
    parser.feed(page)
    assert parser.open == []
    for tag, attributes in parser.tags:
        assert tag not in ("script", "link", "img")
        assert not re.match("https?:|//|/", attributes.get("href", ""))
    assert "url(" not in page and "@import" not in page
    return " ".join(" ".join(parser.text).split())


@pytest.mark.parametrize("transpose", [False, True])
def test_html_is_whole_self_contained_and_escaped(make, transpose):
    text = check(html(make(transpose=transpose), "table0.json"))
    for part in ("F1 <of> two tasks.", "60.5", "± 0.7", "paper 73.00", "−2.50 ✗", "not run", "small/one.json"):
        assert part in text
    assert "learning rate 1e-05, batch size 8" in text


HOSTILE = r"<b>A|B</b> &amp; C_d *e* `f` [g](h) 5% #1 $x$ {y} ~z~ \w ^"


def test_names_are_shown_as_they_are_in_every_format(inputs, tmp_path):
    """A title with everything that HTML, Markdown or TeX would read as markup, in each place where titles stand."""
    paths, published = inputs
    rows = [{**row, "title": f"[{HOSTILE} {row['model']}"} for row in TABLE["rows"]]
    columns = [{**column, "title": f"{HOSTILE} {column['id']}"} for column in TABLE["columns"]]
    declared = {**TABLE, "title": HOSTILE, "caption": HOSTILE, "note": HOSTILE, "rows": rows, "columns": columns}
    for transpose in (False, True):
        document = build(
            read_definition({**declared, "transpose": transpose}), load_scores(paths), read_published(published)
        )
        text = check(html(document))
        assert text.count(HOSTILE) > 9
        shown = Checker()
        shown.feed(MarkdownIt("gfm-like", {"linkify": False}).render(markdown(document)))
        assert not {"b", "em", "code", "a", "s"} & {tag for tag, _ in shown.tags}
        assert " ".join("".join(shown.text).split()).count(HOSTILE) > 9
        page = latex(document)
        assert page.count(r"\textless{}b\textgreater{}A\textbar{}B\textless{}/b\textgreater{} \&amp; C\_d") > 9
        assert not [line for line in page.splitlines() if line[0] in "[*"], (
            "a row break takes a bracket as its argument"
        )


def test_a_column_on_the_development_set_is_marked_in_every_format(inputs):
    paths, published = inputs
    runs = [replace(run, test_is_dev=run.task == "one") for run in load_scores(paths)]
    for changes in ({}, {"transpose": True}, {"columns": TABLE["columns"][:1]}):
        document = build(read_definition({**TABLE, **changes}), runs, read_published(published))
        for page in (markdown(document), check(html(document)), latex(document).replace(r"$\dagger$", "†")):
            assert "One†" in page and "Two†" not in page
            assert "† tested on the development set" in page
            assert ("Mean†" in page) == ("Mean" in page)
    rows = list(csv.DictReader(io.StringIO(cells_csv(document))))
    assert {row["model"]: row["test_is_dev"] for row in rows} == {"cited": "", "small": "yes", "large": "yes"}


def test_the_dev_score_of_a_model_that_was_tuned_on_another_task_names_that_task(inputs):
    paths, published = inputs
    runs = [replace(run, train_task="one") for run in load_scores(paths)]
    text = check(html(build(read_definition(TABLE), runs, read_published(published))))
    assert text.count("60.50 (one)") == 1 and "60.5 (one)" not in text


def test_numbers_have_true_minus_signs_and_no_negative_zero():
    assert [number(value, 1) for value in (-0.04, 0.04, -1.26, 12)] == ["0.0", "0.0", "−1.3", "12.0"]
    assert [signed(value, 1) for value in (-0.04, 0.06, -1.26)] == ["0.0", "+0.1", "−1.3"]


def run_command(name, *arguments):
    importlib.import_module(name).main([str(argument) for argument in arguments])


def test_commands_write_everything_and_the_same_bytes_anywhere(inputs, tmp_path):
    paths, published = inputs
    moved = tmp_path / "elsewhere"
    outputs = []
    for folder, reverse in ((tmp_path, False), (moved, True)):
        scores = []
        for path in sorted(paths, reverse=reverse):
            copy = folder / path.relative_to(tmp_path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
            scores.append(copy)
        prefix = folder / "tables" / "table0"
        table = ("--table", json.dumps(TABLE), "--published", published, "--output", prefix)
        run_command("make_table", *table, "--scores", *scores)
        run_command("summarize_tables", "--tables", f"{prefix}.json", "--output", folder / "tables" / "README")
        outputs.append({path.name: path.read_bytes() for path in prefix.parent.iterdir()})
    assert set(outputs[0]) == {
        *(f"table0.{suffix}" for suffix in ("md", "csv", "tsv", "html", "tex", "json")),
        *(f"README.{suffix}" for suffix in ("md", "html", "json")),
    }
    assert outputs[0] == outputs[1]
    assert str(tmp_path).encode() not in b"".join(outputs[0].values())


def test_table_without_any_score_still_prints_the_paper(inputs, tmp_path):
    prefix = tmp_path / "paper-only"
    run_command("make_table", "--table", json.dumps(TABLE), "--published", inputs[1], "--output", prefix)
    page = prefix.with_suffix(".md").read_text()
    assert "73.00" in page and "60.5" not in page
    assert "6 cells: not run 6" in page


def test_nothing_is_written_for_a_wrong_score_file(inputs, tmp_path):
    wrong = tmp_path / "wrong.json"
    wrong.write_text("{}")
    table = ("--table", json.dumps(TABLE), "--published", inputs[1], "--output", tmp_path / "out" / "t")
    with pytest.raises(UserError, match=r"wrong.json: not a score file"):
        run_command("make_table", *table, "--scores", wrong)
    assert not (tmp_path / "out").exists()


def test_summary_counts_our_cells(make):
    other = {**make(comparable=False, note=NOTE), "table": "table9"}
    summary = summarize([make(), other], {"table0": "table0.html"})
    first, second = summary["tables"]
    assert (first["cells"], first["matches"], first["differs"], first["not run"], first["unpublished"]) == (
        6,
        2,
        1,
        2,
        1,
    )
    assert (second["matches"], second["not comparable"]) == (0, 3)
    assert summary["total"]["cells"] == 12
    page = summary_markdown(summary)
    assert "table0.html" in page and f"> **table9: {NOTE}**" in page
    assert "table9: Demo" in check(summary_html(summary))


def test_tally_counts_what_is_ours(make):
    assert tally(make()) == "6 cells: matches 2, differs 1, not run 2, unpublished 1"


@pytest.mark.parametrize("text", ["[]", '{"stage": "tokens"}'])
def test_summary_refuses_other_files(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(UserError, match="not a table made by"):
        read_documents([path])


def test_summary_refuses_a_table_twice(make, tmp_path):
    paths = [tmp_path / "a.json", tmp_path / "b.json"]
    for path in paths:
        path.write_text(json.dumps(make()))
    with pytest.raises(UserError, match="given twice"):
        read_documents(paths)


# Gains, and cells that an archive lacks -------------------------------------------------------------------------------


def with_gain(document, edges=(3.5, 6.04)):
    """The document with an interval for the gain of the large model."""
    (cell,) = [cell for cell in document["cells"] if cell["gain"] and cell["task"] == "one"]
    cell["gain"] |= {"interval": list(edges), "resamples": 10_000, "examples": 321}
    return document


def test_gains_stand_below_the_differences_with_their_interval(inputs):
    paths, published = inputs
    document = with_gain(build(read_definition(TABLE), load_scores(paths), read_published(published)))
    for text in (markdown(document), html(document)):
        assert "+4.5 [+3.5, +6.0]" in text and "Large" in text
        assert "paired bootstrap over test examples (10,000 resamples" in text
    assert "+4.5 [+3.5, +6.0]" in latex(document)
    row = next(line for line in markdown(document).splitlines() if "[+3.5" in line)
    assert re.match(r"\|\s+\| gain ", row)


def test_the_csv_has_a_line_a_cell(inputs):
    paths, published = inputs
    document = with_gain(build(read_definition(TABLE), load_scores(paths), read_published(published)))
    rows = {(row["model"], row["task"]): row for row in csv.DictReader(io.StringIO(cells_csv(document)))}
    assert len(rows) == 9
    large = rows["large", "one"]
    assert (large["ours"], large["spread"], large["seeds"], large["best"]) == ("65", "0", "2", "yes")
    assert (large["baseline"], large["gain"], large["gain_low"], large["gain_high"]) == ("small", "4.5", "3.5", "6.04")
    assert large["test_examples"] == "321" and large["mark"] == "unpublished" and large["paper"] == ""
    assert rows["large", "two"]["ours"] == "" and rows["large", "two"]["mark"] == "not run"
    assert rows["small", "two"]["paper"] == "73.00" and rows["cited", "one"]["mark"] == "cited"


def test_a_score_that_an_archive_lacks_names_its_job(inputs):
    paths, published = inputs
    document = build(read_definition(TABLE), load_scores(paths), read_published(published))
    assert "archive" not in markdown(document) + html(document)
    document["missing"] = {"results/x/scores/large/two-0.json": [["large", "two"]]}
    assert "Two: made by the job finetune, snakemake results/x/scores/large/two-0.json" in markdown(document)
    assert "snakemake results/x/scores/large/two-0.json" in html(document)
