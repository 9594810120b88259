"""Six extractive QA sets in the MRQA 2019 format, and the dev/test index files in the LinkBERT authors' format."""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from linkbert.world.archives import json_lines, write_gzip
from linkbert.world.draw import Draw
from linkbert.world.facts import Entity, Fact, World
from linkbert.world.pages import paragraphs, passage
from linkbert.world.wordings import QUESTIONS, SENTENCES, fill, question, sentence

# Local name -> (name in the header, name of the authors' index file).
SETS = {
    "squad": ("SQuAD", "squad"),
    "newsqa": ("NewsQA", "newsqa"),
    "triviaqa": ("TriviaQA-web", "triviaqa"),
    "searchqa": ("SearchQA", "searchqa"),
    "hotpotqa": ("HotpotQA", "hotpot"),
    "naturalquestions": ("NaturalQuestionsShort", "naturalqa"),
}
_MARKER = re.compile(r"\[(?:TLE|PAR|DOC|SEP)\]|</?P>|\w+|[^\w\s]")
_PAGES = ("company", "person", "city", "film")

Question = tuple[str, Entity]


def write_mrqa(world: World, folder: Path) -> None:
    """Write ``mrqa-<set>-{train,dev}.jsonl.gz`` and ``inhouse_split_<set>.json``."""
    for name, (header, index) in SETS.items():
        draw = world.draw("mrqa", name)
        pages = draw.shuffled([page for kind in _PAGES for page in world.kinds[kind]])
        if name == "hotpotqa":
            pages = [page for page in pages if page.kind in ("person", "film", "company")]
        each = 2 if name in ("squad", "newsqa") else 1
        # Pages of the dev file occur in no training context: answers cannot be memorized by page.
        dev = min(2 * world.scale.test // each, len(pages) // 2)
        train = min(world.scale.train // each, len(pages) - dev)
        for split, chosen in (("dev", pages[:dev]), ("train", pages[dev : dev + train])):
            lines = [_STYLES[name](world, page, draw, each) for page in chosen]
            write_gzip(
                folder / f"mrqa-{name}-{split}.jsonl.gz",
                json_lines([{"header": {"dataset": header, "split": split}}, *lines]),
            )
        order = draw.shuffled(range(dev))
        halves = {"dev": sorted(order[: dev // 2]), "test": sorted(order[dev // 2 :])}
        (folder / f"inhouse_split_{index}.json").write_text(json.dumps(halves), encoding="utf-8")


def tokens(text: str) -> list[list[Any]]:
    """``[token, character offset]`` pairs; a marker such as [TLE] is one token."""
    return [[match[0], match.start()] for match in _MARKER.finditer(text)]


def record(context: str, questions: list[Question], draw: Draw, extra: bool = False) -> dict[str, Any]:
    """One line: a context and its questions, each answer with every place where it stands (ends inclusive)."""
    context_tokens = tokens(context)
    qas = []
    for text, answer in questions:
        qid = hashlib.md5(f"{text}\n{context}".encode()).hexdigest()
        qas.append(
            {
                **({"id": f"./news/{qid[:6]}.story#{len(qas)}"} if extra else {}),
                "qid": qid,
                "question": text,
                "question_tokens": tokens(text),
                "detected_answers": [_detected(context, context_tokens, answer.name)],
                "answers": [answer.name, *_aliases(answer, draw)],
            }
        )
    return {"id": "", "context": context, "context_tokens": context_tokens, "qas": qas}


def _detected(context: str, context_tokens: list[list[Any]], answer: str) -> dict[str, Any]:
    """Where an answer stands, as whole words: ``char_spans`` and ``token_spans`` with inclusive ends."""
    spans = [m.span() for m in re.finditer(rf"(?<!\w){re.escape(answer)}(?!\w)", context)]
    starts = {start: i for i, (_, start) in enumerate(context_tokens)}
    ends = {start + len(token): i for i, (token, start) in enumerate(context_tokens)}
    return {
        "text": answer,
        "char_spans": [[start, end - 1] for start, end in spans],
        "token_spans": [[starts[start], ends[end]] for start, end in spans],
    }


def _aliases(answer: Entity, draw: Draw) -> list[str]:
    """Another accepted form, which need not stand in the context."""
    if answer.kind == "city" and draw.chance(0.3):
        return [f"{answer.name} City"]
    return []


def _asked(facts: list[Fact], draw: Draw, number: int) -> list[Fact]:
    """Facts to ask for: their relation has a question, and no other object of that subject would be right, too."""
    fit = [fact for fact in facts if fact.relation in QUESTIONS]
    return draw.some(list(dict.fromkeys(fit)), number)


def _text(world: World, page: Entity, draw: Draw, separator: str = " ", scenes: int = 1) -> tuple[str, list[Fact]]:
    """Two paragraphs of a page in fresh words, and the facts they state."""
    facts = [fact for part in paragraphs(world, page, draw)[:2] for fact in part][:9]
    text, found = passage(facts, draw, scenes=scenes, separator=separator)
    return text, [fact for fact, _ in found]


def _squad(world: World, page: Entity, draw: Draw, each: int) -> dict[str, Any]:
    text, facts = _text(world, page, draw)
    return record(text, [(question(f, draw), f.object) for f in _asked(facts, draw, each)], draw)


def _newsqa(world: World, page: Entity, draw: Draw, each: int) -> dict[str, Any]:
    place = draw.pick(world.kinds["city"]).name.upper()
    text, facts = _text(world, page, draw, separator="\n\n\n\n", scenes=2)
    context = f"({place}) -- {text}"
    return record(context, [(question(f, draw), f.object) for f in _asked(facts, draw, each)], draw, extra=True)


def _document(world: World, page: Entity, draw: Draw) -> tuple[str, list[Fact]]:
    own, *others = paragraphs(world, page, draw)
    text, _ = passage(own[:4], draw)
    more, _ = passage(draw.some(others[0], 3) if others else own[:1], draw)
    return f"[DOC] [TLE] {page.name} [PAR] {text} [PAR] {more}", own[:4]


def _triviaqa(world: World, page: Entity, draw: Draw, each: int) -> dict[str, Any]:
    context, facts = _document(world, page, draw)
    other, _ = _document(world, draw.other(world.kinds[page.kind], page), draw)
    (fact,) = _asked(facts, draw, 1)
    return record(" ".join(draw.shuffled([context, other])), [(question(fact, draw), fact.object)], draw)


def _searchqa(world: World, page: Entity, draw: Draw, each: int) -> dict[str, Any]:
    """A clue with the answer taken out of a sentence, and snippets of three pages, lower case as a search engine's."""
    fact = draw.pick([fact for fact in paragraphs(world, page, draw)[0] if fact.relation in QUESTIONS])
    clue, _ = fill(draw.pick(SENTENCES[fact.relation]), {"s": page.name, "o": f"this {fact.object.kind}"})
    snippets = [(page, sentence(fact, draw)[0])]
    for other in draw.some([p for p in world.kinds[page.kind] if p != page], 2):
        snippets.append((other, sentence(draw.pick(paragraphs(world, other, draw)[0]), draw)[0]))
    context = " ".join(
        f"[DOC] [TLE] {about.name} - {draw.pick(('facts', 'history', 'archive'))} [PAR] {text} ..."
        for about, text in draw.shuffled(snippets)
    )
    return record(context, [(clue.rstrip("."), fact.object)], draw)


def _hotpotqa(world: World, page: Entity, draw: Draw, each: int) -> dict[str, Any]:
    """Two hops: the first page names the second, and only the second holds the answer."""
    hops = {
        "person": ("employer", ("seat", "product", "founded"), "the company that {s} works for"),
        "film": ("director", ("born", "employer", "teacher"), "the director of {s}"),
        "company": ("founder", ("born", "employer", "occupation"), "the founder of {s}"),
    }
    first, relations, bridge = hops[page.kind]
    middle = world.the(first, page)
    asked = world.about(middle, draw.pick(relations))[0]
    one, _ = passage(paragraphs(world, page, draw)[0][:3] + world.about(page, first), draw)
    two, _ = passage(draw.shuffled(list(dict.fromkeys([*world.about(middle)[:3], asked]))), draw)
    parts = draw.shuffled([(page, one), (middle, two)])
    context = " ".join(f"[PAR] [TLE] {about.key} [SEP] {text}" for about, text in parts)
    text, _ = fill(draw.pick(QUESTIONS[asked.relation]), {"s": bridge.format(s=page.name)})
    return record(context, [(text, asked.object)], draw)


def _naturalquestions(world: World, page: Entity, draw: Draw, each: int) -> dict[str, Any]:
    text, facts = _text(world, page, draw, scenes=2)
    (fact,) = _asked(facts, draw, 1)
    asked = question(fact, draw).rstrip("?").lower()
    return record(f"<P> {text} </P>", [(asked, fact.object)], draw)


_STYLES: dict[str, Callable[[World, Entity, Draw, int], dict[str, Any]]] = {
    "squad": _squad,
    "newsqa": _newsqa,
    "triviaqa": _triviaqa,
    "searchqa": _searchqa,
    "hotpotqa": _hotpotqa,
    "naturalquestions": _naturalquestions,
}
