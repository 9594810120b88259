r"""Look for test examples in a corpus (runs of words, titles), and for documents that it holds twice.

Example:
    python scripts/check_overlap.py --documents results/demo/documents/enwiki/* \
        --tasks results/demo/tasks/squad results/demo/tasks/hotpotqa --heldout 0.1 \
        --output results/demo/reports/overlap/enwiki
"""

import argparse
from pathlib import Path

from linkbert.command import run
from linkbert.text.overlap import RUN, SIMILARITY, check_overlap


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=Path, nargs="+", required=True, help="document folders, in corpus order")
    parser.add_argument("--tasks", type=Path, nargs="*", default=[], help="folders, whose test examples are sought")
    parser.add_argument("--heldout", type=float, default=0.0, help="fraction of documents never trained on")
    parser.add_argument("--seed", type=int, default=0, help="of the held-out documents")
    parser.add_argument("--words", type=int, default=RUN, help=f"in a run (default {RUN})")
    parser.add_argument("--similarity", type=float, default=SIMILARITY, help="of near-duplicates, from 0 to 1")
    parser.add_argument("--output", type=Path, required=True, metavar="PREFIX", help="for .md .json")
    options = parser.parse_args(arguments)
    check_overlap(
        options.documents,
        options.tasks,
        options.output,
        heldout=options.heldout,
        seed=options.seed,
        size=options.words,
        similarity=options.similarity,
    )


if __name__ == "__main__":
    run(main)
