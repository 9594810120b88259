"""Plot a table against the paper: ours with spread, the paper's numbers beside it; svg and png.

python scripts/plot_table.py --table results/demo/tables/table1_mrqa.json --output results/demo/figures/table1_mrqa
"""

import argparse
from pathlib import Path

from linkbert.command import run
from linkbert.figures.comparison import plot_table
from linkbert.figures.style import save
from linkbert.tables.summary import read_documents


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=Path, required=True, metavar="FILE", help="JSON of make_table.py")
    parser.add_argument("--output", type=Path, required=True, metavar="PREFIX", help="for .svg .png")
    options = parser.parse_args(arguments)

    save(plot_table(read_documents([options.table])[0]), options.output)


if __name__ == "__main__":
    run(main)
