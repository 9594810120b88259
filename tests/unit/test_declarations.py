"""Declarations: what is read, what is refused, and with which sentence."""

import copy
from pathlib import Path

import pytest
import yaml

from linkbert.declarations import Declarations, expand, names, read_table, table_tasks
from linkbert.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def config():
    """The configuration of the paper, as Snakemake merges it."""
    texts = [(ROOT / "config" / name).read_text(encoding="utf-8") for name in ("tables.yaml", "paper.yaml")]
    merged: dict = {}
    for text in texts:
        merged |= yaml.safe_load(text)
    return copy.deepcopy(merged)


def test_ranges_expand_with_their_zeros():
    assert expand("a{08..10}.gz") == ["a08.gz", "a09.gz", "a10.gz"]
    assert names("one, two{1..2}") == ("one", "two1", "two2")


def test_a_range_expands_every_cell_of_its_row(config):
    downloads = Declarations(config, ROOT).downloads
    row = downloads["pubmed25n0042.xml.gz"]
    assert row["url"].endswith("/pubmed25n0042.xml.gz") and row["md5"].endswith("/pubmed25n0042.xml.gz.md5")


def test_the_paper_is_declared_whole(config):
    declared = Declarations(config, ROOT)
    assert list(config["tables"]) == [
        "table1_mrqa",
        "table2_glue",
        "table3_distractors",
        "table4_fewshot",
        "table5_ablation",
        "table6_drp",
        "table7_blurb",
        "table8_medqa",
        "table9_mmlu",
    ]
    suites = [row["suite"] for row in declared.tasks.values()]
    assert {suite: suites.count(suite) for suite in ("mrqa", "glue", "blurb", "medqa")} == {
        "mrqa": 6,
        "glue": 8,
        "blurb": 13,
        "medqa": 2,
    }
    assert len(declared.models) == 17
    assert config["pretraining"]["bio_large"]["warmup"] == 0.2 * config["pretraining"]["bio_large"]["steps"]


def test_overrides_replace_single_cells(config):
    config["overrides"] = {"corpora": {"enwiki": {"shards": 3}}}
    assert Declarations(config, ROOT).corpora["enwiki"]["shards"] == "3"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c.update(sed=1), "config: unknown key 'sed'. Known: .* Did you mean 'seed'"),
        (lambda c: c["graph"].update(neighbours=7), "config: graph: unknown key 'neighbours'.*'neighbors'"),
        (lambda c: c["instances"].update(heldout=2), "instances.heldout: 2 is greater.*share of documents"),
        (lambda c: c["instances"].pop("length"), "config: instances.length is missing. It is: tokens"),
        (
            lambda c: c["pretraining"]["tiny"].update(learning_rate="1e-3"),
            "tiny.learning_rate: '1e-3' is not of type 'number'.*such as 1.0e-3",
        ),
        (lambda c: c["hardware"]["finetune"].pop("tiny"), "size 'tiny' has no entry in hardware.finetune.*Known: base"),
        (lambda c: c["hardware"]["pretrain"].pop("tiny"), "size 'tiny' has no entry in hardware.pretrain"),
        (lambda c: c.update(overrides={"tasks": {"squad": {"options": "[1]"}}}), "must be a JSON object.*found .1."),
        (
            lambda c: c.update(overrides={"corpora": {"bookcorpus": {"shards": 2}}}),
            "2 shards, but only 1 file[.].*set shards to 1",
        ),
        (lambda c: c["declarations"].update(models="config/modles.tsv"), "config/modles.tsv: no such table"),
        (
            lambda c: c.update(overrides={"corpora": {"enwik": {"shards": 2}}}),
            "overrides.corpora: unknown row 'enwik'.*'enwiki'",
        ),
        (lambda c: c.update(overrides={"corpus": {}}), "overrides: unknown table 'corpus'"),
        (
            lambda c: c.update(overrides={"tables": {"table7_blub": {}}}),
            "overrides.tables: unknown table 'table7_blub'.*'table7_blurb'",
        ),
        (
            lambda c: c.update(overrides={"tables": {"table7_blurb": {"hocc": {}}}}),
            "overrides.tables.table7_blurb: unknown column 'hocc'.*'hoc'",
        ),
        (
            lambda c: c.update(overrides={"models": {"bert-tiny": {"tokenizer": "bert_uncase"}}}),
            r"models.tsv \(bert-tiny\): unknown tokenizer 'bert_uncase'.*Did you mean 'bert_uncased'",
        ),
        (
            lambda c: c.update(overrides={"models": {"bert-tiny": {"objective": "mlm_dpr"}}}),
            "line 3 .bert-tiny.: unknown objective 'mlm_dpr'.*'mlm_drp'",
        ),
        (lambda c: c.update(overrides={"models": {"bert-tiny": {"recipe": "tny"}}}), "unknown recipe 'tny'"),
        (lambda c: c.update(overrides={"models": {"bert-tiny": {"corpora": ""}}}), "needs at least one corpus"),
        (
            lambda c: c.update(overrides={"tasks": {"squad": {"files": "train=no.gz"}}}),
            r"tasks.tsv \(squad\): unknown download 'no.gz'",
        ),
        (lambda c: c.update(overrides={"tasks": {"squad": {"options": "{"}}}), "'options' is not JSON"),
        (lambda c: c.update(overrides={"corpora": {"pubmed": {"shards": 9999}}}), "9999 shards, but only 1274 files"),
        (
            lambda c: c["tables"]["table9_mmlu"]["rows"].append({"model": "linkbert-tny"}),
            "tables.table9_mmlu: unknown model 'linkbert-tny'.*Did you mean 'linkbert-tiny'",
        ),
        (
            lambda c: c["tables"]["table9_mmlu"]["columns"].append({"id": "mmlu"}),
            "tables.table9_mmlu: unknown task 'mmlu'",
        ),
    ],
)
def test_a_mistake_ends_in_a_sentence(config, change, sentence):
    change(config)
    with pytest.raises(UserError, match=sentence):
        Declarations(config, ROOT)


def test_a_table_of_ones_own_may_come_from_a_spreadsheet_and_leave_out_empty_columns(config, tmp_path):
    own = tmp_path / "own.tsv"
    own.write_bytes(b"\xef\xbb\xbfcorpus\tformat\tfiles\tshards\tlinks\r\nmine\tjsonl\tmedqa-usmle.zip\t1\tnone\r\n")
    config["declarations"]["corpora"] = ["config/corpora.tsv", str(own)]
    assert Declarations(config, ROOT).corpora["mine"] == {
        "corpus": "mine", "format": "jsonl", "files": "medqa-usmle.zip", "shards": "1", "links": "none",
        "options": "", "note": "",
    }  # fmt: skip
    own.write_bytes("corpus\nré\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"own.tsv: not a table in UTF-8"):
        Declarations(config, ROOT)


def test_overrides_replace_keys_of_single_columns(config):
    before = {column["id"]: column for column in Declarations(config, ROOT).tables["table7_blurb"]["columns"]}
    config["overrides"] = {"tables": {"table7_blurb": {"hoc": {"comparable": True, "title": "Hallmarks"}}}}
    after = {column["id"]: column for column in Declarations(config, ROOT).tables["table7_blurb"]["columns"]}
    assert after["hoc"] == {**before["hoc"], "comparable": True, "title": "Hallmarks"}
    assert list(after) == list(before) and all(after[name] == before[name] for name in before if name != "hoc")
    config["tables"]["table7_blurb"] = None  # a table that is taken away has no columns to change
    assert "table7_blurb" not in Declarations(config, ROOT).tables


def test_a_task_may_read_a_file_of_the_repository(config):
    declared = Declarations(config, ROOT)
    (path,) = declared.own_files("biosses")
    assert path == "config/splits/biosses.json" and declared.own_files("squad") == {}
    config["overrides"] = {"tasks": {"biosses": {"files": "archive=blurb-BIOSSES.zip;split=config/splits/biases.json"}}}
    with pytest.raises(UserError, match=r"tasks.tsv \(biosses\): no file 'config/splits/biases.json'"):
        Declarations(config, ROOT)


def test_broken_tables_are_named_with_their_line(tmp_path):
    (tmp_path / "wide.tsv").write_text("a\tb\n# comment\n1\t2\t3\n")
    with pytest.raises(UserError, match=r"wide.tsv, line 3: 3 cells, but the table has 2 columns"):
        list(read_table(tmp_path / "wide.tsv"))
    (tmp_path / "empty.tsv").write_text("# nothing\n")
    with pytest.raises(UserError, match="the table is empty"):
        list(read_table(tmp_path / "empty.tsv"))
    (tmp_path / "short.tsv").write_text('a\tb\n"x\n')
    assert list(read_table(tmp_path / "short.tsv")) == [(2, {"a": '"x', "b": ""})]


def test_tasks_of_a_table_with_nested_means():
    definition = {"columns": [{"id": "a"}, {"id": "score", "mean": [["a", "b"], ["c"]]}]}
    assert table_tasks(definition) == ["a", "b", "c"]
