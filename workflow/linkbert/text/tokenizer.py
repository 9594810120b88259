"""WordPiece tokenizers as Hugging Face folders: released ones brought into one form, new ones trained."""

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from linkbert.errors import UserError
from linkbert.files import atomic_folder, read_json, read_meta, sha256_of, write_json, write_meta

log = logging.getLogger(__name__)

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_ROLES = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
_MAX_LENGTH = 512  # positions of BERT; some released folders state none, which later code reads as 1e30
_ALPHABET = 1000


def load_tokenizer(folder: str | Path) -> Tokenizer:
    """The tokenizer of a folder, with truncation and padding switched off."""
    path = Path(folder) / "tokenizer.json"
    if not path.exists():
        raise UserError(f"{folder}: holds no tokenizer.json. Make the folder with scripts/prepare_tokenizer.py.")
    tokenizer = _read_tokenizer(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def word_piece(vocabulary: dict[str, int], lowercase: bool) -> Tokenizer:
    """BERT's tokenizer over a vocabulary (Devlin et al., 2019): clean, split at punctuation, longest match first."""
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0",
        pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")],
    )
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    return tokenizer


def prepare_tokenizer(source: str | Path, output: str | Path) -> Tokenizer:
    """Copy a released tokenizer into a full Hugging Face folder, whichever of its files the release holds.

    ``tokenizer.json`` is taken as it is, except that ``do_lower_case`` of ``tokenizer_config.json`` wins over it, as
    in Hugging Face; from ``vocab.txt`` alone the tokenizer is BERT's, cased if the vocabulary knows capital letters.
    """
    source = Path(source)
    config_path = source / "tokenizer_config.json"
    config = read_json(config_path) if config_path.exists() else {}
    whole, vocabulary_path = source / "tokenizer.json", source / "vocab.txt"
    if whole.exists():
        tokenizer, origin = _read_tokenizer(whole), whole
        _check_special_tokens(tokenizer.get_vocab(), origin)
        if "do_lower_case" in config and isinstance(tokenizer.normalizer, normalizers.BertNormalizer):
            tokenizer.normalizer = normalizers.BertNormalizer(
                lowercase=bool(config["do_lower_case"]), strip_accents=config.get("strip_accents")
            )
    elif vocabulary_path.exists():
        vocabulary, origin = _read_vocabulary(vocabulary_path), vocabulary_path
        _check_special_tokens(vocabulary, origin)
        cased = any(word != word.lower() and word not in SPECIAL_TOKENS for word in vocabulary)
        tokenizer = word_piece(vocabulary, bool(config.get("do_lower_case", not cased)))
    else:
        found = ", ".join(sorted(p.name for p in source.iterdir())) if source.is_dir() else "no such folder"
        raise UserError(f"{source}: neither tokenizer.json nor vocab.txt (found: {found}). Name a tokenizer's folder.")
    inputs = {p.name: sha256_of(p) for p in (origin, config_path) if p.exists()}
    _write(tokenizer, output, int(config.get("model_max_length", _MAX_LENGTH)), inputs, {"kind": "released"})
    return tokenizer


def train_tokenizer(
    documents: Iterable[str], vocabulary_size: int, lowercase: bool, output: str | Path, inputs: dict[str, Any]
) -> Tokenizer:
    """Train WordPiece on texts, as BERT's trainer does: pairs merged by count, the 1,000 commonest characters kept.

    `documents` is iterated twice, so pass a collection or a restartable stream. The same texts give the same bytes:
    the library's own order of characters follows a randomly seeded hash table, so the alphabet is fixed beforehand.
    """
    if vocabulary_size < 100:
        raise UserError(f"a vocabulary of {vocabulary_size} is too small: ask for at least 100.")
    normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    # A small vocabulary must not be filled by rare characters: each costs up to two entries.
    alphabet = _alphabet(documents, normalizer, min(_ALPHABET, vocabulary_size // 8))
    if not alphabet:
        raise UserError("the documents hold no text to train a tokenizer on.")
    inner = [f"##{c}" for c in alphabet if len(pre_tokenizer.pre_tokenize_str(f"a{c}")) == 1]
    fixed = [*SPECIAL_TOKENS, *alphabet, *inner]
    blank = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    blank.normalizer, blank.pre_tokenizer = normalizer, pre_tokenizer
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary_size, min_frequency=2, special_tokens=fixed, limit_alphabet=0, show_progress=False
    )
    blank.train_from_iterator(iter(documents), trainer)
    tokenizer = word_piece(blank.get_vocab(), lowercase)
    if tokenizer.get_vocab_size() < vocabulary_size:
        log.warning("the corpus yields %d of %d wordpieces", tokenizer.get_vocab_size(), vocabulary_size)
    parameters = {"kind": "trained", "vocabulary_size": vocabulary_size, "lowercase": lowercase}
    _write(tokenizer, output, _MAX_LENGTH, inputs, parameters)
    return tokenizer


class CorpusTexts:
    """The texts of document folders as a stream that can be iterated again."""

    def __init__(self, folders: Iterable[str | Path]):
        self.folders = list(folders)

    def __iter__(self) -> Iterator[str]:
        from linkbert.text.corpus import texts

        return texts(self.folders)


def tokenizer_fingerprint(folder: str | Path) -> str:
    """The identity of a tokenizer: the hash of its ``tokenizer.json``."""
    read_meta(folder, "tokenizer")
    return sha256_of(Path(folder) / "tokenizer.json")[:12]


def _alphabet(documents: Iterable[str], normalizer: normalizers.Normalizer, limit: int) -> list[str]:
    raw: Counter[str] = Counter()
    for text in documents:
        raw.update(text)
    counts: Counter[str] = Counter()
    # BERT's normaliser maps each character by itself, so counting before it is the same and much faster.
    for character, count in raw.items():
        for part in normalizer.normalize_str(character):
            if not part.isspace():
                counts[part] += count
    kept = sorted(counts, key=lambda character: (-counts[character], character))[:limit]
    return sorted(kept)


def _read_tokenizer(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise UserError(f"{path}: not a readable tokenizer ({error}).") from None


def _read_vocabulary(path: Path) -> dict[str, int]:
    # Not splitlines(): vocabularies hold characters that it takes for line ends.
    lines = [line.rstrip("\r") for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n")]
    vocabulary = {word: number for number, word in enumerate(lines)}
    if len(vocabulary) < len(lines):
        twice = Counter(lines).most_common(1)[0][0]
        raise UserError(f"{path}: the word {twice!r} occurs twice; each line must be a different word.")
    return vocabulary


def _check_special_tokens(vocabulary: dict[str, int], path: Path) -> None:
    missing = [token for token in SPECIAL_TOKENS if token not in vocabulary]
    if missing:
        raise UserError(
            f"{path}: lacks {', '.join(missing)}. A BERT tokenizer with {' '.join(SPECIAL_TOKENS)} is needed."
        )


def _write(
    tokenizer: Tokenizer, output: str | Path, max_length: int, inputs: dict[str, Any], parameters: dict[str, Any]
) -> None:
    vocabulary = tokenizer.get_vocab()
    words = sorted(vocabulary, key=vocabulary.__getitem__)
    if vocabulary[words[-1]] != len(words) - 1:
        raise UserError(
            f"the tokenizer's {len(words)} words have numbers up to {vocabulary[words[-1]]}: there are gaps."
        )
    normalizer = json.loads(tokenizer.to_str())["normalizer"] or {}
    roles = dict(zip(_ROLES, SPECIAL_TOKENS, strict=True))
    config = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": bool(normalizer.get("lowercase", False)),
        "strip_accents": normalizer.get("strip_accents"),
        "tokenize_chinese_chars": bool(normalizer.get("handle_chinese_chars", True)),
        "model_max_length": max_length if max_length < 1e6 else _MAX_LENGTH,
        "clean_up_tokenization_spaces": True,
        **roles,
    }
    tokenizer.no_truncation()
    tokenizer.no_padding()
    with atomic_folder(output) as folder:
        (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=True), encoding="utf-8")
        (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
        write_json(folder / "tokenizer_config.json", config)
        write_json(folder / "special_tokens_map.json", roles)
        parameters = {**parameters, "lowercase": config["do_lower_case"]}
        write_meta(folder, "tokenizer", inputs=inputs, parameters=parameters, counts={"words": len(words)})
