r"""Turn document folders into flat arrays of wordpieces, sentences, documents and link positions.

Example:
    python scripts/tokenize_documents.py --documents results/demo/documents/wiki/0 \
        --tokenizer results/demo/tokenizers/wiki --threads 2 --output results/demo/tokens/wiki/wiki
"""

import argparse
from pathlib import Path

from linkbert.command import run
from linkbert.text.tokenizing import tokenize_documents


def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=Path, nargs="+", required=True, help="document folders, in corpus order")
    parser.add_argument("--tokenizer", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    tokenize_documents(options.documents, options.tokenizer, options.output, options.threads)
    return None


if __name__ == "__main__":
    run(main)
