"""What a graph looks like, for people (a page and a figure) and for programs (report.json)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from linkbert.files import read_json, read_meta, write_json, write_text
from linkbert.graph.csr import Graph

_REASONS = {
    "unresolved": "no document of this name (red links, pages that were not kept)",
    "redirect_loop": "redirects in a loop",
    "self_link": "links of a document to itself",
    "duplicate": "the same link twice at one place",
    "no_document_left": "no other document to link to",
}


def describe_graph(graph: Graph) -> dict[str, Any]:
    """Counts, degree histograms (distinct documents), connected components."""
    documents = len(graph)
    pairs = graph.pairs
    out_degree = distinct_out_degree(graph)
    matrix = sparse.csr_matrix(
        (np.ones(len(pairs), np.int8), pairs % max(documents, 1), np.concatenate([[0], np.cumsum(out_degree)])),
        shape=(documents, documents),
    )
    components, label = connected_components(matrix, directed=True, connection="weak")
    return {
        "documents": documents,
        "edges": len(graph.indices),
        "anchored_edges": int((np.asarray(graph.link) >= 0).sum()),
        "distinct_edges": len(pairs),
        "share_with_a_link": _share(out_degree > 0),
        "share_linked_to": _share(np.asarray(graph.in_degree) > 0),
        "mean_degree": round(len(pairs) / documents, 4) if documents else 0.0,
        "out_degree": histogram(out_degree),
        "in_degree": histogram(np.asarray(graph.in_degree)),
        "components": int(components),
        "share_in_largest_component": round(float(np.bincount(label).max() / documents), 6) if documents else 0.0,
    }


def most_linked(graph: Graph, top: int = 10) -> list[int]:
    """The documents of highest in-degree; of equal ones the first."""
    return np.lexsort((np.arange(len(graph)), -np.asarray(graph.in_degree)))[:top].tolist()


def distinct_out_degree(graph: Graph) -> np.ndarray:
    """int64 [D]: to how many documents each one links."""
    return np.bincount(graph.pairs // len(graph), minlength=len(graph)) if len(graph) else np.zeros(0, np.int64)


def graph_markdown(
    kind: str,
    report: Mapping[str, Any],
    counts: Mapping[str, int],
    dropped: Mapping[str, int],
    facts: Mapping[str, Any] | None = None,
) -> str:
    """The report as a page."""
    lines = [
        f"# Graph: {kind}",
        "",
        f"{report['documents']:,} documents, {report['edges']:,} edges ({report['distinct_edges']:,} distinct, "
        f"{report['anchored_edges']:,} with a place in the text), "
        f"{report['mean_degree']:.2f} distinct edges a document.",
        f"{report['share_with_a_link']:.1%} of the documents link to another, "
        f"{report['share_linked_to']:.1%} are linked "
        f"to. {report['components']:,} connected components; the largest holds "
        f"{report['share_in_largest_component']:.1%} of the documents.",
    ]
    lines += _resolution(report["edges"], counts, dropped)
    if facts:
        shown = (
            facts["search"]
            if isinstance(facts["search"], str)
            else ", ".join(f"{value:g} {name}" for name, value in facts["search"].items() if name != "exact")
        )
        lines += [
            "",
            f"Neighbors: {shown}; recall {facts['recall']:.1%}, mean cosine {facts['mean_cosine']:.3f}.",
        ]
    lines += ["", "| degree | documents by out-degree | documents by in-degree |", "|---|---:|---:|"]
    for degree in dict.fromkeys([*report["in_degree"], *report["out_degree"]]):
        row = (report[name].get(degree, 0) for name in ("out_degree", "in_degree"))
        lines.append(f"| {degree} | " + " | ".join(f"{count:,}" for count in row) + " |")
    lines += ["", "| most linked document | in-degree |", "|---|---:|"]
    for entry in report["most_linked"]:
        lines.append(f"| {entry['title'].replace('|', '&#124;')} | {entry['in_degree']:,} |")
    return "\n".join(lines) + "\n"


def _resolution(edges: int, counts: Mapping[str, int], dropped: Mapping[str, int]) -> list[str]:
    """Where the links of the documents went."""
    if not dropped:
        return []
    total = edges + sum(dropped.values())
    rows = [("edges", edges), *((_REASONS.get(name, name), number) for name, number in dropped.items())]
    lines = ["", "| links | number | share |", "|---|---:|---:|", f"| all | {total:,} | |"]
    lines += [f"| {name} | {number:,} | {number / max(total, 1):.1%} |" for name, number in rows]
    if "redirects" in counts:
        broken = counts["unresolved_redirects"] + counts["redirects_in_loops"]
        lines += ["", f"{counts['redirects']:,} redirects, {broken:,} of which lead to no document."]
    return lines


def write_report(folder: str | Path, prefix: str | Path) -> None:
    """Write ``prefix.md``, ``.json``, ``.svg`` and ``.png`` of a graph folder."""
    from linkbert.figures.graph import plot_graph
    from linkbert.figures.style import save

    prefix = Path(prefix)
    graph, meta = Graph.load(folder), read_meta(folder, "graph")
    report = read_json(Path(folder) / "report.json")
    degrees = {"in": np.asarray(graph.in_degree), "out": distinct_out_degree(graph)}
    facts = {name: report[name] for name in ("search", "recall", "mean_cosine") if name in report}
    page = graph_markdown(report["links"], report, meta["counts"], report["dropped"], facts)
    save(plot_graph(report, degrees), prefix)
    write_text(f"{prefix}.md", f"{page}\n![degrees]({prefix.name}.svg)\n")
    write_json(f"{prefix}.json", {**report, "counts": meta["counts"], "parameters": meta["parameters"]})


def histogram(degree: np.ndarray) -> dict[str, int]:
    """Documents by degree: 0, 1, 2-3, 4-7, ... Empty classes in between are kept, so the shape can be seen."""
    if not len(degree):
        return {}
    exponent = np.where(degree > 0, np.floor(np.log2(np.maximum(degree, 1))) + 1, 0).astype(int)
    names = ["0", "1", *(f"{2**e}-{2 ** (e + 1) - 1}" for e in range(1, exponent.max()))]
    return dict(zip(names, np.bincount(exponent, minlength=len(names)).tolist(), strict=True))


def _share(flags: np.ndarray) -> float:
    return round(float(flags.mean()), 6) if len(flags) else 0.0
