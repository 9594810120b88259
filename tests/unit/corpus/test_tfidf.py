"""TF-IDF neighbors: equal to a brute-force computation with scikit-learn's own vectorizer."""

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from linkbert.errors import UserError
from linkbert.files import read_meta
from linkbert.graph import Graph
from linkbert.graph.build import build_graph
from linkbert.graph.nearest import Search, heaviest, nearest, running_cost
from linkbert.graph.tfidf import weights


def cosines(texts: list[str]) -> np.ndarray:
    matrix = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
    similarity = (matrix @ matrix.T).toarray()
    np.fill_diagonal(similarity, -1)
    return similarity


def random_rows(documents: int, words: int, seed: int = 0) -> sparse.csr_matrix:
    matrix = sparse.random_array((documents, words), density=0.05, rng=np.random.default_rng(seed), dtype=np.float32)
    matrix = sparse.csr_matrix(matrix)
    return normalize(matrix)


def test_equal_to_brute_force(world) -> None:
    texts = [text for _, text, _ in world.rows]
    similarity = cosines(texts)
    found = nearest(weights([texts[:70], texts[70:]]), 5)
    assert (found.exact, found.recall) == (True, 1.0)
    for number in range(len(texts)):
        row = slice(found.indptr[number], found.indptr[number + 1])
        best = np.sort(similarity[number])[::-1][:5]
        assert number not in found.indices[row]
        assert found.cosine[row] == pytest.approx(best, abs=1e-5)
        assert found.cosine[row] == pytest.approx(similarity[number][found.indices[row]], abs=1e-5)


def test_a_graph_of_two_themes(tmp_path: Path, documents, world) -> None:
    pages = ["cat cats purr", "cats purr loudly", "purr cat", "engine wheel", "wheel engine oil", "", "unique"]
    folder = documents(tmp_path / "d", [(str(i), page, []) for i, page in enumerate(pages)])
    build_graph("tfidf", [folder], tmp_path / "graph", neighbors=2)
    graph = Graph.load(tmp_path / "graph")
    rows = [sorted(graph.indices[a:b].tolist()) for a, b in zip(graph.indptr[:-1], graph.indptr[1:], strict=True)]
    assert rows == [[1, 2], [0, 2], [0, 1], [4], [3], [], []]
    assert set(graph.link.tolist()) == {-1}
    meta = read_meta(tmp_path / "graph")
    assert (meta["recall"], meta["search"]) == (1.0, "all pairs")
    build_graph("tfidf", [folder], tmp_path / "indexed", neighbors=2, search={"exact": 0, "words": 9})
    indexed = Graph.load(tmp_path / "indexed")
    assert indexed.indices.tolist() == graph.indices.tolist()
    assert indexed.meta["search"] == {"exact": 0, "words": 9, "postings": 500, "candidates": 50}
    with pytest.raises(UserError, match="Did you mean 'postings'"):
        build_graph("tfidf", [folder], tmp_path / "x", search={"posting": 5})
    with pytest.raises(UserError, match="words is 0"):
        build_graph("tfidf", [folder], tmp_path / "x", search={"words": 0})


def test_ties_go_to_the_lower_number() -> None:
    matrix = weights([["same words here"] * 6])
    found = nearest(matrix, 3)
    assert found.indices.reshape(6, 3).tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2], [0, 1, 2]]


@pytest.mark.parametrize("search", [Search(), Search(exact=0, words=9, postings=20, candidates=20)])
def test_blocks_and_threads_do_not_show(search: Search, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = random_rows(300, 500)
    whole = nearest(matrix, 5, search=search)
    monkeypatch.setattr("linkbert.graph.nearest._BLOCK", 2000)
    parts = nearest(matrix, 5, threads=2, search=search)
    assert whole.indices.tolist() == parts.indices.tolist()
    assert whole.cosine.tolist() == parts.cosine.tolist()
    assert whole.recall == parts.recall


def test_the_index_states_its_recall() -> None:
    matrix = random_rows(400, 300)
    exact = nearest(matrix, 5)
    indexed = nearest(matrix, 5, search=Search(exact=0, words=6, postings=10, candidates=10))
    assert (exact.exact, indexed.exact) == (True, False)
    rows = zip(
        np.split(exact.indices, exact.indptr[1:-1]), np.split(indexed.indices, indexed.indptr[1:-1]), strict=True
    )
    true = np.mean([len(np.intersect1d(a, b)) / len(a) for a, b in rows])
    assert 0.4 < true < 1
    assert indexed.recall == pytest.approx(true, abs=0.05)  # measured on half of the rows
    similarity = (matrix @ matrix.T).toarray()
    source = np.repeat(np.arange(400), np.diff(indexed.indptr))
    assert indexed.cosine == pytest.approx(similarity[source, indexed.indices], abs=1e-5)


def test_an_index_of_everything_is_exact() -> None:
    matrix = random_rows(200, 150)
    exact = nearest(matrix, 5)
    indexed = nearest(matrix, 5, search=Search(exact=0, words=150, postings=200, candidates=200))
    assert indexed.recall == 1.0
    assert indexed.cosine == pytest.approx(exact.cosine, abs=1e-6)


def test_fewer_documents_than_neighbors() -> None:
    matrix = weights([["one word", "one more word", "another"]])
    for search in (Search(), Search(exact=0)):
        found = nearest(matrix, 5, search=search)
        assert np.split(found.indices, found.indptr[1:-1])[:2] == [[1], [0]]
        assert (len(found.indices), found.recall) == (2, 1.0)


def test_heaviest_entries_of_rows() -> None:
    matrix = sparse.csr_matrix(np.array([[3, 5, 3, 3, 0], [0, 0, 1, 0, 2], [9, 8, 7, 6, 5]], np.float32))
    assert heaviest(matrix, 2).toarray().tolist() == [[3, 5, 0, 0, 0], [0, 0, 1, 0, 2], [9, 8, 0, 0, 0]]
    some = heaviest(matrix, np.array([1, 1, 4]))
    assert some.toarray().tolist() == [[0, 5, 0, 0, 0], [0, 0, 0, 0, 2], [9, 8, 7, 6, 0]]


@pytest.mark.parametrize("entries", [1, 3, 1000])
def test_the_running_cost_of_rows(entries: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linkbert.graph.nearest._ENTRIES", entries)
    matrix = sparse.csr_matrix(np.array([[0, 0, 0], [1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0], [0, 0, 0]], np.float32))
    assert running_cost(matrix, np.array([100, 10, 1])).tolist() == [0, 0, 101, 101, 212, 222, 222]
    assert running_cost(matrix[:1], np.array([100, 10, 1])).tolist() == [0, 0]


def test_worker_processes_count_the_same_words(world) -> None:
    texts = [text for _, text, _ in world.rows]
    one, two = weights([texts]), weights([texts[:40], texts[40:]], threads=2)
    assert (one != two).nnz == 0


def test_no_documents() -> None:
    found = nearest(weights([]), 5)
    assert (found.indptr.tolist(), found.indices.tolist()) == ([0], [])
