r"""Sample the pretraining instances of a corpus, one file an epoch, or its held-out instances.

Example:
    python scripts/sample_instances.py --tokens results/demo/tokens/wiki/wiki \
        --graph results/demo/graphs/wiki/hyperlink \
        --sampling '{"contiguous": 0.3333, "random": 0.3333, "linked": 0.3333}' --heldout 0.02 \
        --tokenizer results/demo/tokenizers/wiki --output results/demo/instances/wiki/wiki/linked
"""

import argparse
from pathlib import Path

from linkbert.command import json_or_file, run
from linkbert.instances.folder import write_instances
from linkbert.instances.format import Sampling


def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokens", type=Path, required=True)
    parser.add_argument("--graph", type=Path, help="needed for linked instances; keeps linked pairs from random ones")
    parser.add_argument("--sampling", type=json_or_file, help="settings as JSON, or a file of them")
    parser.add_argument("--length", type=int, default=512, help="tokens of an instance with [CLS] and [SEP]s at most")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--heldout", type=float, default=0.0, help="fraction of documents never trained on")
    parser.add_argument("--heldout-only", action="store_true", help="write the held-out instances and no epochs")
    parser.add_argument("--tokenizer", type=Path, required=True, help="to print the first instances as text")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    # Without settings: the paper's thirds where there is a graph, BERT's halves where there is none.
    default = Sampling().three_way(linked=options.graph is not None)
    write_instances(
        options.tokens,
        options.graph,
        default if options.sampling is None else Sampling.from_json(options.sampling),
        options.tokenizer,
        options.output,
        length=options.length,
        seed=options.seed,
        epochs=options.epochs,
        heldout=options.heldout,
        heldout_only=options.heldout_only,
    )
    return None


if __name__ == "__main__":
    run(main)
