"""Take scores from an archive of export_scores.py; every file is checked against the archive's checksums.

python scripts/import_scores.py --archive demo-scores.zip --results results/demo
"""

import argparse
import logging
from pathlib import Path

from linkbert.command import run
from linkbert.evidence.archive import open_archive


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--archive", type=Path, required=True, metavar="FILE", help="the archive (.zip)")
    parser.add_argument("--results", type=Path, required=True, metavar="FOLDER", help="the experiment's folder")
    options = parser.parse_args(arguments)

    archive = open_archive(options.archive)
    # What stands there already is left alone: it may be newer.
    names = [name for name in archive.files if not (options.results / name).exists()]
    archive.extract(names, options.results)
    logging.info("%s: %d of %d files taken", options.archive, len(names), len(archive.files))


if __name__ == "__main__":
    run(main)
