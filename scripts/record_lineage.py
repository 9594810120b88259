"""Record where a model comes from: what every folder between the downloads and its weights says of itself.

python scripts/record_lineage.py --model linkbert-tiny --results results/demo \\
    --folders models/linkbert-tiny instances/enwiki/bert_uncased/hyperlink --output lineage.json
"""

import argparse
from pathlib import Path

from linkbert.command import run
from linkbert.evidence.commit import commit_of
from linkbert.evidence.lineage import record

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, help="its name")
    parser.add_argument("--results", type=Path, required=True, metavar="FOLDER", help="the experiment's folder")
    parser.add_argument("--folders", nargs="+", required=True, metavar="FOLDER", help="nearest first, below --results")
    parser.add_argument("--downloads", nargs="*", default=[], metavar="FILE", help="that several shards share")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the lineage (.json)")
    options = parser.parse_args(arguments)
    commit = commit_of(ROOT)
    record(options.model, options.results, options.folders, options.output, commit, options.downloads)


if __name__ == "__main__":
    run(main)
