"""Plot a figure across tables: few-shot curves, ablation bars, robustness to distractors; svg and png.

python scripts/plot_analysis.py --figure drp --definition '{"kind": "ablation", "title": "Without DRP", \\
    "tables": ["table6_drp"], "reference": "linkbert-base", "models": ["linkbert-base-nodrp"], "tasks": ["squad"]}' \\
    --tables results/demo/tables/table6_drp.json --output results/demo/figures/drp
"""

import argparse
from pathlib import Path

from linkbert.command import json_or_file, run
from linkbert.figures.analysis import plot_analysis
from linkbert.figures.style import save
from linkbert.tables.summary import read_documents


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figure", required=True, metavar="NAME", help="its name, for messages")
    parser.add_argument(
        "--definition", type=json_or_file, required=True, help="as in config/report.yaml: JSON or a file"
    )
    parser.add_argument("--tables", type=Path, nargs="+", required=True, metavar="FILE", help="JSON of make_table.py")
    parser.add_argument("--output", type=Path, required=True, metavar="PREFIX", help="for .svg .png")
    options = parser.parse_args(arguments)

    save(plot_analysis(options.figure, options.definition, read_documents(options.tables)), options.output)


if __name__ == "__main__":
    run(main)
