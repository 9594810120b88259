"""Corpora of any number of documents, made of real text: random words would have no neighbors and no rare words."""

import gzip
import json
import random
from collections.abc import Iterator
from operator import itemgetter
from pathlib import Path
from typing import Any

from linkbert.text.sentences import split_sentences

WORDS = 140  # of a document
WINDOW = 40  # sentences shuffled together


def resample(path: Path, documents: int) -> Iterator[dict[str, Any]]:
    """Documents of real sentences; a link leads to one of the documents of its article, if that one is among them."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        articles = [json.loads(line) for line in file]
    sentences = {article["doc_id"]: _sentences(article) for article in articles}
    made = turn = 0
    while made < documents:
        dice = random.Random(turn)
        new = [document for name, some in sentences.items() for document in _cut(name, turn, some, dice)]
        dice.shuffle(new)
        yield from new[: documents - made]
        made += len(new)
        turn += 1


def _sentences(article: dict[str, Any]) -> list[tuple[str, list[tuple[str, int, int]]]]:
    """The sentences of an article, each with its links as (target, start, end)."""
    placed = (link for link in article["links"] if link.get("start") is not None)
    text, links = article["text"], sorted(placed, key=itemgetter("start"))
    found, at = [], 0
    for first, last in split_sentences(text):
        inside = []
        while at < len(links) and links[at]["start"] < last:
            start, end = links[at]["start"] - first, links[at]["end"] - first
            if start >= 0 and end <= last - first:
                inside.append((links[at]["target"], start, end))
            at += 1
        found.append((text[first:last], inside))
    return found


def _cut(name: str, turn: int, sentences: list, dice: random.Random) -> Iterator[dict[str, Any]]:
    if turn:
        windows = (sentences[i : i + WINDOW] for i in range(0, len(sentences), WINDOW))
        sentences = [sentence for window in windows for sentence in dice.sample(window, len(window))]
    text, links, words, number = "", [], 0, 0
    for sentence, inside in sentences:
        text += " " if text else ""
        for target, start, end in inside:
            to = f"{target} {turn}.{dice.randrange(20)}"
            links.append({"target": to, "start": len(text) + start, "end": len(text) + end})
        text, words = text + sentence, words + sentence.count(" ") + 1
        if words >= WORDS:
            yield {"doc_id": f"{name} {turn}.{number}", "text": text, "links": links}
            text, links, words, number = "", [], 0, number + 1
