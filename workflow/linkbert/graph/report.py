"""What a graph looks like, for people (report.md) and for programs (report.json)."""

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from linkbert.graph.csr import Graph


def describe_graph(graph: Graph, titles: list[str], top: int = 10) -> dict[str, Any]:
    """Counts, degree histograms (distinct documents), the most linked documents, connected components."""
    documents = len(graph)
    pairs = graph.pairs
    out_degree = np.bincount(pairs // documents, minlength=documents) if documents else np.zeros(0, np.int64)
    matrix = sparse.csr_matrix(
        (np.ones(len(pairs), np.int8), pairs % max(documents, 1), np.concatenate([[0], np.cumsum(out_degree)])),
        shape=(documents, documents),
    )
    components, label = connected_components(matrix, directed=True, connection="weak")
    highest = np.lexsort((np.arange(documents), -np.asarray(graph.in_degree)))[:top]
    return {
        "documents": documents,
        "edges": len(graph.indices),
        "anchored_edges": int((np.asarray(graph.link) >= 0).sum()),
        "distinct_edges": len(pairs),
        "share_with_a_link": _share(out_degree > 0),
        "share_linked_to": _share(np.asarray(graph.in_degree) > 0),
        "mean_degree": round(len(pairs) / documents, 4) if documents else 0.0,
        "out_degree": _histogram(out_degree),
        "in_degree": _histogram(np.asarray(graph.in_degree)),
        "most_linked": [{"title": titles[i], "in_degree": int(graph.in_degree[i])} for i in highest],
        "components": int(components),
        "share_in_largest_component": round(float(np.bincount(label).max() / documents), 6) if documents else 0.0,
    }


def graph_markdown(kind: str, report: dict[str, Any], dropped: dict[str, int]) -> str:
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
    if dropped:
        lines += [
            "",
            "Dropped: " + ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in dropped.items()) + ".",
        ]
    lines += ["", "| degree | documents by out-degree | documents by in-degree |", "|---|---|---|"]
    for degree in dict.fromkeys([*report["in_degree"], *report["out_degree"]]):
        row = (report[name].get(degree, 0) for name in ("out_degree", "in_degree"))
        lines.append(f"| {degree} | " + " | ".join(f"{count:,}" for count in row) + " |")
    lines += ["", "| most linked document | in-degree |", "|---|---|"]
    for entry in report["most_linked"]:
        lines.append(f"| {entry['title'].replace('|', '&#124;')} | {entry['in_degree']:,} |")
    return "\n".join(lines) + "\n"


def _histogram(degree: np.ndarray) -> dict[str, int]:
    """Documents by degree: 0, 1, 2-3, 4-7, ... Empty classes in between are kept, so the shape can be seen."""
    if not len(degree):
        return {}
    exponent = np.where(degree > 0, np.floor(np.log2(np.maximum(degree, 1))) + 1, 0).astype(int)
    names = ["0", "1", *(f"{2**e}-{2 ** (e + 1) - 1}" for e in range(1, exponent.max()))]
    return dict(zip(names, np.bincount(exponent, minlength=len(names)).tolist(), strict=True))


def _share(flags: np.ndarray) -> float:
    return round(float(flags.mean()), 6) if len(flags) else 0.0
