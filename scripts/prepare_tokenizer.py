r"""Bring a released tokenizer into a full Hugging Face folder, or train WordPiece on documents.

Example:
    python scripts/prepare_tokenizer.py --documents results/demo/documents/wiki/0 \
        --vocab-size 4000 --lowercase --output results/demo/tokenizers/wiki
"""

import argparse
from pathlib import Path

from linkbert.command import run
from linkbert.errors import UserError
from linkbert.text.corpus import fingerprints
from linkbert.text.tokenizer import CorpusTexts, prepare_tokenizer, train_tokenizer


def main(arguments: list[str] | None = None) -> int | None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    origin = parser.add_mutually_exclusive_group(required=True)
    origin.add_argument("--source", type=Path, help="folder of a released tokenizer (tokenizer.json or vocab.txt)")
    origin.add_argument("--documents", type=Path, nargs="+", help="document folders to train on")
    parser.add_argument("--vocab-size", type=int, help="number of wordpieces to train")
    parser.add_argument("--lowercase", action="store_true", help="train an uncased tokenizer")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    if options.source:
        prepare_tokenizer(options.source, options.output)
        return None
    if not options.vocab_size:
        raise UserError("--documents needs --vocab-size: the number of wordpieces to train, for example 30522.")
    inputs = {"documents": fingerprints(options.documents)}
    train_tokenizer(CorpusTexts(options.documents), options.vocab_size, options.lowercase, options.output, inputs)
    return None


if __name__ == "__main__":
    run(main)
