"""The audit: clean instances pass, every kind of corruption fails under its own name."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import audit_instances as script
from linkbert.errors import UserError
from linkbert.files import read_json, write_json
from linkbert.graph import Graph
from linkbert.graph.build import build_graph
from linkbert.instances.audit import audit
from linkbert.instances.folder import write_instances
from linkbert.instances.format import CONTIGUOUS, INSTANCE, LINKED, RANDOM, Sampling
from linkbert.instances.heldout import held_out
from linkbert.text.tokens import load_tokens

FILE = "epoch-000.npy"


@pytest.fixture(scope="module")
def clean(world, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("instances") / "clean"
    write_instances(
        world.tokens, world.graph, Sampling(), world.tokenizer, folder, length=40, seed=2, epochs=1, heldout=0.2
    )
    return folder


def spoil(clean: Path, folder: Path, change: Callable[[np.ndarray], np.ndarray | None]) -> Path:
    shutil.copytree(clean, folder)
    rows = np.load(folder / FILE)
    changed = change(rows)
    np.save(folder / FILE, rows if changed is None else changed)
    return folder


def failed(world, folder: Path) -> set[str]:
    return {check.name for check in audit(world.tokens, folder, world.graph) if not check.passed}


def test_clean_instances_pass(world, clean: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--tokens", str(world.tokens), "--graph", str(world.graph), "--instances", str(clean)]
    report = tmp_path / "audit.txt"
    assert script.main([*arguments, "--tokenizer", str(world.tokenizer), "--report", str(report)]) == 0
    text = capsys.readouterr().out
    assert text == report.read_text()
    assert "FAIL" not in text
    for name in ("links lie in segment A", "80/10/10", "no special token masked", "no held-out document"):
        assert f"{FILE}  {name}" in text
    assert text.endswith("properties hold\n")


def set_field(kind: int, **fields) -> Callable[[np.ndarray], None]:
    def change(rows: np.ndarray) -> None:
        which = np.flatnonzero(rows["relation"] == kind)[3]
        for name, value in fields.items():
            rows[name][which] = value(rows[which]) if callable(value) else value

    return change


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (set_field(CONTIGUOUS, b_start=lambda row: row["b_start"] + 1, b_length=1), "contiguous pairs follow"),
        (set_field(RANDOM, b_start=lambda row: row["a_start"]), "random pairs are two documents"),
        (set_field(LINKED, relation=3), "relation known"),
        (set_field(LINKED, a_length=0), "segments not empty"),
        (set_field(RANDOM, b_length=39), "at most 40 tokens"),
        (set_field(RANDOM, b_start=-4), "segment B inside the corpus"),
        (set_field(CONTIGUOUS, a_start=10**12), "segment A inside the corpus"),
        (lambda rows: np.concatenate([rows, rows[:1]]), "anchors distinct"),
        (lambda rows: rows[rows["relation"] != LINKED], "mixture as expected"),
        (lambda rows: rows[1:], "mixture as recorded"),
        (lambda rows: rows[:0], "not empty"),
    ],
)
def test_corruption_is_found(world, clean: Path, tmp_path: Path, change: Callable, name: str) -> None:
    folder = spoil(clean, tmp_path / "spoilt", change)
    assert name in failed(world, folder)
    arguments = ["--tokens", str(world.tokens), "--graph", str(world.graph), "--instances", str(folder)]
    assert script.main(arguments) == 1


def test_a_segment_across_documents(world, clean: Path, tmp_path: Path) -> None:
    end = int(load_tokens(world.tokens).bounds[1])
    folder = spoil(clean, tmp_path / "x", set_field(RANDOM, a_start=end - 2, a_length=4))
    assert "segment A inside one document" in failed(world, folder)


def test_linked_pairs_that_are_no_edges(world, clean: Path, tmp_path: Path) -> None:
    corpus, graph = load_tokens(world.tokens), Graph.load(world.graph)

    def change(rows: np.ndarray) -> None:
        which = np.flatnonzero(rows["relation"] == RANDOM)
        rows["relation"][which[0]] = LINKED

    assert "linked pairs are edges" in failed(world, spoil(clean, tmp_path / "x", change))

    def reverse(rows: np.ndarray) -> None:
        linked = np.flatnonzero(rows["relation"] == LINKED)
        a, b = (corpus.document_of(rows[f"{s}_start"][linked]) for s in "ab")
        one_way = linked[~graph.has_edge(b, a)][0]
        rows["relation"][one_way] = RANDOM

    assert "random pairs are not edges" in failed(world, spoil(clean, tmp_path / "y", reverse))

    def swap(rows: np.ndarray) -> None:
        linked = np.flatnonzero(rows["relation"] == LINKED)
        a, b = (corpus.document_of(rows[f"{s}_start"][linked]) for s in "ab")
        row = rows[linked[~graph.has_edge(b, a)][0]]
        start, length = row["a_start"], row["a_length"]
        row["a_start"], row["a_length"] = row["b_start"], row["b_length"]
        row["b_start"], row["b_length"] = start, length

    assert "linked pairs are edges" in failed(world, spoil(clean, tmp_path / "z", swap))


def test_a_link_outside_segment_a(world, clean: Path, tmp_path: Path) -> None:
    def shorten(rows: np.ndarray) -> None:
        rows["a_length"][rows["relation"] == LINKED] = 1

    names = failed(world, spoil(clean, tmp_path / "x", shorten))
    assert names == {"links lie in segment A"}


def test_a_held_out_document_in_training(world, clean: Path, tmp_path: Path) -> None:
    corpus = load_tokens(world.tokens)
    secret = np.flatnonzero(held_out(len(corpus), 2, 0.2) & (np.diff(corpus.bounds) > 5))[0]
    folder = spoil(clean, tmp_path / "x", set_field(RANDOM, b_start=int(corpus.bounds[secret]), b_length=3))
    assert "no held-out document" in failed(world, folder)


def test_other_inputs_and_other_files(world, clean: Path, tmp_path: Path) -> None:
    shutil.copytree(clean, tmp_path / "x")
    shutil.copy(tmp_path / "x" / FILE, tmp_path / "x" / "epoch-001.npy")
    assert "files" in failed(world, tmp_path / "x")
    build_graph("random", world.documents, tmp_path / "random", like=world.graph, seed=1)
    checks = audit(world.tokens, clean, tmp_path / "random")
    assert {"inputs", "linked pairs are edges"} <= {check.name for check in checks if not check.passed}


@pytest.mark.parametrize(
    ("function", "damage", "name"),
    [
        (
            "replace",
            lambda tokens, hidden, counters, words, _: np.full_like(tokens, words.mask),
            "only",
        ),
        ("replace", lambda tokens, *_: tokens, "80/10/10"),
        ("choose", lambda tokens, *_: np.arange(len(tokens)), "no special token masked"),
        ("choose", lambda tokens, *_: np.flatnonzero(tokens > 4)[::2], "15% hidden"),
    ],
)
def test_wrong_masking_is_found(world, clean: Path, monkeypatch, function: str, damage: Callable, name: str) -> None:
    monkeypatch.setattr(f"linkbert.pretraining.masking.{function}", damage)
    checks = audit(world.tokens, clean, world.graph, world.tokenizer)
    assert any(check.name.startswith(name) and not check.passed for check in checks)


def test_mistakes_are_told(world, clean: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Name its folder with --graph"):
        audit(world.tokens, clean)
    with pytest.raises(UserError, match="made by the stage 'graph'"):
        audit(world.tokens, world.graph)
    shutil.copytree(clean, tmp_path / "x")
    np.save(tmp_path / "x" / FILE, np.zeros(3, np.int64))
    with pytest.raises(UserError, match="not instances"):
        audit(world.tokens, tmp_path / "x", world.graph)
    (tmp_path / "x" / FILE).unlink()
    with pytest.raises(UserError, match="no instance files"):
        audit(world.tokens, tmp_path / "x", world.graph)


def test_instances_without_a_graph(world, tmp_path: Path) -> None:
    halves = Sampling(0.5, 0.5, 0)
    write_instances(world.tokens, None, halves, world.tokenizer, tmp_path / "x", length=40, seed=2)
    assert all(check.passed for check in audit(world.tokens, tmp_path / "x", world.graph))
    rows = np.load(tmp_path / "x" / FILE)
    rows["relation"][:1] = LINKED
    np.save(tmp_path / "x" / FILE, rows.astype(INSTANCE))
    names = {check.name for check in audit(world.tokens, tmp_path / "x") if not check.passed}
    assert "no linked pairs without a graph" in names
    meta = read_json(tmp_path / "x" / "meta.json")
    write_json(tmp_path / "x" / "meta.json", meta | {"stage": "tokens"})
    with pytest.raises(UserError, match="'instances' is needed"):
        audit(world.tokens, tmp_path / "x")
