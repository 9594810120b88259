"""Account for every page and every link of extracted documents: kept, or dropped for which reason.

Example: python scripts/report_links.py --documents results/documents/simplewiki/*/ --output links.txt
"""

import argparse
from pathlib import Path

from linkbert.command import run
from linkbert.documents.report import summary, total, unaccounted
from linkbert.files import read_meta, write_text


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=Path, nargs="+", required=True, help="folders of extract_documents.py")
    parser.add_argument("--output", type=Path, help="write the report here too")
    options = parser.parse_args(arguments)
    metas = [read_meta(folder, "documents") for folder in options.documents]
    text = summary(metas)
    print(text)
    if options.output:
        write_text(options.output, text + "\n")
    return 1 if any(unaccounted(total(metas)).values()) else 0


if __name__ == "__main__":
    run(main)
