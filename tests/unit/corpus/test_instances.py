"""Instances: the properties of each relation, the in-degree correction, held-out documents, bad settings."""

import json
from pathlib import Path

import numpy as np
import pytest

import sample_instances as script
import show_instances
from linkbert import rng
from linkbert.errors import UserError
from linkbert.files import read_meta
from linkbert.graph import Graph
from linkbert.instances.audit import audit
from linkbert.instances.folder import write_instances
from linkbert.instances.format import CONTIGUOUS, INSTANCE, LINKED, RANDOM, Sampling, describe, load_instances
from linkbert.instances.heldout import held_out
from linkbert.instances.partners import LinkTable, Strangers
from linkbert.instances.sampling import Sampler, sample
from linkbert.text.tokenizer import load_tokenizer
from linkbert.text.tokens import Tokens, load_tokens

LENGTH = 96


def corpus(*documents: list[int], links: list[int] | None = None) -> Tokens:
    """Documents given as the lengths of their sentences."""
    lengths = [length for document in documents for length in document]
    sentences = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    counts = np.concatenate([[0], np.cumsum([len(document) for document in documents])])
    tokens = np.arange(sentences[-1]).astype(np.uint16)
    return Tokens(tokens, sentences, counts.astype(np.int64), np.array(links or [], np.int64))


def graph_of(documents: int, edges: list[tuple[int, int, int]]) -> Graph:
    source, target, link = np.array(edges, np.int64).reshape(-1, 3).T
    return Graph.from_edges(documents, source, target, link)


@pytest.fixture(scope="module")
def tokens(world) -> Tokens:
    return load_tokens(world.tokens)


@pytest.fixture(scope="module")
def graph(world) -> Graph:
    return Graph.load(world.graph)


def ends(rows: np.ndarray, segment: str) -> np.ndarray:
    return rows[f"{segment}_start"] + rows[f"{segment}_length"]


SETTINGS = [
    {},
    {"in_degree": "uniform"},
    {"link_scope": "document", "b_start": "start"},
    {"contiguous": 0.5, "random": 0.5, "linked": 0},
    {"contiguous": 0.2, "random": 0.2, "linked": 0.6, "short": 0.5},
    {"linked": 1},
    {"random": 1, "short": 1},
]


@pytest.mark.parametrize(("settings", "length"), [*((s, n) for s in SETTINGS for n in (40, 512)), ({}, 5)])
def test_every_property_holds(world, tmp_path: Path, settings: dict, length: int) -> None:
    sampling = Sampling.from_json(settings)
    common = {"length": length, "seed": 3, "heldout": 0.1}
    write_instances(world.tokens, world.graph, sampling, world.tokenizer, tmp_path / "i", epochs=2, **common)
    checks = audit(world.tokens, tmp_path / "i", world.graph)
    assert [str(check) for check in checks if not check.passed] == []
    assert len(checks) > 30


def test_same_seed_same_bytes_and_every_epoch_another(tokens: Tokens, graph: Graph) -> None:
    def make(seed: int, epoch: int) -> bytes:
        return sample(tokens, graph, Sampling(), LENGTH, seed, epoch, 0.1).tobytes()

    assert make(1, 0) == make(1, 0)
    assert len({make(1, 0), make(1, 1), make(2, 0)}) == 3
    # Epochs are drawn alone: how many there are, and which came before, does not matter.
    sampler = Sampler(tokens, graph, Sampling(), LENGTH, 1, ~held_out(len(tokens), 1, 0.1))
    assert sampler.sample(1)[0].tobytes() == make(1, 1)


@pytest.mark.parametrize("shares", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
def test_another_seed_gives_other_instances(tokens: Tokens, graph: Graph, shares: tuple[float, ...]) -> None:
    one, other = (sample(tokens, graph, Sampling(*shares), LENGTH, seed, 0) for seed in (1, 2))
    both = np.intersect1d(one["a_start"], other["a_start"], return_indices=True)[1:]
    assert (one[both[0]] == other[both[1]]).mean() < 0.8  # segments at the same place


def test_every_epoch_meets_other_strangers(tokens: Tokens, graph: Graph) -> None:
    first, second = (sample(tokens, graph, Sampling(0, 1, 0), LENGTH, 1, epoch) for epoch in (0, 1))
    _, one, other = np.intersect1d(first["a_start"], second["a_start"], return_indices=True)
    b = [tokens.document_of(rows["b_start"][which]) for rows, which in ((first, one), (second, other))]
    assert (b[0] == b[1]).mean() < 0.1


def test_a_graph_of_other_documents_is_refused(tokens: Tokens) -> None:
    with pytest.raises(UserError, match="not the same corpus"):
        Sampler(tokens, graph_of(len(tokens) + 1, [(0, 1, -1)]), Sampling(), LENGTH, 1)


def test_the_mixture_of_a_large_corpus_is_fitted_on_a_part(
    tokens: Tokens, graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked: list[int] = []
    walk = Sampler._walk

    def spy(self: Sampler, documents: np.ndarray, *rest: object) -> object:
        walked.append(len(documents))
        return walk(self, documents, *rest)

    monkeypatch.setattr(Sampler, "_walk", spy)
    monkeypatch.setattr("linkbert.instances.sampling._PILOT_TOKENS", len(tokens.tokens) // 2)
    part = Sampler(tokens, graph, Sampling(), 40, 1)
    assert 0.3 * len(tokens) < max(walked) < 0.7 * len(tokens)
    assert part.expected == pytest.approx(np.full(3, 1 / 3), abs=0.01)
    shares = np.bincount(part.sample(0)[0]["relation"], minlength=3)
    assert shares / shares.sum() == pytest.approx(part.expected, abs=0.06)


def test_a_document_does_not_depend_on_the_others(tokens: Tokens) -> None:
    sampling = Sampling(0, 1, 0)
    everything = sample(tokens, None, sampling, LENGTH, 1, 0)
    half = Sampler(tokens, None, sampling, LENGTH, 1, np.arange(len(tokens)) % 2 == 0).sample(0)[0]
    even = everything[tokens.document_of(everything["a_start"]) % 2 == 0]
    assert even[["a_start", "a_length"]].tolist() == half[["a_start", "a_length"]].tolist()


def test_random_only_puts_all_text_back(tokens: Tokens) -> None:
    rows = sample(tokens, None, Sampling(0, 1, 0), LENGTH, 1, 0)
    assert rows["a_start"][0] == 0
    assert ends(rows, "a")[-1] == len(tokens.tokens)
    assert (ends(rows, "a")[:-1] == rows["a_start"][1:]).all()
    assert set(rows["relation"].tolist()) == {RANDOM}


def test_contiguous_only_skips_nothing_but_last_sentences(tokens: Tokens) -> None:
    rows = sample(tokens, None, Sampling(1, 0, 0, short=0), LENGTH, 1, 0)
    document = tokens.document_of(rows["a_start"])
    same = document[1:] == document[:-1]
    assert (rows["a_start"][1:][same] <= ends(rows, "b")[:-1][same]).all()
    assert (rows["a_start"][1:] >= ends(rows, "a")[:-1]).all()
    assert np.isin(rows["a_start"][1:][~same], tokens.bounds).all()
    last = np.append(~same, True)
    rest = tokens.sentences[tokens.documents[document[last] + 1] - 1]
    assert (ends(rows, "b")[last] >= rest).all()
    long = np.diff(tokens.documents) > 1
    assert set(document) == set(np.flatnonzero(long))


def test_segments_are_whole_sentences_where_they_fit(tokens: Tokens, graph: Graph) -> None:
    assert np.diff(tokens.sentences).max() < 200
    rows = sample(tokens, graph, Sampling(), 512, 1, 0)
    for place in (rows["a_start"], ends(rows, "a"), rows["b_start"]):
        assert np.isin(place, tokens.sentences).all()
    cut = ~np.isin(ends(rows, "b"), tokens.sentences)
    assert cut.any()
    assert (rows["a_length"] + rows["b_length"])[cut].tolist() == [509] * cut.sum()


def test_a_takes_half_of_the_length_on_average() -> None:
    tokens = corpus(*[[4] * 5000] * 4)
    rows = sample(tokens, None, Sampling(0.5, 0.5, 0, short=0), 512, 1, 0)
    assert rows["a_length"].mean() == pytest.approx(509 / 2, rel=0.08)
    assert np.quantile(rows["a_length"], [0.25, 0.75]) == pytest.approx([509 / 4, 509 * 3 / 4], rel=0.15)
    followed = rows[rows["relation"] == CONTIGUOUS]
    assert ((followed["a_length"] + followed["b_length"]) == 509).mean() > 0.95


def test_short_instances() -> None:
    tokens = corpus(*[[4] * 5000] * 4)
    rows = sample(tokens, None, Sampling(1, 0, 0, short=0.25), 512, 1, 0)
    total = rows["a_length"] + rows["b_length"]
    assert (total < 505).mean() == pytest.approx(0.25, abs=0.05)
    assert total[total < 505].mean() == pytest.approx(257, rel=0.15)


def test_long_sentences_are_cut() -> None:
    tokens = corpus([3000], [2, 700, 5], [1])
    rows = sample(tokens, None, Sampling(0.5, 0.5, 0), 128, 1, 0)
    assert (rows["a_length"] + rows["b_length"] <= 125).all()
    assert (rows["a_length"] >= 1).all()
    assert ((rows["relation"] == CONTIGUOUS) & (tokens.document_of(rows["a_start"]) == 0)).any()
    assert ends(rows, "a").max() == len(tokens.tokens)


def test_a_document_of_one_sentence_has_no_continuation() -> None:
    rows = sample(corpus(*[[7]] * 50), None, Sampling(0.9, 0.1, 0), 64, 1, 0)
    assert rows["relation"].tolist() == [RANDOM] * 50
    assert set(rows["a_length"].tolist()) == {7}


def test_empty_documents_are_never_drawn() -> None:
    tokens = corpus([5], [], [5, 6], [], [], [7])
    graph = graph_of(6, [(0, 1, -1), (0, 2, -1), (2, 3, -1), (5, 4, -1)])
    rows = sample(tokens, graph, Sampling(0, 0.5, 0.5), 64, 1, 0)
    assert set(tokens.document_of(rows["b_start"]).tolist()) <= {0, 2, 5}
    linked = rows[rows["relation"] == LINKED]
    assert set(tokens.document_of(linked["b_start"]).tolist()) == {2}


def test_links_of_segment_a_only() -> None:
    # Document 0 links to 1 in its first and to 2 in its fourth sentence.
    tokens = corpus([100, 100, 100, 100], [9], [9], [9], links=[20, 330])
    graph = graph_of(4, [(0, 1, 0), (0, 2, 1)])
    seen: dict[str, set] = {"segment": set(), "document": set()}
    for scope, pairs in seen.items():
        sampler = Sampler(tokens, graph, Sampling(0, 0.5, 0.5, link_scope=scope), 360, 1)
        for epoch in range(60):
            rows = sampler.sample(epoch)[0]
            rows = rows[rows["relation"] == LINKED]
            for row in rows:
                inside = row["a_start"] <= 20 < row["a_start"] + row["a_length"]
                pairs.add((inside, int(tokens.document_of(row["b_start"]))))
    assert (False, 1) not in seen["segment"]
    assert {(True, 1), (False, 2)} <= seen["segment"]
    assert (False, 1) in seen["document"]


@pytest.mark.parametrize("start", ["random", "start"])
def test_where_segment_b_begins_elsewhere(start: str) -> None:
    # Document 0 links to 1 and 2, which have 20 sentences each.
    tokens = corpus([8] * 400, [8] * 20, [8] * 20, links=[])
    graph = graph_of(3, [(0, 1, -1), (0, 2, -1), (1, 0, -1), (2, 0, -1)])
    sampling = Sampling(0, 0, 1, b_start=start)
    rows = np.concatenate([sample(tokens, graph, sampling, 32, 1, epoch) for epoch in range(20)])
    rows = rows[tokens.document_of(rows["a_start"]) == 0]
    target = tokens.document_of(rows["b_start"])
    sentence = (rows["b_start"] - tokens.bounds[target]) // 8
    if start == "start":
        assert not sentence.any()
        return
    for document in (1, 2):  # the one chosen says nothing of the sentence chosen
        count = np.bincount(sentence[target == document], minlength=20)
        assert len(count) == 20 and count == pytest.approx(count.mean(), rel=0.3)


def test_links_without_a_token_belong_to_the_document() -> None:
    tokens = corpus([50, 50], [9], links=[-1])
    graph = graph_of(2, [(0, 1, 0)])
    rows = sample(tokens, graph, Sampling(0, 0, 1), 64, 1, 0)
    assert len(rows) >= 2
    assert set(tokens.document_of(rows["b_start"]).tolist()) == {1}


@pytest.mark.parametrize("in_degree", ["inverse", "uniform"])
def test_linked_documents_are_drawn_by_in_degree(in_degree: str) -> None:
    # Documents 1 … 4 have in-degrees 1, 2, 4, 8; document 0 links to all, half of them anchored.
    edges = [(0, target, target - 1 if target < 3 else -1) for target in (3, 4, 1, 2)]
    edges += [(source, target, -1) for target, count in ((2, 1), (3, 3), (4, 7)) for source in range(5, 5 + count)]
    edges.sort(key=lambda edge: edge[0])
    graph = graph_of(12, edges)
    assert graph.in_degree[1:5].tolist() == [1, 2, 4, 8]
    tokens = corpus([50], *[[5]] * 11, links=[10, 20])
    table = LinkTable.build(tokens, graph, np.ones(12, bool), "segment", in_degree)
    number = 40_000
    ones = np.ones(number, np.int64)
    chance = rng.uniform(7, np.arange(number))
    drawn = np.bincount(table.draw(0 * ones, 50 * ones, 0 * ones, chance), minlength=12)[1:5] / number
    weights = np.array([1, 1 / 2, 1 / 4, 1 / 8]) if in_degree == "inverse" else np.ones(4)
    assert drawn == pytest.approx(weights / weights.sum(), abs=0.012)
    # A segment without the first anchor cannot reach its target.
    drawn = np.bincount(table.draw(15 * ones, 50 * ones, 0 * ones, chance), minlength=12)[1:5] / number
    weights[0] = 0
    assert drawn == pytest.approx(weights / weights.sum(), abs=0.012)
    assert table.any(np.array([0, 12, 0]), np.array([5, 15, 5]), np.array([0, 0, 1])).tolist() == [True, True, False]


def test_strangers_are_uniform_and_never_neighbors() -> None:
    graph = graph_of(30, [(0, 1, -1), (2, 0, -1)] + [(3, t, -1) for t in range(30) if t not in (3, 7)])
    usable = np.arange(30) != 9
    strangers = Strangers(usable, graph)
    assert strangers.exist.tolist() == usable.tolist()
    drawn = np.bincount(strangers.draw(np.zeros(26_000, np.int64), ("a",), np.arange(26_000)), minlength=30)
    # 0 itself, 1, 2, 3 (which links to all but 7) and the unusable 9 are out; 25 are left.
    assert np.flatnonzero(drawn == 0).tolist() == [0, 1, 2, 3, 9]
    assert drawn[drawn > 0] == pytest.approx(26_000 / 25, rel=0.2)
    assert set(strangers.draw(np.full(200, 3), ("a",), np.arange(200)).tolist()) == {7}
    # 3 links to 7 too, so no stranger is left.
    assert not Strangers(usable, graph_of(30, [(3, t, -1) for t in range(30) if t != 3])).exist[3]


def test_strangers_of_a_document_that_nearly_all_others_link_to() -> None:
    sources = [source for source in range(300) if source not in (3, 7)]
    strangers = Strangers(np.ones(300, bool), graph_of(300, [(source, 3, -1) for source in sources]))
    assert set(strangers.draw(np.full(50, 3), ("a",), np.arange(50)).tolist()) == {7}
    half = [(3, target, -1) for target in range(4, 300)] + [(source, 3, -1) for source in range(3)]
    all_linked = Strangers(np.ones(300, bool), graph_of(300, sorted(half)))
    assert not all_linked.exist[3] and all_linked.exist.sum() == 299


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0, 1, 0)])
def test_no_token_is_left_out(sampling: Sampling) -> None:
    tokens = corpus([5, 1], [1], [3, 1, 1, 40, 1], [90], [2, 30, 1] * 20)
    graph = graph_of(5, [(0, 1, -1), (4, 2, -1)])
    for epoch in range(20):
        rows = sample(tokens, graph, sampling, 32, 1, epoch)
        seen = np.zeros(len(tokens.tokens), bool)
        for row in rows:
            seen[row["a_start"] : row["a_start"] + row["a_length"]] = True
            if row["relation"] == CONTIGUOUS:
                seen[row["b_start"] : row["b_start"] + row["b_length"]] = True
        assert seen.all()


def test_the_mixture_is_as_near_as_the_corpus_permits(tokens: Tokens, graph: Graph) -> None:
    sampler = Sampler(tokens, graph, Sampling(), 40, 1)
    rows = np.concatenate([sampler.sample(epoch)[0] for epoch in range(5)])
    shares = np.bincount(rows["relation"]) / len(rows)
    assert sampler.expected == pytest.approx(np.full(3, 1 / 3), abs=0.01)
    assert shares == pytest.approx(sampler.expected, abs=0.02)
    assert sampler.weights[LINKED] > sampler.weights[CONTIGUOUS]
    few = graph_of(len(tokens), [(0, 1, -1)])
    sampler = Sampler(tokens, few, Sampling(), 40, 1)
    rows, tally = sampler.sample(0)
    assert (rows["relation"] == LINKED).sum() == tally["linkable_anchors"] > 0
    shares = np.bincount(rows["relation"]) / len(rows)
    assert shares[CONTIGUOUS] == pytest.approx(shares[RANDOM], abs=0.05)


def test_the_declared_fraction_is_held_out() -> None:
    one, other = (held_out(200_000, seed, 0.02) for seed in (1, 2))
    assert one.mean() == pytest.approx(0.02, abs=0.001)
    assert (one & other).mean() == pytest.approx(0.02**2, abs=0.0003)
    assert not held_out(1000, 1, 0.0).any()
    assert (held_out(200_000, 1, 0.05) >= one).all()  # a larger fraction takes more, and never gives back


def test_held_out_documents_meet_only_each_other(world, tmp_path: Path, tokens: Tokens) -> None:
    out = held_out(len(tokens), 9, 0.3)
    assert 0.15 < out.mean() < 0.45
    assert (held_out(len(tokens), 9, 0.2) <= out).all()
    arguments = ["--tokens", str(world.tokens), "--tokenizer", str(world.tokenizer), "--seed", "9", "--length", "64"]
    arguments += ["--graph", str(world.graph), "--heldout", "0.3"]
    script.main([*arguments, "--epochs", "2", "--output", str(tmp_path / "train")])
    script.main([*arguments, "--heldout-only", "--output", str(tmp_path / "held")])
    assert sorted(p.name for p in (tmp_path / "train").iterdir()) == [
        "epoch-000.npy",
        "epoch-001.npy",
        "examples.txt",
        "meta.json",
    ]
    assert sorted(p.name for p in (tmp_path / "held").iterdir()) == ["examples.txt", "heldout.npy", "meta.json"]
    for name, side in (("train/epoch-000.npy", False), ("train/epoch-001.npy", False), ("held/heldout.npy", True)):
        rows = load_instances(tmp_path / name)
        for segment in "ab":
            assert (out[tokens.document_of(rows[f"{segment}_start"])] == side).all()
    assert set(load_instances(tmp_path / "held" / "heldout.npy")["relation"].tolist()) == {0, 1, 2}
    # Whatever the model's mixture: the held-out instances are the same.
    two_way = json.dumps({"contiguous": 0.5, "random": 0.5})
    script.main([*arguments, "--heldout-only", "--sampling", two_way, "--output", str(tmp_path / "again")])
    same = (tmp_path / n / "heldout.npy" for n in ("held", "again"))
    assert len({path.read_bytes() for path in same}) == 1


def test_the_meta_data_tell_what_was_made(world, tmp_path: Path) -> None:
    meta = write_instances(
        world.tokens, world.graph, Sampling(), world.tokenizer, tmp_path / "i", length=64, seed=1, epochs=1
    )
    assert meta == read_meta(tmp_path / "i", "instances")
    rows = load_instances(tmp_path / "i" / "epoch-000.npy")
    told = meta["files"]["epoch-000.npy"]
    assert told["instances"] == len(rows) == meta["counts"]["instances"]
    assert told["realised"] == pytest.approx((np.bincount(rows["relation"]) / len(rows)).tolist(), abs=1e-6)
    assert told["fill"] == pytest.approx((rows["a_length"] + rows["b_length"] + 3).mean() / 64, abs=1e-5)
    diversity = meta["link_diversity"]
    assert diversity["inverse"]["top_share"] < diversity["uniform"]["top_share"]
    assert diversity["inverse"]["effective_documents"] > diversity["uniform"]["effective_documents"]
    assert (tmp_path / "i" / "examples.txt").read_text().count("[CLS]") == 3
    assert str(tmp_path) not in (tmp_path / "i" / "meta.json").read_text()


def test_an_instance_as_a_person_reads_it(tmp_path: Path, documents, tokenizer: Path) -> None:
    from linkbert.graph.build import build_graph
    from linkbert.text.tokenizing import tokenize_documents

    folder = documents(tmp_path / "d", [("one", "The cat sat.", [("two", 4, 7)]), ("two", "The dog.", [])])
    tokenize_documents([folder], tokenizer, tmp_path / "t")
    build_graph("hyperlink", [folder], tmp_path / "g")
    row = np.array([(0, 4, 4, 3, LINKED)], INSTANCE)[0]
    text = describe(load_tokens(tmp_path / "t"), row, load_tokenizer(tokenizer), Graph.load(tmp_path / "g"))
    assert text.split("\n") == [
        "relation: linked",
        "A: 'ONE', 4 tokens from 0",
        "B: 'TWO', 3 tokens from 4",
        "link: at token 1 of A: cat sat. ...",
        "[CLS] the cat sat. [SEP] the dog. [SEP]",
    ]


def test_show_instances(world, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_instances(world.tokens, world.graph, Sampling(), world.tokenizer, tmp_path / "i", length=64, seed=1)
    folders = ["--tokens", str(world.tokens), "--instances", str(tmp_path / "i"), "--tokenizer", str(world.tokenizer)]
    show_instances.main([*folders, "--graph", str(world.graph), "--number", "4"])
    shown = capsys.readouterr().out
    assert shown.count("[CLS]") == shown.count("relation: ") == 4
    with pytest.raises(UserError, match="not a readable instance file"):
        show_instances.main([*folders, "--epoch", "heldout"])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"contigous": 1}, "unknown setting 'contigous'.*Did you mean 'contiguous'"),
        ({"in_degree": "inverted"}, "unknown in_degree 'inverted'"),
        ({"contiguous": 0.5, "random": 0.3}, "is 0.8, but must be 1"),
        ({"random": -1, "linked": 2}, "random is -1"),
        ({"short": "often"}, "short is 'often'"),
        ([1], "expected an object"),
    ],
)
def test_bad_settings_are_told(settings: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Sampling.from_json(settings)


def test_shares_are_scaled_to_one() -> None:
    assert Sampling.from_json({"contiguous": 0.333, "random": 0.333, "linked": 0.333}).mixture.tolist() == [1 / 3] * 3
    assert Sampling.from_json({"contiguous": 0.5, "random": 0.5}).linked == 0


def test_mistakes_are_told_and_leave_nothing(world, tmp_path: Path, documents, tokenizer: Path) -> None:
    def write(**changes) -> None:
        arguments = {
            "tokens": world.tokens,
            "graph": world.graph,
            "tokenizer": world.tokenizer,
            "length": 64,
            "seed": 1,
        }
        arguments |= {"sampling": Sampling(), "output": tmp_path / "out"}
        write_instances(**arguments | changes)

    for changes, message in (
        ({"graph": None}, "needs a graph"),
        ({"length": 4}, "at least 5"),
        ({"heldout": 1.0}, "below 1"),
        ({"heldout_only": True}, "needs --heldout above 0"),
        ({"heldout_only": True, "heldout": 1e-9}, "leaves none of 120 documents held out"),
        ({"epochs": 0}, "at least one"),
        ({"graph": world.tokens}, "made by the stage 'tokens'"),
        ({"tokens": world.graph}, "made by the stage 'graph'"),
    ):
        with pytest.raises(UserError, match=message):
            write(**changes)
    from linkbert.graph.build import build_graph

    with pytest.raises(UserError, match="graph of other documents"):
        write(graph=build_graph("hyperlink", world.documents[:1], tmp_path / "g") and tmp_path / "g")
    assert [p.name for p in tmp_path.iterdir()] == ["g"]


def test_a_corpus_that_permits_nothing() -> None:
    rows, tally = Sampler(corpus([5]), None, Sampling(0.5, 0.5, 0), 64, 1).sample(0)
    assert len(rows) == 0
    assert tally["anchors_without_relation"] == tally["anchors"] == 1
    with pytest.raises(UserError, match="no document to sample"):
        Sampler(corpus([], []), None, Sampling(0.5, 0.5, 0), 64, 1)
