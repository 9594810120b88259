"""Disk, download and processor time of the stages before training, from declared sizes and measured rates.

Sizes of corpora stand in ``config/corpus_sizes.tsv`` with their sources; the shapes of artefacts are those of
docs/design.md. What is not known is named and left out, never guessed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from linkbert.declarations import names, read_table
from linkbert.model.config import ModelConfig
from linkbert.planning.needs import Needs
from linkbert.planning.plan import Plan

CORPORA = "config/corpus_sizes.tsv"
PIECES = 1.2  # word pieces a word, as config/task_sizes.tsv has it
# Bytes a processor core works through in a second (docs/performance.md): a dump to documents, text to sentences.
DOCUMENT_BYTES, SENTENCE_BYTES = 5.5e6, 27e6
INSTANCES = 200_000  # a core samples in a second: the lower of docs/performance.md's 12 to 26 million a minute
INSTANCE_BYTES = 25  # five integers, docs/design.md
WEIGHT_BYTES, CHECKPOINT_BYTES = 4, 12  # of a parameter: fp32; with two moments of AdamW
CHECKPOINTS = 2  # kept of a running training


@dataclass
class Volume:
    """Core-seconds and bytes of a stage; `unknown` names, by column, what is not in them."""

    cpu_seconds: float = 0.0
    disk: float = 0.0
    download: float = 0.0
    unknown: dict[str, list[str]] = field(default_factory=dict)

    def add(self, column: str, name: str, number: float | None) -> None:
        """Add a number to a column, or its name to what is not known."""
        if number is not None:
            setattr(self, column, getattr(self, column) + number)
        elif name not in self.unknown.setdefault(column, []):
            self.unknown[column].append(name)


def parameters(shape: ModelConfig) -> int:
    """Parameters of a BERT encoder with its heads for words (tied) and relations.

    >>> parameters(ModelConfig(30522, 768, 12, 12, 3072)) // 10**6
    110
    """
    size, inner = shape.hidden_size, shape.intermediate_size
    embeddings = (shape.vocab_size + shape.max_positions + 2) * size + 2 * size
    layer = 4 * (size * size + size) + 2 * size * inner + inner + size + 4 * size
    heads = 2 * (size * size + size) + 2 * size + shape.vocab_size + 3 * (size + 1)
    return embeddings + shape.num_layers * layer + heads


def volumes(needs: Needs) -> dict[str, Volume]:
    """The volume of what is left to do, by stage."""
    found = {stage: Volume() for stage in needs.found}
    for stage, column, name, number in _parts(needs, _sizes(needs.plan)):
        found[stage].add(column, name, number)
    return found


# Corpus -> what is declared of it: bytes of its downloads and text, words, documents.
Sizes = Mapping[str, Mapping[str, float]]
Part = tuple[str, str, str, float | None]  # stage, column, name, number where it is known


def _sizes(plan: Plan) -> Sizes:
    if plan.config.get("world"):
        return {}  # a generated world has the names of the corpora, and none of their sizes
    rows = (row for _, row in read_table(plan.root / CORPORA))
    return {
        row["corpus"]: {key: float(row[key]) for key in ("download", "text", "words", "documents") if row[key]}
        for row in rows
    }


def _times(number: float | None, factor: float) -> float | None:
    return None if number is None else number * factor


def _parts(needs: Needs, sizes: Sizes) -> Iterator[Part]:
    plan = needs.plan
    yield from _downloads(needs, sizes)
    for name in needs.left("documents"):
        corpus = name.split("/")[1]
        row, text = plan.corpora[corpus], sizes.get(corpus, {}).get("text")
        share = 1 / int(row["shards"])
        yield "documents", "disk", corpus, _times(text, share)
        if row["format"] == "mediawiki":
            yield "documents", "cpu_seconds", corpus, _times(text, share / DOCUMENT_BYTES)
            yield "documents", "cpu_seconds", f"the markup of {corpus}", None
        else:
            yield "documents", "cpu_seconds", corpus, None
    for name in needs.left("tokens"):
        _, corpus, tokenizer = name.split("/")
        size = sizes.get(corpus, {})
        wide = 2 if int(plan.tokenizers[tokenizer]["vocab_size"]) <= 65_535 else 4
        yield "tokens", "disk", corpus, _times(size.get("words"), PIECES * wide)
        yield "tokens", "cpu_seconds", corpus, _times(size.get("text"), 1 / SENTENCE_BYTES)
        yield "tokens", "cpu_seconds", "the tokenizer's own time", None
    for name in needs.left("graphs"):
        corpus = name.split("/")[1]
        yield "graphs", "disk", corpus, _times(sizes.get(corpus, {}).get("documents"), 16)
        yield "graphs", "disk", f"the edges of {name.removeprefix('graphs/')}", None
        yield "graphs", "cpu_seconds", name.removeprefix("graphs/"), None
    for stage in ("instances", "heldout"):
        for name in needs.left(stage):
            corpus, instances = name.split("/")[1], plan.config["instances"]
            draws = instances["heldout"] if stage == "heldout" else instances["epochs"]
            # Two segments fill an instance, so that an epoch has about as many as the corpus has half lengths.
            rows = _times(sizes.get(corpus, {}).get("words"), PIECES * 2 * draws / instances["length"])
            yield stage, "disk", corpus, _times(rows, INSTANCE_BYTES)
            yield stage, "cpu_seconds", corpus, _times(rows, 1 / INSTANCES)
    for name in needs.left("models"):
        row = plan.models[name.split("/")[1]]
        kept = CHECKPOINTS * CHECKPOINT_BYTES if row["kind"] == "pretrained" else 0
        yield "models", "disk", name, float(_weights(plan, row) * (WEIGHT_BYTES + kept))


def _weights(plan: Plan, row: Mapping[str, str]) -> int:
    vocabulary = int(plan.tokenizers[row["tokenizer"]]["vocab_size"])
    return parameters(ModelConfig(vocabulary, **plan.config["sizes"][row["size"]]))


def _downloads(needs: Needs, sizes: Sizes) -> Iterator[Part]:
    plan = needs.plan
    left = {name.split("/", 1)[1] for name in needs.left("downloads")}
    for corpus, row in plan.corpora.items():
        files = names(row["files"])
        mine = left & set(files)
        left -= mine
        size = _times(sizes.get(corpus, {}).get("download"), len(mine) / len(files))
        for column in ("disk", "download") if mine else ():
            yield "downloads", column, f"{corpus} ({len(mine):,} of its files)", size
    for column in ("disk", "download") if left else ():
        yield "downloads", column, f"{len(left):,} files of tasks", None
    weighty = {row["hub"]: row for row in plan.models.values() if row["hub"]}
    for name in needs.left("hub"):
        hub = name.split("/", 1)[1]
        size = WEIGHT_BYTES * _weights(plan, weighty[hub]) if hub in weighty and not plan.config.get("world") else None
        for column in ("disk", "download"):
            yield "hub", column, hub, size
