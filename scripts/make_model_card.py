"""Make a trained model ready for the Hub: its weights and tokenizer with a card of data, recipe, results and limits.

python scripts/make_model_card.py --model results/demo/models/bert-tiny --card card.json \\
    --scores results/demo/scores/bert-tiny/all-0123456789ab.json --lineage lineage.json --output cards/bert-tiny
"""

import argparse
from pathlib import Path

from linkbert.cards.card import make_card
from linkbert.command import json_or_file, run
from linkbert.files import read_json


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, metavar="FOLDER", help="the trained model")
    parser.add_argument("--card", type=json_or_file, required=True, help="what is declared: JSON, or a file of it")
    parser.add_argument("--scores", type=Path, nargs="*", default=[], metavar="FILE", help="its score files")
    parser.add_argument("--lineage", type=Path, required=True, metavar="FILE", help="of record_lineage.py")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="the folder to publish")
    options = parser.parse_args(arguments)
    make_card(options.model, options.card, options.scores, read_json(options.lineage), options.output)


if __name__ == "__main__":
    run(main)
