"""What sampled instances look like: mixture, partners, lengths, as a page, JSON and a figure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from linkbert.files import read_meta, write_json, write_text
from linkbert.instances.format import SPECIALS, load_instances

_BINS = 32
_AT_A_TIME = 5_000_000  # instances read at a time


def describe_instances(folder: str | Path, title: str = "") -> dict[str, Any]:
    """The first file of an instance folder in numbers; every file's shares stand under `files`."""
    meta = read_meta(folder, "instances")
    first = next(iter(meta["files"]))
    summary = meta["files"][first]
    anchors = max(summary["anchors"], 1)
    return {
        "title": title,
        "instances": meta["counts"]["instances"],
        "relations": meta["relations"],
        "declared": meta["declared"],
        "expected": meta["expected"],
        "realised": summary["realised"],
        "linkable": round(summary["linkable_anchors"] / anchors, 6),
        "continuable": round(summary["continuable_anchors"] / anchors, 6),
        "mean_b_by_relation": summary["mean_b_by_relation"],
        "diversity": {name: meta["link_diversity"][name] for name in ("uniform", "inverse") if meta["link_diversity"]},
        "partners": meta["link_diversity"].get("in_degree", {}),
        "lengths": _lengths(Path(folder) / first, meta["parameters"]["length"], summary),
        "files": meta["files"],
        "parameters": meta["parameters"],
        "dropped": meta["dropped"],
    }


def _lengths(path: Path, length: int, summary: Mapping[str, Any]) -> dict[str, Any]:
    """Histograms of the lengths of A, of B, and of the whole input."""
    instances = load_instances(path)
    edges = np.linspace(0, length, min(_BINS, length) + 1).round().astype(int)
    counts = {name: np.zeros(len(edges) - 1, np.int64) for name in ("a", "b", "both")}
    for start in range(0, len(instances), _AT_A_TIME):
        some = instances[start : start + _AT_A_TIME]
        a, b = some["a_length"].astype(np.int64), some["b_length"].astype(np.int64)
        for name, values in (("a", a), ("b", b), ("both", a + b + SPECIALS)):
            counts[name] += np.histogram(values, edges)[0]
    means = {"mean": summary["mean_tokens"], "fill": summary["fill"], "full": summary["full"]}
    return {"edges": edges.tolist(), **{name: count.tolist() for name, count in counts.items()}, **means}


def instances_markdown(report: Mapping[str, Any]) -> str:
    """The report as a page."""
    lengths = report["lengths"]
    lines = [f"# Instances: {report['title']}", ""]
    lines += [
        f"{report['instances']:,} instances in {len(report['files'])} files, "
        f"{lengths['mean']:.1f} tokens each on average: {lengths['fill']:.1%} of the input is filled, "
        f"{lengths['full']:.1%} are full.",
        f"{report['linkable']:.1%} of the anchors hold a usable link, "
        f"{report['continuable']:.1%} have text behind them.",
        "",
        "| relation | declared | expected | realised | tokens of B |",
        "|---|---:|---:|---:|---:|",
    ]
    for number, relation in enumerate(report["relations"]):
        shares = (f"{report[kind][number]:.2%}" for kind in ("declared", "expected", "realised"))
        lines.append(f"| {relation} | {' | '.join(shares)} | {report['mean_b_by_relation'][number]:.1f} |")
    if report["diversity"]:
        lines += ["", "The correction by in-degree (section 4.3), at the same anchors:", ""]
        lines += [
            "| links drawn | mean in-degree | distinct documents | effective documents | of the 1 % most linked |",
            "|---|---:|---:|---:|---:|",
        ]
        for kind, name in (("uniform", "all alike"), ("inverse", "by 1 / in-degree")):
            row = report["diversity"][kind]
            lines.append(
                f"| {name} | {row['mean_in_degree']:,.1f} | {row['distinct_documents']:,} "
                f"| {row['effective_documents']:,.0f} | {row['top_share']:.1%} |"
            )
    return "\n".join(lines) + "\n"


def write_report(folder: str | Path, prefix: str | Path, title: str = "") -> None:
    """Write ``prefix.md``, ``.json``, ``.svg`` and ``.png`` of an instance folder."""
    from linkbert.figures.graph import plot_instances
    from linkbert.figures.style import save

    prefix = Path(prefix)
    report = describe_instances(folder, title)
    save(plot_instances(report), prefix)
    write_text(f"{prefix}.md", f"{instances_markdown(report)}\n![instances]({prefix.name}.svg)\n")
    write_json(f"{prefix}.json", report)
