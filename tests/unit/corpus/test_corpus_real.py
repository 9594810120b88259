"""The whole part, documents to audited instances, on real articles."""

import gzip
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from linkbert.files import read_meta
from linkbert.graph import Graph
from linkbert.graph.build import build_graph
from linkbert.instances.audit import audit
from linkbert.instances.folder import write_instances
from linkbert.instances.format import Sampling
from linkbert.text.tokenizer import load_tokenizer, prepare_tokenizer
from linkbert.text.tokenizing import tokenize_documents
from linkbert.text.tokens import load_tokens

ARTICLES = 500


@pytest.mark.real
def test_wikipedia_for_schools(real: Path, tmp_path: Path, documents) -> None:
    with gzip.open(real / "wikipedia-schools-2007.jsonl.gz", "rt", encoding="utf-8") as file:
        articles = [json.loads(line) for line in islice(file, ARTICLES)]
    rows = [
        (a["doc_id"], a["text"], [(link["target"], link["start"], link["end"]) for link in a["links"]])
        for a in articles
    ]
    folder = documents(tmp_path / "d", rows)
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "vocab.txt").write_bytes((real / "vocab" / "bert-base-uncased-vocab.txt").read_bytes())
    prepare_tokenizer(tmp_path / "hub", tmp_path / "tokenizer")
    counts = tokenize_documents([folder], tmp_path / "tokenizer", tmp_path / "tokens", threads=2)
    assert counts["anchored_links"] == sum(start is not None for _, _, links in rows for _, start, _ in links)

    tokens, model = load_tokens(tmp_path / "tokens"), load_tokenizer(tmp_path / "tokenizer")
    first_link = np.concatenate([[0], np.cumsum([len(links) for _, _, links in rows])])
    for number in range(0, ARTICLES, 50):
        _, text, links = rows[number]
        encoding = model.encode(text, add_special_tokens=False)
        first, last = tokens.bounds[number : number + 2]
        assert tokens.tokens[first:last].tolist() == encoding.ids
        places = tokens.link_positions[first_link[number] : first_link[number + 1]] - first
        assert [p for p in places if p >= 0] == [
            encoding.char_to_token(start) for _, start, _ in links if start is not None
        ]

    build_graph("hyperlink", [folder], tmp_path / "graph")
    ids = {row[0] for row in rows}
    inside = {(row[0], target) for row in rows for target, *_ in row[2] if target in ids and target != row[0]}
    assert len(Graph.load(tmp_path / "graph").pairs) == len(inside)
    build_graph("tfidf", [folder], tmp_path / "tfidf", search={"exact": 0})
    assert read_meta(tmp_path / "tfidf")["recall"] > 0.97
    common = {"length": 512, "seed": 1, "heldout": 0.1}
    for name, more in (("train", {}), ("held", {"heldout_only": True})):
        arguments = (tmp_path / "tokens", tmp_path / "graph", Sampling(), tmp_path / "tokenizer", tmp_path / name)
        meta = write_instances(*arguments, **common, **more)
        checks = audit(tmp_path / "tokens", tmp_path / name, tmp_path / "graph", tmp_path / "tokenizer")
        assert [str(check) for check in checks if not check.passed] == []
    train = json.loads((tmp_path / "train" / "meta.json").read_text())
    assert train["files"]["epoch-000.npy"]["fill"] > 0.85
    assert train["link_diversity"]["inverse"]["top_share"] < train["link_diversity"]["uniform"]["top_share"]
    assert meta["counts"]["documents"] + train["counts"]["documents"] == ARTICLES
