r"""Print instances as a person reads them: relation, titles, link, text; spread evenly over a file.

Example:
    python scripts/show_instances.py --tokens results/demo/tokens/wiki/wiki --tokenizer results/demo/tokenizers/wiki \
        --instances results/demo/instances/wiki/wiki/linked --number 3
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from linkbert.command import run
from linkbert.graph import Graph
from linkbert.instances.format import describe, load_instances
from linkbert.text.tokenizer import load_tokenizer
from linkbert.text.tokens import load_tokens


def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--instances", type=Path, required=True)
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--graph", type=Path, help="also print which link a linked instance follows")
    parser.add_argument("--number", type=int, default=5)
    parser.add_argument("--epoch", default="0", help="number of an epoch, or heldout")
    options = parser.parse_args(arguments)
    name = f"epoch-{int(options.epoch):03d}" if options.epoch.isdecimal() else options.epoch
    rows = load_instances(options.instances / f"{name}.npy")
    tokens, tokenizer = load_tokens(options.tokens), load_tokenizer(options.tokenizer)
    graph = Graph.load(options.graph) if options.graph else None
    for number in np.unique(np.linspace(0, len(rows) - 1, min(options.number, len(rows))).astype(int)):
        sys.stdout.write(f"instance {number}\n{describe(tokens, rows[number], tokenizer, graph)}\n\n")
    return None


if __name__ == "__main__":
    run(main)
