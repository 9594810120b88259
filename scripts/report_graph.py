r"""Report a graph: where its links went, degrees, components, hubs; as a page, JSON and a figure.

Example:
    python scripts/report_graph.py --graph results/demo/graphs/enwiki/hyperlink \
        --output results/demo/reports/graphs/enwiki/hyperlink
"""

import argparse
from pathlib import Path

from linkbert.command import run
from linkbert.graph.report import write_report


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graph", type=Path, required=True, help="a folder of build_graph.py")
    parser.add_argument("--output", type=Path, required=True, metavar="PREFIX", help="for .md .json .svg .png")
    options = parser.parse_args(arguments)
    write_report(options.graph, options.output)


if __name__ == "__main__":
    run(main)
