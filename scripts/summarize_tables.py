"""Summarize tables: for each, how many cells match the paper, are close, differ, or were not run.

python scripts/summarize_tables.py --tables results/demo/tables/table*.json --output results/demo/tables/README
"""

import argparse
import os
from pathlib import Path

from linkbert.command import run
from linkbert.files import write_json, write_text
from linkbert.tables.summary import html, markdown, read_documents, summarize


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=Path, nargs="+", required=True, metavar="FILE", help="JSON of make_table.py")
    parser.add_argument("--output", type=Path, required=True, metavar="PREFIX", help="for .md .html .json")
    options = parser.parse_args(arguments)

    documents = read_documents(options.tables)
    folder = options.output.parent
    links = {
        suffix: {
            document["table"]: Path(os.path.relpath(path.with_suffix(suffix), folder)).as_posix()
            for document, path in zip(documents, options.tables, strict=True)
        }
        for suffix in (".md", ".html")
    }
    for suffix, render in ((".md", markdown), (".html", html)):
        write_text(f"{options.output}{suffix}", render(summarize(documents, links[suffix])))
    write_json(f"{options.output}.json", summarize(documents))


if __name__ == "__main__":
    run(main)
