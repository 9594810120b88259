r"""Build the graph of a corpus: its own links, its nearest neighbors by TF-IDF, or random links.

Example:
    python scripts/build_graph.py --links hyperlink --documents results/demo/documents/wiki/0 \
        --output results/demo/graphs/wiki/hyperlink
"""

import argparse
from pathlib import Path

from linkbert.command import json_or_file, run
from linkbert.graph.build import KINDS, build_graph


def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--links", choices=KINDS, required=True)
    parser.add_argument("--documents", type=Path, nargs="+", required=True, help="document folders, in corpus order")
    parser.add_argument(
        "--neighbors", type=int, default=5, help="tfidf: edges of each document (default 5, the paper's)"
    )
    parser.add_argument("--search", type=json_or_file, help="tfidf: settings of the search as JSON, or a file of them")
    parser.add_argument("--like", type=Path, help="random: the graph whose out-degrees are taken")
    parser.add_argument("--seed", type=int, default=0, help="random: seed of the targets")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    build_graph(
        options.links,
        options.documents,
        options.output,
        neighbors=options.neighbors,
        search=options.search,
        like=options.like,
        seed=options.seed,
        threads=options.threads,
    )
    return None


if __name__ == "__main__":
    run(main)
