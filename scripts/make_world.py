"""Make the demo's invented world: a mirror of every download, in the publishers' formats, from a seed.

Example: python scripts/make_world.py --seed 0 --scale small --output results/demo/world
"""

import argparse
from pathlib import Path

from linkbert.command import json_or_file, run
from linkbert.world.facts import SCALES
from linkbert.world.generate import make_world
from linkbert.world.hub import sizes_from


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="the folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", choices=sorted(SCALES), default="small", help="tiny is for tests")
    parser.add_argument("--sizes", type=json_or_file, default={}, help="shapes of the checkpoints 'base' and 'large'")
    options = parser.parse_args(arguments)
    make_world(options.output, options.seed, options.scale, sizes_from(options.sizes))


if __name__ == "__main__":
    run(main)
