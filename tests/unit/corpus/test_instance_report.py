"""The report of instances counts what their files hold."""

import json
from pathlib import Path

import numpy as np

import report_instances as script
from linkbert.graph import Graph
from linkbert.instances.folder import write_instances
from linkbert.instances.format import LINKED, Sampling, load_instances
from linkbert.text.tokens import load_tokens


def test_the_report_counts_what_is_there(world, tmp_path: Path) -> None:
    folder, prefix = tmp_path / "instances", tmp_path / "reports" / "linked"
    write_instances(world.tokens, world.graph, Sampling(), world.tokenizer, folder, length=64, seed=2, epochs=2)
    script.main(["--instances", str(folder), "--title", "invented", "--output", str(prefix)])
    report = json.loads(Path(f"{prefix}.json").read_text())
    rows = load_instances(folder / "epoch-000.npy")
    assert report["instances"] == len(rows) + len(load_instances(folder / "epoch-001.npy"))
    for name, length in (
        ("a", rows["a_length"]),
        ("b", rows["b_length"]),
        ("both", rows["a_length"] + rows["b_length"]),
    ):
        assert sum(report["lengths"][name]) == len(rows)
        bound = report["lengths"]["edges"][8]
        assert sum(report["lengths"][name][:8]) == int((length + 3 * (name == "both") < bound).sum())
    # The instances were drawn with the correction, so their partners are those of "inverse".
    partners = report["partners"]
    in_degree = np.asarray(Graph.load(world.graph).in_degree)
    drawn = in_degree[load_tokens(world.tokens).document_of(rows["b_start"][rows["relation"] == LINKED])]
    assert sum(partners["inverse"]["instances"]) == sum(partners["uniform"]["instances"]) == len(drawn)
    classes = dict(zip(partners["classes"], partners["inverse"]["instances"], strict=True))
    assert (classes["1"], classes["2-3"]) == (int((drawn == 1).sum()), int(((drawn == 2) | (drawn == 3)).sum()))
    assert partners["uniform"]["mean"] > partners["inverse"]["mean"] == round(float(drawn.mean()), 2)
    page = Path(f"{prefix}.md").read_text()
    assert "# Instances: invented" in page
    assert f"| linked | 33.33% | {report['expected'][2]:.2%} | {report['realised'][2]:.2%} |" in page
    assert Path(f"{prefix}.png").stat().st_size > 0


def test_a_report_without_links(world, tmp_path: Path) -> None:
    folder = tmp_path / "instances"
    write_instances(world.tokens, None, Sampling(0.5, 0.5, 0.0), world.tokenizer, folder, length=32, seed=2)
    script.main(["--instances", str(folder), "--output", str(tmp_path / "report")])
    assert json.loads((tmp_path / "report.json").read_text())["partners"] == {}
    assert "correction" not in (tmp_path / "report.md").read_text()
