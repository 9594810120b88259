"""Plot pretraining: masked-token loss, relation accuracy, learning rate, throughput; svg and png.

python scripts/plot_training.py --models results/demo/models/bert-tiny results/demo/models/linkbert-tiny \\
    --output results/demo/figures/training_tiny
"""

import argparse
from pathlib import Path

from linkbert.command import pair, run
from linkbert.figures.records import read_training
from linkbert.figures.style import save
from linkbert.figures.training import plot_training


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, nargs="+", default=[], metavar="FOLDER", help="with a training.json")
    parser.add_argument("--training", type=pair, nargs="+", default=[], metavar="NAME=FILE", help="training records")
    parser.add_argument("--output", type=Path, required=True, metavar="PREFIX", help="for .svg .png")
    options = parser.parse_args(arguments)

    paths = {folder.name: folder / "training.json" for folder in options.models} | dict(options.training)
    save(plot_training({name: read_training(path) for name, path in paths.items()}), options.output)


if __name__ == "__main__":
    run(main)
