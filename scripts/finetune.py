"""Fine-tune one model on a batch of tasks, recipe points and seeds, and write their scores.

Each run writes its predictions under --run-folder when it is finished; runs that are there already are not done again.
With --keep each tuned model stays, as a folder that Hugging Face's classes load and that --model takes in turn.
At SIGUSR1, a scheduler's warning, it ends with status 75 where it has finished any run: start it again and it goes on.

    python scripts/finetune.py --name linkbert-tiny --model results/demo/models/linkbert-tiny --batch blurb \\
        --runs '{"biosses": {"tests": ["biosses"], "recipes": [{"learning_rate": 1e-5, "batch_size": 16, "epochs": 30}],
        "seeds": [0, 1, 2]}}' --tasks results/demo/tasks --run-folder results/demo/runs/linkbert-tiny \\
        --output results/demo/scores/linkbert-tiny/blurb.json
"""

import argparse
import os
import time
from pathlib import Path

from linkbert.cluster import leave_when_warned
from linkbert.command import json_or_file, run


def main(arguments: list[str] | None = None) -> None:
    """Parse arguments and do the batch."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="name of the model in scores and tables")
    parser.add_argument("--model", required=True, type=Path, help="Hugging Face folder of the model")
    parser.add_argument("--batch", required=True, help="name of the batch")
    parser.add_argument(
        "--runs", required=True, type=json_or_file, help="train task -> tests, recipes, seeds; JSON or its file"
    )
    parser.add_argument("--tasks", required=True, type=Path, help="folder of task folders")
    parser.add_argument("--run-folder", required=True, type=Path, help="where each run writes its predictions")
    parser.add_argument("--output", required=True, type=Path, help="the score file")
    parser.add_argument(
        "--keep", type=Path, metavar="FOLDER", help="write each tuned model to FOLDER/<task>-<hash>-seed<seed>"
    )
    parser.add_argument("--threads", type=int, default=None, help="CPU threads (default: all)")
    parser.add_argument(
        "--device", default="auto", choices=("auto", "cpu", "cuda"), help="default: a GPU if there is one"
    )
    options = parser.parse_args(arguments)
    begun = time.time()

    def finished_any() -> bool:
        finished = [*options.run_folder.rglob("*.json.gz")]
        finished += options.keep.glob("[!.]*/meta.json") if options.keep else ()
        return any(path.stat().st_mtime >= begun for path in finished)

    leave_when_warned(finished_any)
    if options.threads:
        # Read once, when the libraries below start their threads.
        os.environ.setdefault("RAYON_NUM_THREADS", str(options.threads))
        os.environ.setdefault("OMP_NUM_THREADS", str(options.threads))
    from linkbert.finetune.runs import run_batch

    run_batch(
        options.name,
        options.model,
        options.batch,
        options.runs,
        options.tasks,
        options.run_folder,
        options.output,
        options.device,
        options.threads,
        keep=options.keep,
    )


if __name__ == "__main__":
    run(main)
