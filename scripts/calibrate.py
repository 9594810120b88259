"""Measure what this machine sustains, in about a minute, so that scripts/plan.py prints its hours and not assumed ones.

    python scripts/calibrate.py
    python scripts/calibrate.py --sizes tiny --seconds 5 --configfile config/demo.yaml

The pretraining and fine-tuning loops run on made-up text for some seconds each at every size of model.
"""

import argparse
import tempfile
from pathlib import Path

from linkbert.command import run
from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.errors import unknown

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", metavar="SIZE", help="of the configuration (default: all)")
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement (default: 10)")
    parser.add_argument("--words", type=int, default=30522, help="of the vocabulary (default: 30522)")
    parser.add_argument("--configfile", type=Path, nargs="+", default=[], help="as given to Snakemake")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--threads", type=int, help="CPU threads (default: all)")
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "calibration.json", metavar="FILE")
    options = parser.parse_args(arguments)
    if not options.seconds > 0 or options.words < 2000:
        parser.error("--seconds must be above 0, and --words not below 2000")

    config = load_configuration([*(ROOT / name for name in CONFIGURATION), *options.configfile])
    sizes = config["sizes"]
    for size in options.sizes or sizes:
        if size not in sizes:
            raise unknown("calibrate", "size", size, sizes)
    chosen = {size: sizes[size] for size in options.sizes or sizes}
    # Imported when the arguments are known to be right: it brings torch, which takes seconds.
    from linkbert.planning.calibration import calibrate

    with tempfile.TemporaryDirectory() as folder:
        calibrate(
            *(chosen, options.words, config["instances"]["length"], Path(folder), options.output),
            *(options.seconds, options.device, options.threads),
        )


if __name__ == "__main__":
    run(main)
