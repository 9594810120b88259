"""Pretraining instances: five integers each, the settings that they are sampled with, and how a person reads one."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from linkbert.errors import UserError, unknown
from linkbert.text.tokens import Tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from linkbert.graph import Graph

INSTANCE = np.dtype(
    [("a_start", "<i8"), ("a_length", "<i4"), ("b_start", "<i8"), ("b_length", "<i4"), ("relation", "i1")]
)
RELATIONS = ("contiguous", "random", "linked")
CONTIGUOUS, RANDOM, LINKED = range(3)
SPECIALS = 3  # [CLS] A [SEP] B [SEP]
_CHOICES = {"in_degree": ("inverse", "uniform"), "link_scope": ("segment", "document"), "b_start": ("random", "start")}


@dataclass(frozen=True)
class Sampling:
    """How instances are sampled (paper sections 4.2, 4.3 and 5.1).

    `contiguous`, `random`, `linked`: the declared mixture. `in_degree`: draw linked documents with probability inverse
    to their in-degree, or uniformly ("no diversity"). `link_scope`: the links inside segment A, or all of its document.
    `b_start`: a random or linked segment B begins at a random sentence, or at its document's start. `short`: the share
    of instances with a random shorter length, as BERT has.
    """

    contiguous: float = 1 / 3
    random: float = 1 / 3
    linked: float = 1 / 3
    in_degree: str = "inverse"
    link_scope: str = "segment"
    b_start: str = "random"
    short: float = 0.1

    @classmethod
    def from_json(cls, settings: dict[str, Any]) -> "Sampling":
        """Check settings; shares are scaled to sum to 1, so 0.333 three times is a third."""
        if not isinstance(settings, dict):
            raise UserError(f"sampling: expected an object of settings, found {settings!r}.")
        for name in settings:
            if name not in cls.__dataclass_fields__:
                raise unknown("sampling", "setting", name, cls.__dataclass_fields__)
        for name, known in _CHOICES.items():
            if settings.get(name, known[0]) not in known:
                raise unknown("sampling", name, settings[name], known)
        for name in (*RELATIONS, "short"):
            share = settings.get(name, 0)
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                raise UserError(f"sampling: {name} is {share!r}, but must be a number from 0 to 1.")
        shares = {name: settings[name] for name in RELATIONS if name in settings}
        if shares:
            total = sum(shares.values())
            if abs(total - 1) > 0.01:
                raise UserError(f"sampling: {' + '.join(shares)} is {total:g}, but must be 1.")
            settings = settings | {name: shares.get(name, 0) / total for name in RELATIONS}
        return cls(**settings)

    @property
    def mixture(self) -> np.ndarray:
        """float64 [3]: the declared shares in the order of `RELATIONS`."""
        return np.array([self.contiguous, self.random, self.linked])

    def three_way(self, linked: bool) -> "Sampling":
        """The same settings with equal shares of all relations, or of the first two."""
        shares = (1 / 3, 1 / 3, 1 / 3) if linked else (1 / 2, 1 / 2, 0.0)
        return Sampling(**asdict(self) | dict(zip(RELATIONS, shares, strict=True)))


def load_instances(path: str | Path) -> np.ndarray:
    """Open one instance file with memory mapping; a UserError where it is not one."""
    try:
        instances = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable instance file ({error}).") from None
    if instances.dtype != INSTANCE:
        raise UserError(f"{path}: holds {instances.dtype}, not instances ({INSTANCE}).")
    return instances


def describe(tokens: Tokens, instance: np.void, tokenizer: "Tokenizer", graph: "Graph | None" = None) -> str:
    """An instance as a person reads it: relation, titles, lengths, the link, and the text that the model sees."""
    a, b = (slice(int(instance[f"{s}_start"]), int(instance[f"{s}_start"] + instance[f"{s}_length"])) for s in "ab")
    source, target = (int(tokens.document_of(np.array([segment.start]))[0]) for segment in (a, b))
    names = tokens.titles([source, target])
    text_a, text_b = (tokenizer.decode(tokens.tokens[s].tolist(), skip_special_tokens=False) for s in (a, b))
    relation = RELATIONS[instance["relation"]]
    lines = [f"relation: {relation}", f"A: {names[0]!r}, {a.stop - a.start} tokens from {a.start}"]
    lines.append(f"B: {names[1]!r}, {b.stop - b.start} tokens from {b.start}")
    if graph is not None and instance["relation"] == LINKED:
        lines.append(f"link: {_link(tokens, graph, tokenizer, a, source, target)}")
    return "\n".join([*lines, f"[CLS] {text_a} [SEP] {text_b} [SEP]"])


def _link(tokens: Tokens, graph: "Graph", tokenizer: "Tokenizer", a: slice, source: int, target: int) -> str:
    row = slice(int(graph.indptr[source]), int(graph.indptr[source + 1]))
    links = graph.link[row][graph.indices[row] == target]
    places = tokens.link_positions[links[links >= 0]]
    inside = places[(places >= a.start) & (places < a.stop)]
    if not len(inside):
        return "of the whole document"
    place = int(inside[0])
    anchor = tokenizer.decode(tokens.tokens[place : min(place + 6, a.stop)].tolist(), skip_special_tokens=False)
    return f"at token {place - a.start} of A: {anchor} ..."
