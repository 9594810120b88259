"""Make the page of a case study: the question, its documents, and what each model answered; HTML, Markdown, JSON.

python scripts/show_case.py --case first --definition '{"title": "First", "task": "hotpotqa", "example": "test/0"}' \\
    --titles '{"bert-tiny": "BERT tiny"}' --answers results/demo/scores/bert-tiny/cases-*.json \\
    --output results/demo/cases/first
"""

import argparse
from pathlib import Path

from linkbert.cases.page import collect_case, html, markdown
from linkbert.command import json_or_file, run
from linkbert.files import read_json, write_json, write_text


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", required=True, metavar="NAME", help="its name")
    parser.add_argument(
        "--definition", type=json_or_file, required=True, help="as in config/report.yaml: JSON or a file"
    )
    parser.add_argument("--titles", type=json_or_file, required=True, help="model -> how the page calls it")
    parser.add_argument("--note", default="", help="what a reader must know first")
    parser.add_argument("--answers", type=Path, nargs="*", default=[], metavar="FILE", help="JSON of answer_cases.py")
    parser.add_argument("--output", type=Path, required=True, metavar="PREFIX", help="for .html .md .json")
    options = parser.parse_args(arguments)

    answered = [read_json(path) for path in options.answers]
    case = collect_case(options.case, options.definition, answered, options.titles, options.note)
    for suffix, render in ((".md", markdown), (".html", html)):
        write_text(f"{options.output}{suffix}", render(case))
    write_json(f"{options.output}.json", case)


if __name__ == "__main__":
    run(main)
