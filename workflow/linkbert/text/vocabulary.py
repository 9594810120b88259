"""What pretraining reads from a tokenizer folder."""

from pathlib import Path

import numpy as np

from linkbert.errors import UserError
from linkbert.pretraining.masking import Vocabulary

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
FILES = ("tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json")


def read_vocabulary(folder: str | Path) -> Vocabulary:
    """The vocabulary of a tokenizer folder, from ``vocab.txt`` or else ``tokenizer.json``.

    Raises:
        UserError: where neither is there, or one of BERT's special tokens is missing.
    """
    folder = Path(folder)
    if (folder / "tokenizer.json").exists():
        from tokenizers import Tokenizer

        numbers = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab(with_added_tokens=True)
    elif (folder / "vocab.txt").exists():
        words = (folder / "vocab.txt").read_text(encoding="utf-8").split("\n")
        numbers = {word: number for number, word in enumerate(words[:-1] if not words[-1] else words)}
    else:
        raise UserError(f"{folder}: not a tokenizer folder; it holds neither tokenizer.json nor vocab.txt.")
    missing = [token for token in SPECIAL if token not in numbers]
    if missing:
        raise UserError(f"{folder}: the tokenizer lacks {', '.join(missing)}, which BERT's input needs.")
    size = max(numbers.values()) + 1
    special, continues = np.zeros(size, bool), np.zeros(size, bool)
    special[[numbers[token] for token in SPECIAL]] = True
    continues[[number for word, number in numbers.items() if word.startswith("##")]] = True
    return Vocabulary(size, numbers["[CLS]"], numbers["[SEP]"], numbers["[MASK]"], special, continues)
