"""The report: what it counts, that it stands alone, that every link leads somewhere, that its bytes are the same."""

import importlib
import json
import re
from html.parser import HTMLParser

import pytest

from linkbert.errors import UserError
from linkbert.report.claims import claims, strip
from linkbert.report.deviations import count, deviations, sections
from linkbert.report.glance import classes, glance, words
from linkbert.report.page import Contents, Drawing, headline, report
from linkbert.report.provenance import finetuning_runs, hours, versions
from linkbert.tables.cells import build
from linkbert.tables.claims import judge_claims
from linkbert.tables.definition import read_definition
from linkbert.tables.published import Published
from linkbert.tables.scores import load_scores

ROWS = [
    {"model": "greaselm", "title": "GreaseLM", "external": True},
    {"model": "bert-tiny", "title": "BERT <tiny>", "group": "tiny"},
    {"model": "linkbert-tiny", "title": "LinkBERT tiny", "group": "tiny"},
    {"model": "linkbert-base", "title": "LinkBERT base", "group": "base", "rule_above": True},
]
COLUMNS = [{"id": "one", "title": "One"}, {"id": "two", "title": "Two"}]
# Ours are 60, 61 and 62: a match, a close one, and one that differs.
PAPER = {
    ("bert-tiny", "one"): 60.0,
    ("bert-tiny", "two"): 59.0,
    ("linkbert-tiny", "one"): 70.0,
    ("greaselm", "one"): 38.5,
}
OURS = {("bert-tiny", "one"): 60.0, ("bert-tiny", "two"): 60.0, ("linkbert-tiny", "one"): 62.0}
CLAIM = {
    **{"id": "better", "section": "5.3", "claim": "LinkBERT is better by 2 & more.", "table": "t", "task": "one"},
    **{"left": {"model": "linkbert-tiny"}, "right": {"model": "bert-tiny"}, "expect": {"difference": 2.0}},
}
LINEAGE = {
    "model": "linkbert-tiny",
    "stages": [
        {
            "folder": "graphs/wiki/hyperlink",
            "fingerprint": "8a28dd585f86",
            "meta": {"inputs": {"documents": ["11", "22"]}},
        },
        {
            "folder": "documents/wiki/0000",
            "fingerprint": "9b",
            "meta": {"inputs": {"wiki.xml.bz2": "0123456789abcdef99"}},
        },
        {"folder": "hub/gone", "fingerprint": None, "meta": None},
    ],
}
TEXT = """# Deviations

First *words*.

## 1. One

| # | we |
|---|---|
| D1 | [here](x.md) (**deviation**) |
| D2 | <b> |

## 2. Two

Text.
"""


class Page(HTMLParser):
    """What a page refers to and holds; fails where a tag is closed that is not open."""

    EMPTY = ("meta", "link", "br", "img", "rect", "line", "path", "circle")

    def __init__(self, text):
        super().__init__()
        self.ids, self.targets, self.sources, self.open = [], [], [], []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.ids += [named["id"]] if "id" in named else []
        self.targets += [named["href"]] if "href" in named else []
        self.sources += [value for key, value in attributes if key in ("src", "srcset", "data", "poster", "xlink:href")]
        assert tag != "link" and not (tag == "script" and "src" in named)
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.EMPTY:
            assert self.open.pop() == tag, (tag, self.getpos())


@pytest.fixture
def scores(tmp_path):
    """Score files of two models; one tuned model is tested on two tasks."""
    paths = []
    for model in ("bert-tiny", "linkbert-tiny"):
        runs = [
            {
                **{"task": task, "train_task": "one", "seed": 0, "point": "p", "metric": "f1", "device": "cpu"},
                **{"dev": {"f1": 1.0}, "test": {"f1": value}, "seconds": 1800.0, "versions": {"torch": "2.13.0"}},
            }
            for (owner, task), value in OURS.items()
            if owner == model
        ]
        paths.append(tmp_path / f"{model}.json")
        paths[-1].write_text(json.dumps({"model": model, "runs": runs}))
    return paths


@pytest.fixture
def make(scores, tmp_path):
    """The contents of a report of one table; `changes` are those of the table."""
    published = {("t", *key): Published("f1", value, f"{value}", "Table 0") for key, value in PAPER.items()}
    path = tmp_path / "deviations.md"
    path.write_text(TEXT)
    drawing = tmp_path / "t.svg"
    drawing.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')

    def contents(**changes):
        table = {"table": "t", "title": "Table 1: questions", "rows": ROWS, "columns": COLUMNS, **changes}
        document = build(read_definition(table), load_scores(scores), published)
        return Contents(
            documents=[document],
            judged=judge_claims([CLAIM], [document]),
            deviations=path,
            config={"experiment": "trial", "seed": 0},
            commit="0123abc",
            scores=[json.loads(one.read_text()) for one in scores],
            records={"bert-tiny": {"curve": [], "seconds": 3600.0, "processes": 4, "device": "H100"}},
            lineages=[LINEAGE],
            drawings={"t": Drawing(drawing), "training_tiny": Drawing(drawing)},
        )

    return contents


def test_every_state_of_a_cell_is_counted_once_and_cited_systems_are_not(make):
    (document,) = make().documents
    counts = classes(document)
    assert counts == {"matches": 1, "close": 1, "differs": 1, "ran": 0, "none": 3}
    assert words(counts) == "1 match · 1 close · 1 differs · 3 not run"
    page = glance([document])
    squares = re.findall(r'<span class="cell (\w+)" title="([^"]+)"', page)
    assert sorted(name for name, _ in squares) == ["close", "differs", "matches", "none", "none", "none"]
    assert ("differs", "LinkBERT tiny, One: ours 62.0, paper 70.0, −8.0 (differs)") in squares
    assert "GreaseLM" not in page


def test_the_key_gives_the_tolerances_that_tables_declare(make):
    (usual,), (strict,) = make().documents, make(tolerance={"matches": 0.2, "close": 2}).documents
    assert "matches: within 0.5 points or one spread over seeds" in glance([usual])
    assert "close: within 2 points<" in glance([usual, strict])
    assert "matches: within 0.2 or 0.5 points, by table or one spread" in glance([usual, strict])


def test_headline_counts_cells_and_claims(make):
    said = headline(make())
    assert "Of 6 cells in 1 tables, 3 have a score of ours" in said
    assert "of the 3 that may be held against the paper, 1 match it, 1 are close and 1 differ" in said
    assert "Of 1 claims, 1 hold, 0 do not" in said


def test_numbers_that_must_not_be_compared_are_not_judged_and_the_note_comes_first(make):
    contents = make(comparable=False, note="Demo: a generated world.")
    said, page = headline(contents), report(contents)
    assert "none of them may be held against the paper" in said
    assert "1 rest on other data than the paper's, and neither confirm nor refute it" in said
    assert "– on other data: holds" in page
    assert page.index("Demo: a generated world.") < page.index("at a glance")
    assert not re.search(r'class="cell (matches|close|differs)"', page)


def test_a_cell_that_must_not_be_compared_says_so_beside_the_papers_number(make):
    one, *others = COLUMNS
    other = make(columns=[{**one, "comparable": False, "reason": "drawn by seed"}, *others])
    assert '<span class="beside" title="drawn by seed">not comparable</span>' in report(other)
    whole = make(comparable=False, note="Demo.")
    assert ">not comparable</span>" not in report(whole), "of a whole table its note says it once"


def test_page_stands_alone_and_every_link_of_it_leads_somewhere(make):
    page = Page(report(make()))
    assert len(page.ids) == len(set(page.ids))
    assert {"tables", "claims", "numbers", "figures", "deviations", "provenance", "t"} <= set(page.ids)
    assert page.targets and all(target.startswith("#") and target[1:] in page.ids for target in page.targets)
    assert page.sources and all(source.startswith("data:image/svg+xml;base64,") for source in page.sources)
    assert "cases" not in page.ids and "leaderboards" not in page.ids  # there are none, so no empty sections


def test_text_of_tables_and_claims_is_escaped(make):
    page = report(make())
    assert "BERT &lt;tiny&gt;" in page and "BERT <tiny>" not in page
    assert "by 2 &amp; more" in page


def test_page_shows_numbers_provenance_and_settings(make):
    page = report(make())
    for text in (
        "paper 70.0",
        "−8.0 ✗",
        "commit 0123abc",
        "experiment: trial",
        "torch",
        "2.13.0",
        "4.0 hours",
        "not run",
    ):
        assert text in page, text
    assert "with local changes" not in page
    assert "Pretraining: tiny" in page


def test_page_leads_from_a_cell_to_the_checksums_of_the_downloads(make):
    page = report(make())
    assert "python scripts/trace.py t bert-tiny one" in page
    assert "graphs/wiki/hyperlink" in page and "<code>11, 22</code>" in page
    assert "wiki.xml.bz2 <code>0123456789abcdef</code>" in page and "<code>gone</code>" in page


def test_empty_report_says_that_nothing_was_computed(make):
    contents = make()
    nothing = build(read_definition({"table": "t", "title": "T", "rows": ROWS, "columns": COLUMNS}), [], {})
    page = report(Contents([nothing], judge_claims([CLAIM], [nothing]), contents.deviations))
    assert "Of 6 cells in 1 tables, 0 have a score of ours." in page
    assert "Nothing was computed yet." in page and "commit unknown" in page
    Page(page)


def test_a_tuned_model_that_is_tested_twice_is_one_run(scores):
    contents = [json.loads(path.read_text()) for path in scores]
    assert sum(len(one["runs"]) for one in contents) == 3
    assert len(finetuning_runs(contents)) == 2
    records = {"m": {"seconds": 3600.0, "processes": 4, "device": "H100", "versions": {"torch": "2.0"}}}
    assert hours(contents, records) == [("pretraining", "H100", 1, 4.0), ("fine-tuning", "cpu", 2, 1.0)]
    assert versions(contents, records) == {"torch": ["2.0", "2.13.0"]}


def test_claims_without_a_number_are_folded(make):
    contents = make()
    other = {**CLAIM, "id": "other", "claim": "Nobody knows.", "table": "u"}
    page = claims(judge_claims([CLAIM, other], contents.documents), {})
    Page(page)
    shown, folded = page.split("<details>", 1)
    assert "by 2 &amp; more" in shown and "Nobody knows." not in shown and "Nobody knows." in folded
    assert "other: u / linkbert-tiny / one: in none of the tables" in folded


def test_strip_shows_region_interval_and_paper():
    part = {"paper": 4.1, "difference": 3.8, "interval": [2.8, 4.7], "over_examples": None}
    picture = strip(part, {"difference": 4.1})
    assert picture.count("<circle") == picture.count("<path") == picture.count('class="ours"') == 1
    assert 'aria-label="ours +3.8; paper +4.1"' in picture
    region = re.search(r'class="region" x="([\d.]+)" y="3" width="([\d.]+)"', picture)
    centre = float(re.search(r'<circle cx="([\d.]+)"', picture).group(1))
    assert float(region.group(1)) < centre < float(region.group(1)) + float(region.group(2))
    banded = strip({**part, "over_examples": [1.0, 5.0]}, {"difference": 4.1})
    assert 'class="examples"' in banded and 'class="examples"' not in picture
    assert (
        strip({"paper": None, "difference": None, "interval": None, "over_examples": None}, {"sign": "positive"}) == ""
    )


def test_deviations_are_folded_counted_and_without_links_to_other_files(make):
    assert sections(TEXT) == ("First *words*.", [("1. One", sections(TEXT)[1][0][1]), ("2. Two", "Text.")])
    assert count(sections(TEXT)[1][0][1]) == "2 rows, 1 departs from the paper"
    page = deviations(make().deviations)
    Page(page)
    assert page.count("<details>") == 2 and "<em>words</em>" in page
    assert "x.md" not in page and ">here (" in page and "&lt;b&gt;" in page
    with pytest.raises(UserError, match=r"nothing\.md: no such file"):
        deviations(make().deviations.with_name("nothing.md"))


def test_command_writes_the_same_bytes_again(make, scores, tmp_path):
    contents = make()
    table, claims = tmp_path / "t.json", tmp_path / "claims.json"
    table.write_text(json.dumps(contents.documents[0]))
    claims.write_text(json.dumps({"claims": contents.judged}))
    pages = []
    for name in ("first", "second"):
        output = tmp_path / name / "report.html"
        importlib.import_module("make_report").main(
            [
                *("--tables", str(table), "--claims", str(claims), "--deviations", str(contents.deviations)),
                *("--figures", str(tmp_path / "t.svg"), "--captions", '{"t": {"caption": "Seen."}}'),
                *("--scores", *map(str, scores), "--settings", '{"experiment": "trial"}', "--output", str(output)),
            ]
        )
        pages.append(output.read_bytes())
    assert pages[0] == pages[1]
    assert str(tmp_path).encode() not in pages[0]
    assert b"Seen." in pages[0]
