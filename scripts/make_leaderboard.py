"""Set a table that others published of these models beside our scores: Markdown, TSV, HTML, JSON.

python scripts/make_leaderboard.py --leaderboard model_card --definition '{"title": "Model card", "layout": "grid"}' \\
    --published config/leaderboards.tsv --tables results/demo/tables/table*.json --output results/demo/tables/model_card
"""

import argparse
import json
from pathlib import Path

from linkbert.command import json_or_file, run
from linkbert.files import write_text
from linkbert.report.boards import build, html, markdown, read_entries, tsv
from linkbert.tables.summary import read_documents


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leaderboard", required=True, metavar="NAME", help="its name in the published numbers")
    parser.add_argument(
        "--definition", type=json_or_file, required=True, help="as in config/report.yaml: JSON or a file"
    )
    parser.add_argument("--published", type=Path, required=True, help="config/leaderboards.tsv")
    parser.add_argument("--tables", type=Path, nargs="+", required=True, metavar="FILE", help="JSON of make_table.py")
    parser.add_argument("--output", type=Path, required=True, metavar="PREFIX", help="for .md .tsv .html .json")
    options = parser.parse_args(arguments)

    entries = read_entries(options.published, options.leaderboard)
    board = build(options.leaderboard, options.definition, entries, read_documents(options.tables))
    printed = {
        "md": markdown(board),
        "tsv": tsv(board),
        "html": html(board),
        "json": json.dumps(board, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    }
    for suffix, text in printed.items():
        write_text(f"{options.output}.{suffix}", text)


if __name__ == "__main__":
    run(main)
