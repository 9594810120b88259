"""From document folders to a graph folder."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from linkbert.errors import UserError, unknown
from linkbert.files import atomic_folder, meta_fingerprint, write_json, write_meta
from linkbert.graph.csr import Graph
from linkbert.graph.links import link_graph
from linkbert.graph.random import random_graph
from linkbert.graph.report import describe_graph, graph_markdown, most_linked
from linkbert.text.corpus import fingerprints, titles_of

KINDS = ("hyperlink", "citation", "tfidf", "random")


def build_graph(
    links: str,
    documents: Sequence[str | Path],
    output: str | Path,
    *,
    neighbors: int = 5,
    search: Mapping[str, Any] | None = None,
    like: str | Path | None = None,
    seed: int = 0,
    threads: int = 1,
) -> Graph:
    """Build a graph of one of `KINDS` and write it with its report. `like` is the graph that random links imitate.

    `search`: settings of `linkbert.graph.nearest.Search`, for TF-IDF neighbors.
    """
    if links not in KINDS:
        raise unknown("build_graph", "kind of links", links, KINDS)
    inputs: dict[str, Any] = {"documents": fingerprints(documents)}
    parameters: dict[str, Any] = {"links": links}
    counts: dict[str, int] = {}
    dropped: dict[str, int] = {}
    facts: dict[str, Any] = {}
    if links in ("hyperlink", "citation"):
        graph, counts, dropped = link_graph(documents)
    elif links == "tfidf":
        if neighbors < 1:
            raise UserError(f"--neighbors {neighbors}: at least one neighbor is needed.")
        # Imported here: sklearn takes a second to load, and only this kind of graph needs it.
        from linkbert.graph.nearest import Search
        from linkbert.graph.tfidf import tfidf_graph

        how = Search.from_json(search or {})
        graph, facts = tfidf_graph(documents, neighbors, threads, how)
        parameters |= {"neighbors": neighbors, "search": asdict(how)}
    else:
        if like is None:
            raise UserError("random links need --like: the folder of the graph whose out-degrees they take.")
        original = Graph.load(like)
        if (original.meta or {}).get("inputs", {}).get("documents") != inputs["documents"]:
            raise UserError(
                f"{like}: is the graph of other documents. Build it from the same folders in the same order."
            )
        graph, dropped = random_graph(original, seed)
        inputs["like"] = meta_fingerprint(like)
        parameters["seed"] = seed
    report = describe_graph(graph)
    report["most_linked"] = [
        {"title": title, "in_degree": int(graph.in_degree[number])}
        for number, title in titles_of(documents, most_linked(graph)).items()
    ]
    counts = {"documents": report["documents"], "edges": report["edges"]} | counts
    counts |= {name: report[name] for name in ("anchored_edges", "distinct_edges")}
    with atomic_folder(output) as folder:
        graph.save(folder)
        write_json(folder / "report.json", {"links": links, **report, "dropped": dropped, **facts})
        (folder / "report.md").write_text(graph_markdown(links, report, counts, dropped, facts), encoding="utf-8")
        write_meta(folder, "graph", inputs=inputs, parameters=parameters, counts=counts, dropped=dropped, **facts)
    return graph
