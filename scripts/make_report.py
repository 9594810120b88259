"""Make the report: one self-contained page of tables, claims, figures, cases, deviations and provenance.

python scripts/make_report.py --tables results/demo/tables/table*.json --claims results/demo/tables/claims.json \\
    --figures results/demo/figures/*.svg --deviations docs/deviations.md --output results/demo/report.html
"""

import argparse
import logging
from pathlib import Path

from linkbert.command import json_or_file, pair, run
from linkbert.evidence.commit import commit_of
from linkbert.figures.records import read_training
from linkbert.files import read_json, write_text
from linkbert.report.page import Contents, Drawing, headline, report
from linkbert.tables.summary import read_documents

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, nargs="+", required=True, metavar="FILE", help="JSON of make_table.py")
    parser.add_argument("--claims", type=Path, required=True, metavar="FILE", help="JSON of judge_claims.py")
    parser.add_argument("--deviations", type=Path, required=True, metavar="FILE", help="docs/deviations.md")
    parser.add_argument("--figures", type=Path, nargs="*", default=[], metavar="FILE", help="drawings (svg)")
    parser.add_argument("--captions", type=json_or_file, default={}, help="figure -> title and caption, as JSON")
    parser.add_argument("--leaderboards", type=Path, nargs="*", default=[], metavar="FILE", help="JSON")
    parser.add_argument("--cases", type=Path, nargs="*", default=[], metavar="FILE", help="JSON of show_case.py")
    parser.add_argument("--scores", type=Path, nargs="*", default=[], metavar="FILE", help="score files, for the hours")
    parser.add_argument("--training", type=pair, nargs="*", default=[], metavar="NAME=FILE", help="training records")
    parser.add_argument("--lineages", type=Path, nargs="*", default=[], metavar="FILE", help="of record_lineage.py")
    parser.add_argument("--settings", type=json_or_file, default={}, help="the configuration to print, as JSON")
    parser.add_argument("--output", type=Path, required=True, help="report.html")
    options = parser.parse_args(arguments)

    contents = Contents(
        documents=read_documents(options.tables),
        judged=read_json(options.claims)["claims"],
        deviations=options.deviations,
        config=options.settings,
        commit=commit_of(ROOT),
        scores=[read_json(path) for path in options.scores],
        records={name: read_training(path) for name, path in options.training},
        drawings={path.stem: Drawing(path, **options.captions.get(path.stem, {})) for path in options.figures},
        cases=[read_json(path) for path in options.cases],
        lineages=[read_json(path) for path in options.lineages],
        boards=[read_json(path) for path in options.leaderboards],
    )
    write_text(options.output, report(contents))
    logging.info("%s", headline(contents))


if __name__ == "__main__":
    run(main)
