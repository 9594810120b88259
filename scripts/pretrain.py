"""Pretrain a model on instances and write its Hugging Face folder; run again after any end, it continues.

    python scripts/pretrain.py --name linkbert-tiny --recipe recipe.json --tokenizer tokenizers/bert_uncased \\
        --sources tokens/enwiki=instances/enwiki --evaluation tokens/enwiki=heldout/enwiki \\
        --checkpoints checkpoints/linkbert-tiny --output models/linkbert-tiny

Under `torchrun --nproc-per-node 8 scripts/pretrain.py …` it trains on 8 devices. Status 75: stopped by SIGTERM or
SIGUSR1 with its state saved, or before it began; run it again.
"""

import argparse
import signal
from pathlib import Path

from linkbert.cluster import leave_before_it_begins
from linkbert.command import json_or_file, pair, run


def main(arguments: list[str] | None = None) -> int | None:
    """Parse the arguments and pretrain."""
    leave_before_it_begins(signal.SIGTERM, signal.SIGUSR1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="name of the model")
    parser.add_argument("--recipe", type=json_or_file, required=True, help="JSON, or the path of a JSON file")
    parser.add_argument("--tokenizer", type=Path, required=True, help="tokenizer folder")
    parser.add_argument("--sources", type=pair, nargs="+", required=True, help="TOKENS=INSTANCES folders")
    parser.add_argument("--evaluation", type=pair, nargs="*", default=[], help="TOKENS=HELDOUT folders")
    parser.add_argument("--init", type=Path, help="Hugging Face folder of the BERT to continue")
    parser.add_argument("--checkpoints", type=Path, required=True, help="folder of this run's checkpoints")
    parser.add_argument("--output", type=Path, required=True, help="model folder to write")
    parser.add_argument("--threads", type=int, help="CPU threads of each process (default: OMP_NUM_THREADS)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    options = parser.parse_args(arguments)

    from linkbert.pretraining.recipe import Recipe
    from linkbert.pretraining.run import Paths, pretrain

    def folders(pairs: list[tuple[str, Path]]) -> list[tuple[Path, Path]]:
        return [(Path(first), second) for first, second in pairs]

    paths = Paths(
        options.tokenizer,
        folders(options.sources),
        folders(options.evaluation),
        options.init,
        options.checkpoints,
        options.output,
    )
    return pretrain(options.name, Recipe.parse(options.recipe), paths, options.threads, options.device)


if __name__ == "__main__":
    run(main)
