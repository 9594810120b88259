"""Keep of each test example what a score needs, so that intervals can be drawn without the predictions.

python scripts/condense_scores.py --scores results/demo/scores/bert-tiny/glue-0123456789ab.json \\
    --runs results/demo/runs/bert-tiny --tasks results/demo/tasks --output bert-tiny-glue.npz
"""

import argparse
from pathlib import Path

from linkbert.command import run

ROOT = Path(__file__).resolve().parent.parent


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scores", type=Path, required=True, metavar="FILE", help="a score file")
    parser.add_argument("--runs", type=Path, required=True, metavar="FOLDER", help="the runs of its model")
    parser.add_argument("--tasks", type=Path, required=True, metavar="FOLDER", help="folder of task folders")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the evidence file (.npz)")
    options = parser.parse_args(arguments)
    # Imported when the arguments are known to be right: it brings torch, which takes seconds.
    from linkbert.evidence.commit import commit_of
    from linkbert.evidence.condense import condense

    condense(options.scores, options.runs, options.tasks, options.output, commit_of(ROOT))


if __name__ == "__main__":
    run(main)
