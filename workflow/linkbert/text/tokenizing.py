"""Documents to tokens: sentences split, wordpieces numbered, every link anchored to a token."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from linkbert.errors import UserError
from linkbert.files import atomic_folder, write_meta
from linkbert.pools import bounded, processes
from linkbert.progress import Progress
from linkbert.text.corpus import COLUMNS, batches, count_documents, fingerprints, links_of
from linkbert.text.pieces import PieceEncoder
from linkbert.text.sentences import split_sentences
from linkbert.text.tokenizer import load_tokenizer, tokenizer_fingerprint
from linkbert.text.tokens import ARRAYS, ArrayWriter

_CHUNK = 2_000_000  # characters tokenized at a time: some 100 MB of arrays and words


@dataclass(frozen=True)
class _Chunk:
    """Some whole documents as they are read: n documents, m links."""

    doc_ids: list[str]
    titles: list[str]
    texts: list[str]
    link_count: np.ndarray  # int64 [n]
    link_start: np.ndarray  # int64 [m] characters into the document, -1 at document level
    link_end: np.ndarray  # int64 [m]


@dataclass(frozen=True)
class _Part:
    """The same as numbers: s sentences, t tokens."""

    tokens: np.ndarray  # [t]
    lengths: np.ndarray  # int64 [s] tokens of each sentence, 0 where the tokenizer leaves nothing
    sentence_count: np.ndarray  # int64 [n]
    positions: np.ndarray  # int64 [m] first token of each anchor within the part, -1 without one


def tokenize_documents(
    documents: Sequence[str | Path], tokenizer: str | Path, output: str | Path, threads: int = 1
) -> dict[str, int]:
    """Write the tokens folder of document folders; returns its counts. `threads` are processes where above 1.

    Sentences are tokenized one by one, which for BERT's tokenizer equals tokenizing the document, because it splits
    at white space first. Words that look like special tokens ("[SEP]") are text here and never become special.
    """
    words = load_tokenizer(tokenizer).get_vocab_size()
    inputs = {"documents": fingerprints(documents), "tokenizer": tokenizer_fingerprint(tokenizer)}
    progress = Progress("tokenize", total=count_documents(documents), unit="documents")
    with atomic_folder(output) as folder:
        writer = _Writer(folder, np.uint16 if words <= 65_535 else np.uint32)
        with _workers(tokenizer, writer.arrays["tokens"].dtype.type, threads) as encode:
            for chunk, part in encode(_chunks(documents)):
                writer.add(chunk, part)
                progress.update(len(chunk.texts), note=f"{writer.counts['tokens']:,} tokens")
        writer.close()
        progress.close()
        if not writer.counts["tokens"]:
            raise UserError(
                f"{', '.join(map(str, documents))}: no text in any of {writer.counts['documents']} documents."
            )
        counts = {key: writer.counts[key] for key in ("documents", "empty_documents", "sentences", "tokens", "links")}
        counts |= {"anchored_links": writer.counts["anchored_links"], "words": words}
        dropped = {key: writer.counts[key] for key in ("sentences_without_tokens", "anchors_without_tokens")}
        write_meta(folder, "tokens", inputs=inputs, counts=counts, dropped=dropped)
    return counts


Encode = Callable[[Iterator[_Chunk]], Iterator[tuple[_Chunk, _Part]]]


@contextmanager
def _workers(tokenizer: str | Path, dtype: type, threads: int) -> Iterator[Encode]:
    """A function that encodes chunks in order: here, or in so many processes."""
    if threads == 1:
        _start(tokenizer, dtype)
        yield lambda chunks: ((chunk, _encode(chunk)) for chunk in chunks)
        return
    with processes(threads, _start, tokenizer, dtype) as pool:
        yield lambda chunks: bounded(pool, _pair, chunks, 2 * threads)


_encoder: PieceEncoder  # of a process: it remembers words from chunk to chunk


def _start(tokenizer: str | Path, dtype: type) -> None:
    global _encoder
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # read by the library at its first batch
    model = load_tokenizer(tokenizer)
    model.encode_special_tokens = True
    _encoder = PieceEncoder(model, dtype)


def _pair(chunk: _Chunk) -> tuple[_Chunk, _Part]:
    return chunk, _encode(chunk)


def _chunks(folders: Sequence[str | Path]) -> Iterator[_Chunk]:
    """Chunks that end with the document that passes `_CHUNK` characters."""
    for batch in batches(folders, COLUMNS, size=256):
        texts = [text or "" for text in batch["text"].to_pylist()]
        links, ids, titles = links_of(batch), batch["doc_id"].to_pylist(), batch["title"].to_pylist()
        first_link = np.concatenate([[0], np.cumsum(links.count)])
        sizes = np.cumsum([len(text) for text in texts])
        first = 0
        while first < len(texts):
            base = sizes[first - 1] if first else 0
            last = max(int(np.searchsorted(sizes, base + _CHUNK, side="right")), first + 1)
            rows, span = slice(first, last), slice(first_link[first], first_link[last])
            yield _Chunk(ids[rows], titles[rows], texts[rows], links.count[rows], links.start[span], links.end[span])
            first = last


def _encode(chunk: _Chunk) -> _Part:
    spans = [split_sentences(text) for text in chunk.texts]
    sentence_count = np.fromiter(map(len, spans), np.int64, len(spans))
    encoded = _encoder([text[a:b] for text, s in zip(chunk.texts, spans, strict=True) for a, b in s])

    # Documents are laid end to end with a gap of one, so that one search finds the sentences of all anchors.
    base = np.concatenate([[0], np.cumsum([len(text) + 1 for text in chunk.texts])])
    flat = np.array(list(chain.from_iterable(spans)), np.int64).reshape(-1, 2)
    flat += np.repeat(base[:-1], sentence_count)[:, None]
    shift = np.repeat(base[:-1], chunk.link_count)
    limit = np.repeat(base[1:] - 1, chunk.link_count)
    start, end = chunk.link_start + shift, np.minimum(chunk.link_end + shift, limit)
    number = np.searchsorted(flat[:, 1], start, side="right")
    reachable = (chunk.link_start >= 0) & (number < len(flat))
    number = np.where(reachable, number, len(flat))
    first, last = np.append(flat, [[0, 0]], axis=0)[number].T
    start, end = np.maximum(start, first), np.minimum(end, last)
    reachable &= start < end

    # The same characters in the sentences laid end to end: there the first token that ends behind an anchor's begin is
    # the anchor's, if it begins before the anchor ends.
    length = flat[:, 1] - flat[:, 0] + 1
    moved = np.append(np.cumsum(length) - length, 0)[number] - first
    token = np.searchsorted(encoded.end, start + moved, side="right")
    reachable &= np.append(encoded.start, np.iinfo(np.int64).max)[token] < end + moved
    return _Part(encoded.tokens, encoded.lengths, sentence_count, np.where(reachable, token, -1))


class _Writer:
    def __init__(self, folder: Path, dtype: type):
        types = dict(zip(ARRAYS, (dtype, np.int64, np.int64, np.int64), strict=True))
        self.arrays = {name: ArrayWriter(folder / f"{name}.npy", types[name]) for name in ARRAYS}
        schema = pa.schema([("doc_id", pa.string()), ("title", pa.string())])
        self.titles = pq.ParquetWriter(folder / "titles.parquet", schema, compression="zstd")
        self.counts: Counter[str] = Counter()

    def add(self, chunk: _Chunk, part: _Part) -> None:
        base = self.counts["tokens"]
        self.arrays["tokens"].append(part.tokens)
        anchored = part.positions >= 0
        self.arrays["link_positions"].append(np.where(anchored, base + part.positions, -1))

        # A sentence of nothing but characters that the tokenizer removes is no sentence.
        kept = part.lengths > 0
        document = np.repeat(np.arange(len(chunk.texts)), part.sentence_count)
        sentence_count = np.bincount(document[kept], minlength=len(chunk.texts))
        starts = base + np.cumsum(part.lengths) - part.lengths
        self.arrays["sentences"].append(starts[kept])
        self.arrays["documents"].append(self.counts["sentences"] + np.cumsum(sentence_count) - sentence_count)
        self.titles.write_table(pa.table({"doc_id": chunk.doc_ids, "title": chunk.titles}, self.titles.schema))

        anchors = int(anchored.sum())
        self.counts.update(
            documents=len(chunk.texts),
            empty_documents=int((sentence_count == 0).sum()),
            sentences=int(kept.sum()),
            tokens=len(part.tokens),
            links=len(part.positions),
            anchored_links=anchors,
            sentences_without_tokens=int((~kept).sum()),
            anchors_without_tokens=int((chunk.link_start >= 0).sum()) - anchors,
        )

    def close(self) -> None:
        self.arrays["sentences"].append(np.array([self.counts["tokens"]]))
        self.arrays["documents"].append(np.array([self.counts["sentences"]]))
        for array in self.arrays.values():
            array.close()
        self.titles.close()
