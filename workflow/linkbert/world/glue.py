"""The eight GLUE tasks with the publishers' files, columns, headers and quotation marks."""

from collections.abc import Callable
from pathlib import Path

from linkbert.world.archives import table, write_zip
from linkbert.world.draw import Draw
from linkbert.world.facts import Entity, Fact, World
from linkbert.world.wordings import QUESTIONS, SENTENCES, fill, question, sentence

_GOOD = ["wonderful", "charming", "clever", "moving", "funny", "brilliant", "warm", "gripping"]
_BAD = ["dull", "boring", "clumsy", "tired", "awful", "flat", "confused", "lifeless"]
_OPINIONS = (
    "a {a} and {b} film about {city}",
    "{film} is {a} from the first scene to the last",
    'the story is {a} , and the ending is "{b}',
    "{actor} gives a {a} performance in a {b} role",
    "it 's {a} , and that is all there is to say",
    "this {a} portrait of {city} is {b}",
)
_DISAGREEING = {"is": "are", "was": "were", "has": "have", "are": "is", "works": "work", "makes": "make"}
_DISAGREEING |= {"stands": "stand", "sells": "sell", "runs": "run", "earns": "earn", "comes": "come", "stars": "star"}
_DISAGREEING |= {"lies": "lie", "belongs": "belong", "flows": "flow", "meets": "meet", "plays": "play"}
_HALVES = ("headlines", "captions")
_GENRES = (("fiction", "travel", "government"), ("letters", "verbatim"))

Rows = list[tuple[object, ...]]


def write_glue(world: World, folder: Path) -> None:
    """Write ``glue-<task>.zip`` for seven tasks, and MRPC, whose files GLUE takes from Microsoft."""
    for task, render in _TASKS.items():
        members = render(world, world.draw("glue", task))
        write_zip(folder / f"glue-{task}.zip", {f"{task}/{name}": text for name, text in members.items()})
    _write_mrpc(world, folder)


def _sizes(world: World) -> dict[str, int]:
    return {"train": world.scale.train, "dev": world.scale.test, "test": world.scale.test // 2}


def _fact(world: World, draw: Draw) -> Fact:
    return draw.pick([fact for fact in world.facts if fact.relation in SENTENCES])


def _quoted(text: str, draw: Draw) -> str:
    """Now and then an opening quotation mark that nothing closes, as in the newspapers' sentences."""
    return f'" {text}' if draw.chance(0.1) else text


def _two(fact: Fact, draw: Draw) -> tuple[str, str]:
    """Two different wordings of a fact."""
    one, two = draw.some(SENTENCES[fact.relation], 2)
    texts = {"s": fact.subject.name, "o": fact.object.name}
    return fill(one, texts)[0], fill(two, texts)[0]


def _changed(world: World, fact: Fact, draw: Draw) -> Fact:
    """The same statement with a wrong object, of the same kind."""
    objects = [other.object for other in world.facts if other.relation == fact.relation]
    others = [thing for thing in objects if thing.name != fact.object.name]
    return Fact(fact.relation, fact.subject, draw.pick(others or [Entity("word", "nothing")]))


def _alternating(number: int) -> list[bool]:
    return [i % 2 == 0 for i in range(number)]


def _cola(world: World, draw: Draw) -> dict[str, str]:
    """Acceptable sentences, and the same kind with two neighboring words exchanged or a verb that disagrees."""

    def one(good: bool) -> str:
        words = sentence(_fact(world, draw), draw)[0].split()
        if good:
            return " ".join(words)
        verbs = [i for i, word in enumerate(words) if word in _DISAGREEING]
        if verbs and draw.chance(0.75):
            words[verbs[0]] = _DISAGREEING[words[verbs[0]]]
        else:
            i = draw.whole(0, len(words) - 2)
            words[i], words[i + 1] = words[i + 1], words[i]
        return " ".join(words)

    members = {}
    for split, number in _sizes(world).items():
        rows = [(good, one(good)) for good in draw.shuffled(_alternating(number))]
        if split == "test":
            members["test.tsv"] = table([("index", "sentence"), *((i, text) for i, (_, text) in enumerate(rows))])
        else:
            members[f"{split}.tsv"] = table(
                (f"w{i:03d}", int(good), "" if good else "*", text) for i, (good, text) in enumerate(rows)
            )
    return members


def _sst2(world: World, draw: Draw) -> dict[str, str]:
    def one(good: bool) -> str:
        a, b = draw.some(_GOOD if good else _BAD, 2)
        city, film, actor = (draw.pick(world.kinds[kind]).name.lower() for kind in ("city", "film", "person"))
        return draw.pick(_OPINIONS).format(a=a, b=b, city=city, film=film, actor=actor) + " "

    members = {}
    for split, number in _sizes(world).items():
        rows = [(one(good), int(good)) for good in draw.shuffled(_alternating(number))]
        if split == "test":
            members["test.tsv"] = table([("index", "sentence"), *((i, text) for i, (text, _) in enumerate(rows))])
        else:
            members[f"{split}.tsv"] = table([("sentence", "label"), *rows])
    return members


def _pairs(world: World, draw: Draw, number: int) -> list[tuple[str, str, int]]:
    """Paraphrases, and sentences that look like one but state something else."""
    rows = []
    for same in draw.shuffled(_alternating(number)):
        fact = _fact(world, draw)
        one, two = _two(fact, draw)
        if not same:
            two = sentence(_changed(world, fact, draw), draw)[0]
        rows.append((_quoted(one, draw), _quoted(two, draw), int(same)))
    return rows


def _write_mrpc(world: World, folder: Path) -> None:
    """Write ``glue-MRPC-{train,test}.txt``, Microsoft's files, ``glue-MRPC-dev_ids.tsv``, GLUE's dev pairs."""
    draw, sizes = world.draw("glue", "MRPC"), _sizes(world)
    header = ("Quality", "#1 ID", "#2 ID", "#1 String", "#2 String")
    files: dict[str, Rows] = {}
    for split, number, first in (("train", sizes["train"] + sizes["dev"], 1000000), ("test", sizes["test"], 2000000)):
        pairs = enumerate(_pairs(world, draw, number))
        files[split] = [(same, first + 2 * i, first + 2 * i + 1, one, two) for i, (one, two, same) in pairs]
        # Microsoft's files begin with a byte order mark.
        text = "\ufeff" + table([header, *files[split]])
        (folder / f"glue-MRPC-{split}.txt").write_text(text, encoding="utf-8")
    by_label = [[row[1:3] for row in files["train"] if row[0] == label] for label in (0, 1)]
    dev = sorted(pair for pairs in by_label for pair in draw.some(pairs, sizes["dev"] // 2))
    (folder / "glue-MRPC-dev_ids.tsv").write_text(table(dev), encoding="utf-8")


def _qqp(world: World, draw: Draw) -> dict[str, str]:
    members = {}
    for split, number in _sizes(world).items():
        rows: Rows = []
        for i, same in enumerate(draw.shuffled(_alternating(number))):
            fact = _fact(world, draw)
            while fact.relation not in QUESTIONS:
                fact = _fact(world, draw)
            one, two = (fill(text, {"s": fact.subject.name})[0] for text in draw.some(QUESTIONS[fact.relation], 2))
            if not same:
                about = draw.other(world.kinds[fact.subject.kind], fact.subject)
                two = question(Fact(fact.relation, about, fact.object), draw)
            rows.append((i, one, two) if split == "test" else (i, 2 * i, 2 * i + 1, _quoted(one, draw), two, int(same)))
        header = ("id", "question1", "question2")
        if split != "test":
            header = ("id", "qid1", "qid2", "question1", "question2", "is_duplicate")
        members[f"{split}.tsv"] = table([header, *rows])
    return members


def _stsb(world: World, draw: Draw) -> dict[str, str]:
    """Similarity is the share of the two statements that agree: 5 the same, 0 nothing."""
    columns = [
        "index",
        "genre",
        "filename",
        "year",
        "old_index",
        "source1",
        "source2",
        "sentence1",
        "sentence2",
        "score",
    ]
    members = {}
    for split, number in _sizes(world).items():
        rows: Rows = []
        for i in range(number):
            level = i % 6
            fact = _fact(world, draw)
            one, two = _two(fact, draw)
            if level < 2:
                two = sentence(_fact(world, draw), draw)[0]
            elif level < 4:
                two = sentence(_changed(world, fact, draw), draw)[0]
            score = level if level not in (2, 3) else 2.5
            row = (
                i,
                f"main-{_HALVES[i % 2]}",
                "MSRvid",
                "2012test",
                f"{i:04d}",
                "none",
                "none",
                _quoted(one, draw),
                two,
            )
            rows.append(row if split == "test" else (*row, f"{score + draw.whole(-2, 2) / 10 * (0 < level < 5):.3f}"))
        members[f"{split}.tsv"] = table([columns[: 9 + (split != "test")], *rows])
    return members


def _inference(world: World, draw: Draw, label: str) -> tuple[str, str]:
    """A premise of two facts and a hypothesis that follows from it, denies it, or speaks of something else."""
    fact = _fact(world, draw)
    also = draw.pick(world.about(fact.subject))
    one, two = _two(fact, draw)
    premise = one if also == fact else f"{one} {sentence(also, draw)[0]}" if also.relation in SENTENCES else one
    if label == "contradiction":
        two = sentence(_changed(world, fact, draw), draw)[0]
    elif label in ("neutral", "not_entailment"):
        other = draw.other(world.kinds[fact.subject.kind], fact.subject)
        two = sentence(draw.pick(world.about(other)), draw)[0]
    return premise, two


def _mnli(world: World, draw: Draw) -> dict[str, str]:
    labels = ("entailment", "contradiction", "neutral")
    columns = ["index", "promptID", "pairID", "genre", "sentence1_binary_parse", "sentence2_binary_parse"]
    columns += ["sentence1_parse", "sentence2_parse", "sentence1", "sentence2"]
    sizes = _sizes(world)
    splits = {"train": (sizes["train"], 0, 1)}
    for half, name in enumerate(("matched", "mismatched")):
        splits[f"dev_{name}"] = (sizes["dev"], half, 5)
        splits[f"test_{name}"] = (sizes["test"], half, 0)
    members = {}
    for split, (number, half, annotators) in splits.items():
        more = [f"label{n + 1}" for n in range(annotators)] + ["gold_label"] * (annotators > 0)
        rows: Rows = [tuple(columns + more)]
        for i in range(number):
            label = labels[i % 3]
            premise, hypothesis = _inference(world, draw, label)
            genre = _GENRES[half][i % len(_GENRES[half])]
            parse = ("( a ( b ) )", "( a )", "(ROOT (S (NP a)))", "(ROOT (S (NP b)))")
            rows.append((i, 1000 + i, f"{1000 + i}{label[0]}", genre, *parse, _quoted(premise, draw), hypothesis))
            rows[-1] += (label,) * (annotators + (annotators > 0))
        members[f"{split}.tsv"] = table(rows)
    return members


def _qnli(world: World, draw: Draw) -> dict[str, str]:
    """Does the sentence answer the question? A wrong sentence is about the same subject."""
    members = {}
    for split, number in _sizes(world).items():
        rows: Rows = []
        for i, answers in enumerate(draw.shuffled(_alternating(number))):
            fact = draw.pick([f for f in world.facts if f.relation in QUESTIONS])
            others = [f for f in world.about(fact.subject) if f.relation != fact.relation]
            said = fact if answers or not others else draw.pick(others)
            label = "entailment" if said is fact else "not_entailment"
            row = (i, question(fact, draw), _quoted(sentence(said, draw)[0], draw))
            rows.append(row if split == "test" else (*row, label))
        header = ("index", "question", "sentence") + (("label",) if split != "test" else ())
        members[f"{split}.tsv"] = table([header, *rows])
    return members


def _rte(world: World, draw: Draw) -> dict[str, str]:
    members = {}
    for split, number in _sizes(world).items():
        rows: Rows = []
        for i, follows in enumerate(draw.shuffled(_alternating(number))):
            label = "entailment" if follows else "not_entailment"
            premise, hypothesis = _inference(world, draw, label)
            row = (i, _quoted(premise, draw), hypothesis)
            rows.append(row if split == "test" else (*row, label))
        header = ("index", "sentence1", "sentence2") + (("label",) if split != "test" else ())
        members[f"{split}.tsv"] = table([header, *rows])
    return members


_TASKS: dict[str, Callable[[World, Draw], dict[str, str]]] = {
    "CoLA": _cola,
    "SST-2": _sst2,
    "QQP": _qqp,
    "STS-B": _stsb,
    "MNLI": _mnli,
    "QNLI": _qnli,
    "RTE": _rte,
}
