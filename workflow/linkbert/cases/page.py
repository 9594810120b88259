"""A case as a page: the question, its documents, the right answer, and what each model says."""

import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from linkbert.report.style import page
from linkbert.tables.page import scroll
from linkbert.tables.text import aligned, plain

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
Case = Mapping[str, Any]


def collect_case(
    name: str, case: Mapping[str, Any], answered: Iterable[Mapping[str, Any]], titles: Mapping[str, str], note: str = ""
) -> dict[str, Any]:
    """A case with the answers of all models that were asked it, in the order of `titles`.

    Args:
        answered: what `answer_cases` made of each model.
        titles: model -> how the page calls it.
        note: what a reader must know first.
    """
    by_model = {one["model"]: part for one in answered for part in one["cases"] if part["case"] == name}
    first: Mapping[str, Any] = next(iter(by_model.values()), {})
    models = [
        {"title": title, **{key: by_model[model][key] for key in ("answers", "missing")}}
        for model, title in titles.items()
        if model in by_model
    ]
    about = {key: case.get(key, "") for key in ("title", "task", "source", "about")}
    about |= {
        "paper": dict(case.get("paper", {})),
        "asked": case.get("question", ""),
        "words": case.get("contains", []),
    }
    place = {key: first.get(key) for key in ("split", "matches", "example")}
    return {"case": name, "note": note, **about, **place, "models": models}


def said(example: Mapping[str, Any] | None, value: Any) -> str:
    """A prediction in words: of a choice its letter and text.

    >>> said({"choices": ["yes", "no"]}, 1), said({}, "Montreal"), said({}, None)
    ('B: no', 'Montreal', 'no answer')
    """
    if value is None or value == "":
        return "no answer"
    choices = (example or {}).get("choices")
    return f"{LETTERS[value]}: {choices[value]}" if choices else str(value)


def gold(example: Mapping[str, Any]) -> str:
    """The right answer in words."""
    if example.get("choices"):
        return said(example, example["label"])
    return " / ".join(example["golds"]) if example.get("golds") else str(example.get("label", ""))


def place(case: Case) -> str:
    """Where the question was found, or that it was not."""
    if not case["models"]:
        return f"No answers are kept here: they are looked up where the runs of {case['task']} are."
    if not case["example"]:
        words = ", ".join(f"“{word}”" for word in case["words"])
        where = f"none of its examples {f'holds the words {words}' if words else 'is this question'}"
        return f"Looked for in {case['task']}: {where}."
    more = f" ({case['matches']} examples match; the first is shown)" if case["matches"] > 1 else ""
    split = {"dev": "development", "train": "training"}.get(case["split"], case["split"])
    return f"Found in {case['task']}, {split} set, example {case['example']['id']}{more}."


def _asked(case: Case) -> list[Mapping[str, Any]]:
    return [model for model in case["models"] if model["answers"]]


def _counts(case: Case) -> str:
    asked = _asked(case)
    right = sum(answer["right"] for model in asked for answer in model["answers"])
    total = sum(len(model["answers"]) for model in asked)
    if total:
        return f"{right} of {total} answers of {len(asked)} models are right."
    reasons = dict.fromkeys(model["missing"] for model in case["models"])
    return ": ".join(["No model was asked", *(["; ".join(reasons)] if reasons else [])]) + "."


def _groups(model: Mapping[str, Any], example: Mapping[str, Any] | None) -> list[tuple[str, bool, list[int]]]:
    """The different answers of a model: text, whether right, seeds."""
    found: dict[tuple[str, bool], list[int]] = {}
    for answer in model["answers"]:
        found.setdefault((said(example, answer["said"]), answer["right"]), []).append(answer["seed"])
    return [(text, right, seeds) for (text, right), seeds in found.items()]


def case_section(case: Case) -> str:
    """The case as a section of a page."""
    return f'<h3 id="case-{escape(case["case"])}">{escape(case["title"])}</h3>\n{_body(case)}'


def _body(case: Case) -> str:
    parts = []
    if case["about"]:
        parts.append(f"<p>{escape(case['about'])}</p>")
    example = case["example"]
    if example:
        parts.append(_question(example))
    elif case["asked"]:
        parts.append(f"<blockquote>{escape(case['asked'])}</blockquote>")
    source = f" Source: {escape(case['source'])}." if case["source"] else ""
    parts.append(f'<p class="soft small">{escape(place(case))}{source}</p>')
    if case["paper"]:
        answers = "; ".join(f"{escape(name)} {escape(str(text))}" for name, text in case["paper"].items())
        parts.append(f"<p><strong>In the paper:</strong> {answers}.</p>")
    rows = [row for model in case["models"] for row in _rows(model, example)] if _asked(case) else []
    if rows:
        heads = (
            '<th scope="col">model</th><th scope="col">answer</th><th scope="col">right?</th><th scope="col">seeds</th>'
        )
        table = f'<table class="words"><thead><tr>{heads}</tr></thead>\n<tbody>\n{chr(10).join(rows)}\n</tbody></table>'
        parts.append(scroll(table, f"Answers to {case['title']}"))
    parts.append(f'<p class="soft small">{_counts(case)}</p>')
    return "\n".join(parts)


def _rows(model: Mapping[str, Any], example: Mapping[str, Any] | None) -> list[str]:
    head = f'<th scope="row">{escape(model["title"])}</th>'
    if not model["answers"]:
        return [f'<tr>{head}<td class="soft" colspan="3">{escape(model["missing"])}</td></tr>']
    rows = []
    for text, right, seeds in _groups(model, example):
        chip = f'<span class="chip {"holds" if right else "fails"}">{"✓ right" if right else "✗ wrong"}</span>'
        rows.append(f"<tr>{head}<td>{escape(text)}</td><td>{chip}</td><td>{', '.join(map(str, seeds))}</td></tr>")
        head = "<th></th>"
    return rows


def _question(example: Mapping[str, Any]) -> str:
    asked = escape(example.get("question", example.get("text_a", "")))
    parts = [f"<p><strong>{asked}</strong></p>"]
    if example.get("choices"):
        choices = "".join(
            f"<li>{LETTERS[at]}: {_marked(choice, [choice] if at == example['label'] else [])}</li>"
            for at, choice in enumerate(example["choices"])
        )
        parts.append(f'<ul style="list-style:none">{choices}</ul>')
    if example.get("text_b"):
        parts.append(f"<p>{escape(example['text_b'])}</p>")
    if example.get("context"):
        before, after = example["cut"]
        paragraphs = [_marked(text, example["golds"]) for text in paragraphs_of(example["context"])]
        paragraphs[0] = ("… " if before else "") + paragraphs[0]
        paragraphs[-1] += " …" if after else ""
        parts.append(f"<blockquote>{''.join(f'<p>{text}</p>' for text in paragraphs)}</blockquote>")
    parts.append(f"<p><strong>Right answer:</strong> {escape(gold(example))}</p>")
    return "".join(parts)


def paragraphs_of(context: str) -> list[str]:
    """The documents of a context, at blank lines and at MRQA's separators.

    >>> paragraphs_of("[PAR] [TLE] Roden Brothers [SEP] Founded in 1891. [PAR] [TLE] Birks [SEP] A group.")
    ['Roden Brothers: Founded in 1891.', 'Birks: A group.']
    """
    parts = re.split(r"\n\s*\n|\[PAR\]|\[DOC\]", context)
    texts = [re.sub(r"\s*\[SEP\]\s*", ": ", part.replace("[TLE]", "")).strip() for part in parts]
    return [text for text in texts if text] or [context]


def _marked(text: str, golds: list[str]) -> str:
    """Escaped text in which the right answers are marked."""
    words = [escape(word) for word in sorted(golds, key=len, reverse=True) if word.strip()]
    shown = escape(text)
    if not words:
        return shown
    return re.sub(rf"(?<!\w)({'|'.join(map(re.escape, words))})(?!\w)", r"<mark>\1</mark>", shown, flags=re.I)


def html(case: Case) -> str:
    """The case as a page of its own."""
    return page(case["title"], [case["note"]] if case["note"] else [], _body(case))


def markdown(case: Case) -> str:
    """The case as a Markdown page."""
    example = case["example"]
    lines = [f"# {plain(case['title'])}", ""]
    lines += [f"> **{plain(case['note'])}**", ""] if case["note"] else []
    lines += [plain(case["about"]), ""] if case["about"] else []
    if example:
        lines += [f"**{plain(example.get('question', example.get('text_a', '')))}**", ""]
        lines += [f"- {LETTERS[at]}: {plain(choice)}" for at, choice in enumerate(example.get("choices", []))]
        lines += [""] if example.get("choices") else []
        for text in paragraphs_of(example["context"]) if example.get("context") else []:
            lines += [f"> {plain(' '.join(text.split()))}", ""]
        lines += [f"Right answer: **{plain(gold(example))}**", ""]
    elif case["asked"]:
        lines += [f"**{plain(case['asked'])}**", ""]
    lines += [plain(place(case) + (f" Source: {case['source']}." if case["source"] else "")), ""]
    if case["paper"]:
        said_there = "; ".join(f"{name} {text}" for name, text in case["paper"].items())
        lines += [f"In the paper: {plain(said_there)}.", ""]
    rows = [["model", "answer", "right?", "seeds"]]
    for model in case["models"] if _asked(case) else []:
        if not model["answers"]:
            rows.append([model["title"], model["missing"], "", ""])
        for text, right, seeds in _groups(model, example):
            rows.append([model["title"], text, "✓" if right else "✗", ", ".join(map(str, seeds))])
    cells = [[plain(" ".join(cell.split())) for cell in row] for row in rows]
    return "\n".join([*lines, *(aligned(cells, 4) if len(cells) > 1 else []), "", _counts(case)]) + "\n"
