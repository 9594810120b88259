"""The commands, the options, and that the same work gives the same bytes."""

import json

import pytest

import extract_documents
import report_links
from linkbert.documents import extract
from linkbert.errors import UserError


def test_the_commands(data, tmp_path, capsys):
    wiki = data / "documents" / "wiki.xml"
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        extract_documents.main(
            ["--format", "mediawiki", "--inputs", str(wiki), "--shard", "0", "--shards", "1",
             "--options", '{"keep_lists": true}', "--output", str(folder)]
        )  # fmt: skip
    names = ["documents.parquet", "meta.json", "redirects.parquet"]
    assert sorted(path.name for path in folders[0].iterdir()) == names
    assert all((folders[0] / name).read_bytes() == (folders[1] / name).read_bytes() for name in names)
    meta = json.loads((folders[0] / "meta.json").read_text())
    assert str(tmp_path) not in json.dumps(meta) and meta["parameters"]["options"]["keep_lists"] is True
    assert report_links.main(["--documents", *map(str, folders), "--output", str(tmp_path / "report.txt")]) == 0
    report = capsys.readouterr().out
    assert "pages found           20" in report and report == (tmp_path / "report.txt").read_text()
    meta["counts"]["links_found"] += 1
    (folders[0] / "meta.json").write_text(json.dumps(meta))
    assert report_links.main(["--documents", str(folders[0])]) == 1


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"format_name": "mediwiki"}, "unknown format 'mediwiki'.*Did you mean 'mediawiki'"),
        ({"inputs": []}, "no input file"),
        ({"inputs": ["missing.xml"]}, "missing.xml: no such file"),
        ({"shard": 1}, "shard 1 of 1"),
        ({"options": {"keep_list": True}}, "unknown option 'keep_list'.*Did you mean 'keep_lists'"),
        ({"options": {"keep_lists": 1}}, "'keep_lists' is 1, but it must be true or false"),
        ({"options": {"min_characters": -1}}, "a whole number"),
        ({"options": {"drop_sections": "x"}}, "a list of texts"),
        ({"options": ["x"]}, "must be a JSON object"),
    ],
)
def test_mistakes_end_in_one_sentence(data, tmp_path, change, sentence):
    call = {
        "format_name": "mediawiki",
        "inputs": [data / "documents" / "wiki.xml"],
        "output": tmp_path / "out",
    } | change
    with pytest.raises(UserError, match=sentence):
        extract(**call)
    assert not list(tmp_path.iterdir())
