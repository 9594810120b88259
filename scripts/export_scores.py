"""Pack the scores of an experiment into one file that is all that tables, figures and claims are drawn from.

python scripts/export_scores.py --results results/demo --files results/demo/scores/*/* --config config.json \\
    --output demo-scores.zip
"""

import argparse
import logging
from pathlib import Path

from linkbert.command import json_or_file, run
from linkbert.evidence.archive import pack


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, required=True, metavar="FOLDER", help="the experiment's folder")
    parser.add_argument("--files", type=Path, nargs="*", default=[], metavar="FILE", help="below its scores")
    parser.add_argument("--config", type=json_or_file, required=True, help="its configuration: JSON, or a file of it")
    parser.add_argument("--absent", nargs="*", default=[], metavar="FILE", help="scores that are not there yet")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the archive (.zip)")
    options = parser.parse_args(arguments)

    archive = pack(options.output, options.results, options.files, options.config, options.absent)
    logging.info("%s: %d files, %.1f MB", options.output, len(archive.files), options.output.stat().st_size / 1e6)


if __name__ == "__main__":
    run(main)
