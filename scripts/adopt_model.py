"""Take a released checkpoint as a model of the experiment: its weights as they are, with its tokenizer.

    python scripts/adopt_model.py --hub results/paper/hub/pubmedbert-base \\
        --tokenizer results/paper/tokenizers/pubmedbert --output results/paper/models/pubmedbert-base
"""

import argparse
from pathlib import Path

from linkbert.command import run
from linkbert.downloads.adopt import adopt


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hub", type=Path, required=True, help="the downloaded repository")
    parser.add_argument("--tokenizer", type=Path, required=True, help="the prepared tokenizer")
    parser.add_argument("--output", type=Path, required=True, help="the model's folder")
    options = parser.parse_args(arguments)
    adopt(options.hub, options.tokenizer, options.output)


if __name__ == "__main__":
    run(main)
