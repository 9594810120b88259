"""Judge the paper's claims on our tables: holds, does not hold, or not enough data, with the numbers.

python scripts/judge_claims.py --claims config/claims.yaml --tables results/demo/tables/table*.json \\
    --evidence results/demo/scores/*/*.npz --output results/demo/tables/claims
"""

import argparse
import logging
from pathlib import Path

from linkbert.command import run
from linkbert.evidence.record import read_all
from linkbert.files import write_json, write_text
from linkbert.tables.claims import judge_claims, read_claims
from linkbert.tables.claims_page import counts, html, markdown
from linkbert.tables.summary import read_documents


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--claims", type=Path, required=True, help="config/claims.yaml")
    parser.add_argument("--tables", type=Path, nargs="+", required=True, metavar="FILE", help="JSON of make_table.py")
    parser.add_argument("--evidence", type=Path, nargs="*", default=[], metavar="FILE", help="of condense_scores.py")
    parser.add_argument("--output", type=Path, required=True, metavar="PREFIX", help="for .md .html .json")
    options = parser.parse_args(arguments)

    judged = judge_claims(read_claims(options.claims), read_documents(options.tables), read_all(options.evidence))
    for suffix, render in ((".md", markdown), (".html", html)):
        write_text(f"{options.output}{suffix}", render(judged))
    write_json(f"{options.output}.json", {"counts": counts(judged), "claims": judged})
    logging.info("%s", ", ".join(f"{count} {verdict}" for verdict, count in counts(judged).items()))


if __name__ == "__main__":
    run(main)
