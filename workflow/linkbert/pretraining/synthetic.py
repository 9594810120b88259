"""Corpora of made-up words for benchmarks and tests of pretraining: every folder it reads, in seconds."""

from pathlib import Path

import numpy as np

from linkbert.files import atomic_folder, write_json, write_meta
from linkbert.rng import generator
from linkbert.text.vocabulary import SPECIAL

INSTANCE = np.dtype(
    [("a_start", "<i8"), ("a_length", "<i4"), ("b_start", "<i8"), ("b_length", "<i4"), ("relation", "i1")]
)


def write_tokenizer(folder: Path, words: int) -> None:
    """A WordPiece tokenizer of `words` words, a quarter of them continuations."""
    from tokenizers import BertWordPieceTokenizer

    plain = words - len(SPECIAL)
    vocabulary = [*SPECIAL, *(f"##w{n}" if n % 4 == 3 else f"w{n}" for n in range(plain))]
    with atomic_folder(folder) as temporary:
        (temporary / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
        BertWordPieceTokenizer(str(temporary / "vocab.txt"), lowercase=True).save(str(temporary / "tokenizer.json"))
        write_json(temporary / "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "do_lower_case": True})
        write_meta(temporary, "tokenizer", counts={"words": words})


def write_tokens(folder: Path, words: int, tokens: int, seed: int = 0) -> None:
    """Tokens whose frequencies fall as in text, and where each word narrows down the next."""
    draws = generator(seed, "synthetic", "tokens")
    fresh = np.exp(draws.random(tokens) * np.log(words - len(SPECIAL))).astype(np.int64) - 1
    # Half of the words follow from the one before, so that there is something to learn.
    follows = draws.random(tokens) < 0.5
    follows[0] = False
    last = np.maximum.accumulate(np.where(follows, 0, np.arange(tokens)))
    distance = np.arange(tokens) - last
    flat = (fresh[last] * 31**0 + distance * 17) % (words - len(SPECIAL)) + len(SPECIAL)
    with atomic_folder(folder) as temporary:
        np.save(temporary / "tokens.npy", flat.astype(np.uint16 if words <= 65_535 else np.uint32))
        write_meta(temporary, "tokens", counts={"tokens": tokens}, parameters={"seed": seed})


def sample_instances(count: int, tokens: int, length: int, relations: int, seed: int, full: float = 0.9) -> np.ndarray:
    """Instances of at most `length` tokens with [CLS] and [SEP]; the share `full` of them are that long."""
    draws = generator(seed, "synthetic", "instances")
    room = np.where(draws.random(count) < full, length, draws.integers(min(16, length), length + 1, count)) - 3
    rows = np.zeros(count, INSTANCE)
    rows["a_length"] = np.maximum(room * draws.uniform(0.3, 0.7, count), 1).astype(np.int32)
    rows["b_length"] = room - rows["a_length"]
    rows["a_start"] = draws.integers(0, tokens - 2 * length, count)
    rows["relation"] = draws.integers(0, relations, count)
    elsewhere = draws.integers(0, tokens - length, count)
    rows["b_start"] = np.where(rows["relation"] == 0, rows["a_start"] + rows["a_length"], elsewhere)
    return rows


def write_instances(
    folder: Path,
    counts: list[int],
    tokens: int,
    length: int,
    relations: int = 3,
    seed: int = 0,
    full: float = 0.9,
    heldout: int = 0,
) -> None:
    """One epoch file for each of `counts`, and `heldout.npy` where wanted."""
    with atomic_folder(folder) as temporary:
        for number, count in enumerate(counts):
            rows = sample_instances(count, tokens, length, relations, seed + number, full)
            np.save(temporary / f"epoch-{number:03d}.npy", rows)
        if heldout:
            np.save(temporary / "heldout.npy", sample_instances(heldout, tokens, length, relations, seed - 1, full))
        parameters = {"seed": seed, "length": length, "counts": counts, "relations": relations}
        write_meta(temporary, "instances", parameters=parameters)
