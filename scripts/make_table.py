"""Make one table from cached scores: Markdown, CSV, TSV, HTML, LaTeX, and JSON with the provenance of every cell.

python scripts/make_table.py --table squad.json --scores results/demo/scores/*/squad-*.json \\
    --evidence results/demo/scores/*/squad-*.npz --published config/published.tsv --output results/demo/tables/squad
"""

import argparse
import json
import logging
from pathlib import Path

from linkbert.command import json_or_file, run
from linkbert.evidence.record import read_all
from linkbert.files import write_text
from linkbert.tables.cells import build
from linkbert.tables.definition import read_definition
from linkbert.tables.html import html
from linkbert.tables.layout import tally
from linkbert.tables.published import read_published
from linkbert.tables.scores import load_scores
from linkbert.tables.text import csv, latex, markdown, tsv


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", type=json_or_file, required=True, help="the definition: JSON, or a file of it")
    parser.add_argument("--scores", type=Path, nargs="*", default=[], metavar="FILE", help="score files")
    parser.add_argument("--evidence", type=Path, nargs="*", default=[], metavar="FILE", help="of condense_scores.py")
    parser.add_argument("--published", type=Path, required=True, help="the paper's numbers: config/published.tsv")
    parser.add_argument("--missing", type=json_or_file, default={}, help="score file -> [model, task] that want it")
    parser.add_argument("--output", type=Path, required=True, metavar="PREFIX", help="for six files: .md, .csv, ...")
    options = parser.parse_args(arguments)

    definition, published = read_definition(options.table), read_published(options.published)
    document = build(definition, load_scores(options.scores), published, read_all(options.evidence))
    document["missing"] = options.missing
    provenance = f"{options.output.name}.json"
    printed = {
        "md": markdown(document, provenance),
        "csv": csv(document),
        "tsv": tsv(document),
        "html": html(document, provenance),
        "tex": latex(document),
        "json": json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    }
    for suffix, text in printed.items():
        write_text(f"{options.output}.{suffix}", text)
    logging.info("%s: %s", document["table"], tally(document))


if __name__ == "__main__":
    run(main)
