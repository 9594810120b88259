"""Read one task from its publisher's files and write it as JSON Lines: {train,dev,test}.jsonl.gz and meta.json.

Example:
    python scripts/prepare_task.py --task rte --reader glue_rte --files archive=downloads/RTE.zip \\
        --kind classification --metric accuracy --options '{"limit": {"train": 500}}' --output results/tasks/rte
"""

import argparse
import logging
from pathlib import Path

from linkbert.command import json_or_file, pair, run
from linkbert.tasks.prepare import prepare


def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", required=True, help="the name of the task")
    parser.add_argument("--reader", required=True, help="the reader of the publisher's format")
    parser.add_argument("--files", nargs="+", type=pair, required=True, metavar="ROLE=PATH", help="its files")
    parser.add_argument("--kind", default="", help="the kind of task it is declared as (default: what the reader says)")
    parser.add_argument("--metric", default="", help="the metric it is scored with (default: the reader's own)")
    parser.add_argument("--options", type=json_or_file, default={}, help="options of the reader, JSON")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, required=True, help="the folder to write")
    args = parser.parse_args(arguments)
    files = dict(args.files)
    meta = prepare(args.task, args.reader, files, args.options, args.seed, args.output, args.kind, args.metric)
    counts = ", ".join(f"{name} {number:,}" for name, number in meta["counts"].items())
    logging.getLogger(__name__).info("%s (%s): %s", args.task, meta["kind"], counts)


if __name__ == "__main__":
    run(main)
