r"""Report sampled instances: mixture, partners before and after the in-degree correction, lengths and fill.

Example:
    python scripts/report_instances.py --instances results/demo/instances/enwiki/bert_uncased/hyperlink \
        --title "enwiki, hyperlink" --output results/demo/reports/instances/enwiki/bert_uncased/hyperlink
"""

import argparse
from pathlib import Path

from linkbert.command import run
from linkbert.instances.report import write_report


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=Path, required=True, help="a folder of sample_instances.py")
    parser.add_argument("--title", default="", help="what the page and the figure are headed with")
    parser.add_argument("--output", type=Path, required=True, metavar="PREFIX", help="for .md .json .svg .png")
    options = parser.parse_args(arguments)
    write_report(options.instances, options.output, options.title)


if __name__ == "__main__":
    run(main)
