"""Graphs: links resolved by hand, random links that keep what they promise, reports that count right."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

import build_graph as script
import report_graph as report_script
from linkbert.errors import UserError
from linkbert.files import read_meta
from linkbert.graph import Graph
from linkbert.graph.build import build_graph
from linkbert.graph.links import LOOP, UNRESOLVED, Resolver
from linkbert.graph.names import Names, digests
from linkbert.graph.random import random_graph
from linkbert.graph.report import describe_graph


def edges(graph: Graph) -> list[tuple[int, int, int]]:
    return list(zip(graph.source.tolist(), graph.indices.tolist(), graph.link.tolist(), strict=True))


def complete(documents: int, skip: int = 0) -> Graph:
    """Everything linked with everything, but each document not with the `skip` next ones."""
    pairs = [(i, (i + j) % documents) for i in range(documents) for j in range(1 + skip, documents)]
    source, target = np.array(pairs).T
    return Graph.from_edges(documents, source, target, np.arange(len(source)))


def test_every_reason_by_hand(tmp_path: Path, documents) -> None:
    first = documents(
        tmp_path / "0",
        [
            (
                "Cat",
                "some text about cats and dogs",
                [
                    ("Dog", 10, 12),  # 0 kept, but later in the text than the next
                    ("hound", 0, 4),  # 1 a redirect of a redirect to Dog
                    ("cat", 5, 9),  # 2 self link by the first letter
                    ("Nothing", 5, 9),  # 3 unresolved
                    ("Ring", 5, 9),  # 4 redirect loop
                    ("Dog", 10, 12),  # 5 duplicate of 0
                    ("Dog", 20, 22),  # 6 same document at another place
                    ("Bird", None, None),  # 7 document level, before all anchored ones
                    ("bird", None, None),  # 8 duplicate of 7
                ],
            ),
            ("Empty", "", []),
        ],
        redirects=[("Hound", "hounds"), ("hounds", "dog"), ("Ring", "Ring 2"), ("Ring 2", "Ring")],
    )
    second = documents(
        tmp_path / "1",
        [("Dog", "dogs", [("Cat", 0, 4)]), ("Bird", "birds", [("Dead", 0, 5)]), ("Cat", "again", [])],
        redirects=[("Dead", "Gone"), ("Dog", "Cat")],
    )
    graph = build_graph("hyperlink", [first, second], tmp_path / "graph")
    assert edges(graph) == [(0, 3, -1), (0, 2, 1), (0, 2, 0), (0, 2, 6), (2, 0, 9)]
    assert graph.indptr.tolist() == [0, 4, 4, 5, 5, 5]
    assert graph.in_degree.tolist() == [1, 0, 1, 1, 0]
    meta = read_meta(tmp_path / "graph", "graph")
    assert meta["dropped"] == {"unresolved": 2, "redirect_loop": 1, "self_link": 1, "duplicate": 2}
    assert meta["counts"]["links"] == 11 == meta["counts"]["edges"] + sum(meta["dropped"].values())
    assert meta["counts"]["redirects"] == 6
    assert meta["counts"]["redirects_in_loops"] == 2
    assert meta["counts"]["unresolved_redirects"] == 1
    assert meta["counts"]["repeated_doc_ids"] == 1
    loaded = Graph.load(tmp_path / "graph")
    assert edges(loaded) == edges(graph)
    assert [str(getattr(loaded, a).dtype) for a in ("indptr", "indices", "link", "in_degree")] == [
        "int64",
        "int32",
        "int64",
        "int64",
    ]


def test_resolution_order() -> None:
    redirects = [("apple", "Pear"), ("Pear", "Apple"), ("Self", "Self"), ("Void", "")]
    resolve = Resolver(["Apple", "pear", "Pear"], redirects)
    assert resolve(["Apple"]).tolist() == [0]
    assert resolve(["apple"]).tolist() == [2]  # an exact redirect comes before the capital form
    assert resolve(["pear", "Pear"]).tolist() == [1, 2]  # a document comes before a redirect of its name
    assert resolve(["Self", "self"]).tolist() == [LOOP, LOOP]
    assert resolve(["", None, "quince", "Void", "void"]).tolist() == [UNRESOLVED] * 5
    assert resolve([]).tolist() == []


def test_a_long_chain_of_redirects() -> None:
    size = 5000
    pairs = [(str(i), str(i + 1)) for i in range(size)]
    resolve = Resolver(["end"], [*pairs, (str(size), "end")])
    assert set(resolve([str(i) for i in range(size)]).tolist()) == {0}
    resolve = Resolver(["end"], [*pairs, (str(size), "0")])
    assert set(resolve([str(i) for i in range(size)]).tolist()) == {LOOP}
    assert resolve.counts["redirects_in_loops"] == size + 1


def test_resolution_equals_a_dictionary() -> None:
    dice = random.Random(7)
    letters = ["a", "A", "b", "B", "aa", "Aa", "AA", "ba", "Ba", "é", "É", "ß", "x", "X", "y", "Y", "1", ""]

    def slow(name: str, documents: dict[str, int], redirects: dict[str, str]) -> int:
        seen = set()
        while name:
            if name in seen:
                return LOOP
            seen.add(name)
            large = name[0].upper() + name[1:]
            for known in (name, large):
                if known in documents and (known == name or name not in redirects):
                    return documents[known]
            name = redirects.get(name) or redirects.get(large)
        return UNRESOLVED

    for _ in range(200):
        ids = [dice.choice(letters[:-1]) for _ in range(dice.randrange(6))]
        pairs = [(dice.choice(letters[:-1]), dice.choice(letters[:-1])) for _ in range(dice.randrange(8))]
        documents, redirects = {}, {}
        for number, name in enumerate(ids):
            documents.setdefault(name, number)
        for source, target in pairs:
            redirects.setdefault(source, target)
        assert Resolver(ids, pairs)(letters).tolist() == [slow(name, documents, redirects) for name in letters]


def test_names_that_share_half_a_digest_are_told_apart() -> None:
    found = digests(["a", "b", "c", "a"])
    found["key"][:3] = 5
    found["key"][3] = 5
    names = Names(found)
    assert names.find(found).tolist() == [0, 1, 2, 0]
    other = digests(["d"])
    other["key"] = 5
    assert names.find(other).tolist() == [-1]


def test_citations_are_edges_of_whole_documents(tmp_path: Path, documents) -> None:
    folder = documents(tmp_path / "0", [("11", "a", [("12", None, None), ("99", None, None)]), ("12", "b", [])])
    assert edges(build_graph("citation", [folder], tmp_path / "graph")) == [(0, 1, -1)]


def test_no_links_at_all(tmp_path: Path, documents) -> None:
    folder = documents(tmp_path / "0", [("a", "x", []), ("b", "y", [])])
    graph = build_graph("hyperlink", [folder], tmp_path / "graph")
    assert edges(Graph.load(tmp_path / "graph")) == []
    assert not graph.has_edge(np.array([0]), np.array([1])).any()
    assert json.loads((tmp_path / "graph" / "report.json").read_text())["components"] == 2


def test_has_edge(world) -> None:
    graph = Graph.load(world.graph)
    true = {(a, b) for a, b, _ in edges(graph)}
    source, target = (a.ravel() for a in np.mgrid[: len(graph), : len(graph)])
    assert graph.has_edge(source, target).tolist() == [pair in true for pair in zip(source, target, strict=True)]
    assert graph.in_degree.tolist() == np.bincount([b for _, b in true], minlength=len(graph)).tolist()


def test_random_links_keep_degrees_and_places(world, tmp_path: Path) -> None:
    like = Graph.load(world.graph)
    graph, dropped = random_graph(like, seed=3)
    assert dropped == {"no_document_left": 0}
    assert graph.indptr.tolist() == like.indptr.tolist()
    assert graph.link.tolist() == like.link.tolist()
    assert not (graph.source == graph.indices).any()
    assert not like.has_edge(graph.source, graph.indices).any()
    assert np.diff(np.searchsorted(graph.pairs, np.arange(len(graph) + 1) * len(graph))).tolist() == [
        len(set(like.indices[a:b].tolist())) for a, b in zip(like.indptr[:-1], like.indptr[1:], strict=True)
    ]
    assert edges(random_graph(like, seed=3)[0]) == edges(graph)
    assert edges(random_graph(like, seed=4)[0]) != edges(graph)
    build_graph("random", world.documents, tmp_path / "random", like=world.graph, seed=3)
    assert edges(Graph.load(tmp_path / "random")) == edges(graph)


def test_random_targets_are_uniform() -> None:
    documents = 400
    source = np.repeat(np.arange(documents), 20)
    target = (source + np.tile(np.arange(1, 21), documents)) % documents
    graph, _ = random_graph(Graph.from_edges(documents, source, target, source), seed=1)
    # 20 expected each, with a standard deviation a little below 4.5.
    assert graph.in_degree.sum() == 8000
    assert graph.in_degree.max() < 20 + 6 * 4.5
    assert 3.5 < graph.in_degree.std() < 5.5


def test_random_links_where_hardly_any_document_is_left() -> None:
    like = complete(12, skip=3)  # 8 links a document, and 3 documents that it does not link to
    graph, dropped = random_graph(like, seed=1)
    assert dropped == {"no_document_left": 12 * 5}
    assert np.diff(graph.indptr).tolist() == [3] * 12
    assert not like.has_edge(graph.source, graph.indices).any()
    assert len(graph.pairs) == 36
    nothing, dropped = random_graph(complete(5), seed=1)
    assert (len(nothing.indices), dropped) == (0, {"no_document_left": 20})


def test_report(world) -> None:
    report = json.loads((world.graph / "report.json").read_text())
    graph = Graph.load(world.graph)
    assert sum(report["in_degree"].values()) == sum(report["out_degree"].values()) == len(graph)
    assert report["most_linked"][0] == {"title": "PAGE 0", "in_degree": int(graph.in_degree.max())}
    assert report["in_degree"]["0"] == int((graph.in_degree == 0).sum())
    assert report["edges"] == report["anchored_edges"] + int((graph.link < 0).sum())
    page = (world.graph / "report.md").read_text()
    assert "| PAGE 0 |" in page
    assert f"{report['edges']:,} edges" in page


def test_components() -> None:
    graph = Graph.from_edges(6, np.array([0, 1, 4]), np.array([1, 2, 3]), np.full(3, -1))
    report = describe_graph(graph)
    assert (report["components"], report["share_in_largest_component"]) == (3, 0.5)
    assert report["share_with_a_link"] == 0.5
    assert report["out_degree"] == {"0": 3, "1": 3}


def test_mistakes_are_told(world, tmp_path: Path, documents) -> None:
    with pytest.raises(UserError, match="random links need --like"):
        script.main(["--links", "random", "--documents", str(world.documents[0]), "--output", str(tmp_path / "x")])
    with pytest.raises(UserError, match="graph of other documents"):
        build_graph("random", world.documents[:1], tmp_path / "x", like=world.graph)
    with pytest.raises(UserError, match="Did you mean 'hyperlink'"):
        build_graph("hyperlinks", world.documents, tmp_path / "x")
    with pytest.raises(UserError, match="at least one neighbor"):
        build_graph("tfidf", world.documents, tmp_path / "x", neighbors=0)
    with pytest.raises(UserError, match="made by the stage 'tokens'"):
        Graph.load(world.tokens)
    assert not list(tmp_path.iterdir())
    script.main(["--links", "hyperlink", "--documents", *map(str, world.documents), "--output", str(tmp_path / "g")])
    assert (tmp_path / "g" / "meta.json").read_bytes() == (world.graph / "meta.json").read_bytes()
    np.save(tmp_path / "g" / "link.npy", np.zeros(1, np.int64))
    with pytest.raises(UserError, match="do not fit"):
        Graph.load(tmp_path / "g")


def test_a_report_with_a_figure(world, tmp_path: Path) -> None:
    report_script.main(["--graph", str(world.graph), "--output", str(tmp_path / "reports" / "enwiki.v2")])
    graph = Graph.load(world.graph)
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == [
        f"enwiki.v2.{suffix}" for suffix in ("json", "md", "png", "svg")
    ]
    report = json.loads((tmp_path / "reports" / "enwiki.v2.json").read_text())
    assert report["edges"] == len(graph.indices) == report["counts"]["links"] - sum(report["dropped"].values())
    page = (tmp_path / "reports" / "enwiki.v2.md").read_text()
    assert f"| all | {report['counts']['links']:,} | |" in page
    assert "![degrees](enwiki.v2.svg)" in page
    build_graph("tfidf", world.documents, tmp_path / "tfidf", search={"exact": 0, "postings": 7})
    build_graph("hyperlink", world.documents[:1], tmp_path / "half")
    for name, text in (("tfidf", "7 postings"), ("half", "no document of this name")):
        report_script.main(["--graph", str(tmp_path / name), "--output", str(tmp_path / "reports" / name)])
        assert text in (tmp_path / "reports" / f"{name}.md").read_text()


def test_a_report_of_a_graph_without_edges(tmp_path: Path, documents) -> None:
    folder = documents(tmp_path / "0", [("a", "x", []), ("b", "y", [])])
    build_graph("hyperlink", [folder], tmp_path / "graph")
    report_script.main(["--graph", str(tmp_path / "graph"), "--output", str(tmp_path / "report")])
    assert "0 edges" in (tmp_path / "report.md").read_text()
