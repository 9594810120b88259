"""Document graphs (docs/design.md, "graph"): hyperlinks and citations, TF-IDF neighbors, random links."""

from linkbert.graph.csr import Graph

__all__ = ["Graph"]
