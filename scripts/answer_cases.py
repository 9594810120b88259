"""Look up what a model answered to the questions of the case studies, in the predictions that its runs keep.

python scripts/answer_cases.py --name linkbert-tiny --cases '{"figure3": {"title": "Figure 3", "task": "hotpotqa", \\
    "example": "test/0"}}' --scores results/demo/scores/linkbert-tiny/mrqa-*.json --tasks results/demo/tasks \\
    --run-folder results/demo/runs/linkbert-tiny --output results/demo/scores/linkbert-tiny/cases.json
"""

import argparse
import logging
from pathlib import Path

from linkbert.cases.answers import answer_cases
from linkbert.command import json_or_file, run
from linkbert.files import write_json


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--name", required=True, help="name of the model in its score files")
    parser.add_argument("--cases", type=json_or_file, required=True, help="name -> case, as in config/report.yaml")
    parser.add_argument("--scores", type=Path, nargs="+", required=True, metavar="FILE", help="the model's score files")
    parser.add_argument("--tasks", type=Path, required=True, help="folder of task folders")
    parser.add_argument("--run-folder", type=Path, required=True, help="where the model's runs keep predictions")
    parser.add_argument("--output", type=Path, required=True, help="the answers, as JSON")
    options = parser.parse_args(arguments)

    answered = answer_cases(options.name, options.cases, options.scores, options.tasks, options.run_folder)
    write_json(options.output, answered)
    for case in answered["cases"]:
        right = sum(answer["right"] for answer in case["answers"])
        logging.info("%s: %s", case["case"], case["missing"] or f"{right} of {len(case['answers'])} answers are right")


if __name__ == "__main__":
    run(main)
