"""Turn one shard of raw input files into documents with links: documents.parquet, redirects.parquet, meta.json.

Example: python scripts/extract_documents.py --format mediawiki \\
    --inputs simplewiki-pages-articles-multistream.xml.bz2 --shard 0 --shards 4 \\
    --options '{"min_characters": 200}' --output results/documents/simplewiki/0
"""

import argparse
import logging
from pathlib import Path

from linkbert.command import json_or_file, run
from linkbert.documents import FORMATS, extract
from linkbert.documents.report import summary


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", required=True, help=f"one of {', '.join(FORMATS)}")
    parser.add_argument("--inputs", type=Path, nargs="+", required=True, help="all files of the corpus, in its order")
    parser.add_argument("--shard", type=int, default=0, help="which part of the corpus to read, from 0")
    parser.add_argument("--shards", type=int, default=1, help="the number of parts")
    parser.add_argument("--options", type=json_or_file, default={}, help="options of the format: JSON or a JSON file")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write")
    options = parser.parse_args(arguments)
    meta = extract(
        options.format,
        options.inputs,
        options.output,
        shard=options.shard,
        shards=options.shards,
        options=options.options,
    )
    logging.info("%s\n%s", options.output, summary([meta]))


if __name__ == "__main__":
    run(main)
