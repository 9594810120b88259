"""Documents to tokens: sentences split, wordpieces numbered, every link anchored to a token."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Encoding, Tokenizer

from linkbert.errors import UserError
from linkbert.files import atomic_folder, write_meta
from linkbert.progress import Progress
from linkbert.text.corpus import COLUMNS, batches, count_documents, fingerprints, links_of
from linkbert.text.sentences import split_sentences
from linkbert.text.tokenizer import load_tokenizer, tokenizer_fingerprint
from linkbert.text.tokens import ARRAYS, ArrayWriter

_CHUNK = 2_000_000  # characters tokenized at a time: about 60 MB of the library's own objects


@dataclass(frozen=True)
class _Chunk:
    """Some whole documents: n documents, s sentences, m links."""

    doc_ids: list[str]
    titles: list[str]
    sentences: list[str]  # [s]
    sentence_count: np.ndarray  # int64 [n]
    anchor_sentence: np.ndarray  # int64 [m] number of the sentence in the chunk, -1 without one
    anchor_start: np.ndarray  # int64 [m] characters into that sentence
    anchor_end: np.ndarray  # int64 [m]
    offset_links: int  # links that have an anchor at all


def tokenize_documents(
    documents: Sequence[str | Path], tokenizer: str | Path, output: str | Path, threads: int = 1
) -> dict[str, int]:
    """Write the tokens folder of document folders; returns its counts.

    Sentences are tokenized one by one, which for BERT's tokenizer equals tokenizing the document, because it splits
    at white space first. Words that look like special tokens ("[SEP]") are text here and never become special.
    """
    # Read by the library when its thread pool starts, at the first batch.
    os.environ["RAYON_NUM_THREADS"] = str(threads)
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
    model = load_tokenizer(tokenizer)
    model.encode_special_tokens = True
    inputs = {"documents": fingerprints(documents), "tokenizer": tokenizer_fingerprint(tokenizer)}
    progress = Progress("tokenize", total=count_documents(documents), unit="documents")
    with atomic_folder(output) as folder:
        writer = _Writer(folder, np.uint16 if model.get_vocab_size() <= 65_535 else np.uint32)
        # The library works without Python's lock: the next chunk is split while this one is tokenized.
        with ThreadPoolExecutor(1) as worker:
            waiting: tuple[_Chunk, Future] | None = None
            for chunk in _chunks(documents):
                job = worker.submit(_encode, model, chunk)
                if waiting:
                    writer.add(waiting[0], *waiting[1].result())
                    progress.update(len(waiting[0].doc_ids), note=f"{writer.counts['tokens']:,} tokens")
                waiting = chunk, job
            if waiting:
                writer.add(waiting[0], *waiting[1].result())
                progress.update(len(waiting[0].doc_ids))
        writer.close()
        progress.close()
        if not writer.counts["tokens"]:
            raise UserError(
                f"{', '.join(map(str, documents))}: no text in any of {writer.counts['documents']} documents."
            )
        counts = {key: writer.counts[key] for key in ("documents", "empty_documents", "sentences", "tokens", "links")}
        counts |= {"anchored_links": writer.counts["anchored_links"], "words": model.get_vocab_size()}
        dropped = {key: writer.counts[key] for key in ("sentences_without_tokens", "anchors_without_tokens")}
        write_meta(folder, "tokens", inputs=inputs, counts=counts, dropped=dropped)
    return counts


def _chunks(folders: Sequence[str | Path]) -> Iterator[_Chunk]:
    """Chunks that end with the document that passes `_CHUNK` characters."""
    for batch in batches(folders, COLUMNS, size=64):
        texts = [text or "" for text in batch["text"].to_pylist()]
        sizes = np.cumsum([len(text) for text in texts])
        first = 0
        while first < len(texts):
            base = sizes[first - 1] if first else 0
            last = max(int(np.searchsorted(sizes, base + _CHUNK, side="right")), first + 1)
            yield _chunk(batch.slice(first, last - first), texts[first:last])
            first = last


def _chunk(batch: pa.RecordBatch, texts: list[str]) -> _Chunk:
    spans = [split_sentences(text) for text in texts]
    sentence_count = np.array([len(s) for s in spans], np.int64)
    # Documents are laid end to end with a gap of one, so that one search finds the sentences of all anchors.
    base = np.concatenate([[0], np.cumsum([len(text) + 1 for text in texts])])
    flat = np.array(list(chain.from_iterable(spans)), np.int64).reshape(-1, 2)
    flat += np.repeat(base[:-1], sentence_count)[:, None]
    links = links_of(batch)
    shift = np.repeat(base[:-1], links.count)
    limit = np.repeat(base[1:] - 1, links.count)
    start, end = links.start + shift, np.minimum(links.end + shift, limit)
    sentence = np.searchsorted(flat[:, 1], start, side="right")
    reachable = (links.start >= 0) & (sentence < len(flat))
    first, last = np.append(flat, [[0, 0]], axis=0)[np.where(reachable, sentence, len(flat))].T
    start, end = np.maximum(start, first), np.minimum(end, last)
    reachable &= start < end
    return _Chunk(
        doc_ids=batch["doc_id"].to_pylist(),
        titles=batch["title"].to_pylist(),
        sentences=[text[a:b] for text, s in zip(texts, spans, strict=True) for a, b in s],
        sentence_count=sentence_count,
        anchor_sentence=np.where(reachable, sentence, -1),
        anchor_start=start - first,
        anchor_end=end - first,
        offset_links=int((links.start >= 0).sum()),
    )


def _encode(model: Tokenizer, chunk: _Chunk) -> tuple[list[list[int]], list[Encoding], np.ndarray]:
    """Token numbers of every sentence; encodings with offsets of those that hold an anchor; their numbers."""
    anchored = np.unique(chunk.anchor_sentence[chunk.anchor_sentence >= 0])
    plain = np.setdiff1d(np.arange(len(chunk.sentences)), anchored)
    # Offsets cost time and memory: only sentences with an anchor are tokenized with them.
    fast = model.encode_batch_fast([chunk.sentences[i] for i in plain], add_special_tokens=False)
    exact = model.encode_batch([chunk.sentences[i] for i in anchored], add_special_tokens=False)
    ids: list[list[int]] = [[]] * len(chunk.sentences)
    for numbers, encodings in ((plain, fast), (anchored, exact)):
        for number, encoding in zip(numbers.tolist(), encodings, strict=True):
            ids[number] = encoding.ids
    return ids, exact, anchored


class _Writer:
    def __init__(self, folder: Path, dtype: type):
        types = dict(zip(ARRAYS, (dtype, np.int64, np.int64, np.int64), strict=True))
        self.arrays = {name: ArrayWriter(folder / f"{name}.npy", types[name]) for name in ARRAYS}
        schema = pa.schema([("doc_id", pa.string()), ("title", pa.string())])
        self.titles = pq.ParquetWriter(folder / "titles.parquet", schema, compression="zstd")
        self.counts: Counter[str] = Counter()

    def add(self, chunk: _Chunk, ids: list[list[int]], encodings: list[Encoding], anchored: np.ndarray) -> None:
        lengths = np.fromiter(map(len, ids), np.int64, len(ids))
        starts = self.counts["tokens"] + np.concatenate([[0], np.cumsum(lengths)])
        total = int(lengths.sum())
        self.arrays["tokens"].append(np.fromiter(chain.from_iterable(ids), self.arrays["tokens"].dtype, total))

        positions = np.full(len(chunk.anchor_sentence), -1, np.int64)
        found = np.flatnonzero(chunk.anchor_sentence >= 0)
        sentence = chunk.anchor_sentence[found]
        spans = zip(
            np.searchsorted(anchored, sentence).tolist(),
            chunk.anchor_start[found].tolist(),
            chunk.anchor_end[found].tolist(),
            strict=True,
        )
        inside = np.array([_first_token(encodings[i], start, end) for i, start, end in spans], np.int64)
        positions[found] = np.where(inside >= 0, starts[sentence] + inside, -1)
        self.arrays["link_positions"].append(positions)

        # A sentence of nothing but characters that the tokenizer removes is no sentence.
        kept = lengths > 0
        document = np.repeat(np.arange(len(chunk.doc_ids)), chunk.sentence_count)
        sentence_count = np.bincount(document[kept], minlength=len(chunk.doc_ids))
        self.arrays["sentences"].append(starts[:-1][kept])
        self.arrays["documents"].append(self.counts["sentences"] + np.cumsum(sentence_count) - sentence_count)
        self.titles.write_table(pa.table({"doc_id": chunk.doc_ids, "title": chunk.titles}, self.titles.schema))

        anchors = int((positions >= 0).sum())
        self.counts.update(
            documents=len(chunk.doc_ids),
            empty_documents=int((sentence_count == 0).sum()),
            sentences=int(kept.sum()),
            tokens=total,
            links=len(positions),
            anchored_links=anchors,
            sentences_without_tokens=int((~kept).sum()),
            anchors_without_tokens=chunk.offset_links - anchors,
        )

    def close(self) -> None:
        self.arrays["sentences"].append(np.array([self.counts["tokens"]]))
        self.arrays["documents"].append(np.array([self.counts["sentences"]]))
        for array in self.arrays.values():
            array.close()
        self.titles.close()


def _first_token(encoding: Encoding, start: int, end: int) -> int:
    """The first token that holds a character of the anchor, -1 if none does."""
    for character in range(start, end):
        token = encoding.char_to_token(character)
        if token is not None:
            return token
    return -1
