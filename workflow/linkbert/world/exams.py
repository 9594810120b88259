"""Multiple choice: MedQA-USMLE as JSON lines, and professional medicine of MMLU as csv files without a header."""

import csv
import io
from pathlib import Path

from linkbert.world.archives import json_lines, write_tar, write_zip
from linkbert.world.draw import Draw
from linkbert.world.facts import World

_LETTERS = "ABCD"


def write_exams(world: World, folder: Path) -> None:
    """Write ``medqa-usmle.zip`` and ``mmlu-data.tar``."""
    draw, scale = world.draw("medqa"), world.scale
    members = {}
    for split, number in (("train", scale.train), ("dev", scale.test), ("test", scale.test)):
        rows = []
        for _ in range(number):
            text, options, right = _vignette(world, draw)
            rows.append(
                {
                    "question": text,
                    "answer": options[right],
                    "options": dict(zip(_LETTERS, options, strict=True)),
                    "meta_info": "step1",
                    "answer_idx": _LETTERS[right],
                }
            )
        members[f"questions/US/4_options/phrases_no_exclude_{split}.jsonl"] = json_lines(rows)
    write_zip(folder / "medqa-usmle.zip", members)
    draw, members = world.draw("mmlu"), {}
    for split, number in (("dev", 5), ("val", max(2, scale.test // 4)), ("test", scale.test)):
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        for _ in range(number):
            text, options, right = _vignette(world, draw)
            writer.writerow([text, *options, _LETTERS[right]])
        members[f"data/{split}/professional_medicine_{split}.csv"] = buffer.getvalue()
    write_tar(folder / "mmlu-data.tar", members)


def _vignette(world: World, draw: Draw) -> tuple[str, list[str], int]:
    """A patient, four options, and the number of the right one: the treatment of the disease, or the disease itself."""
    disease = draw.pick(world.kinds["disease"])
    signs = [fact.object.name for fact in draw.shuffled(world.about(disease, "symptom"))]
    organ = world.the("organ", disease).name
    person = draw.pick(("man", "woman"))
    pronoun = "He" if person == "man" else "She"
    text = (
        f"A {draw.whole(18, 90)}-year-old {person} comes to the physician because of {signs[0]} and {signs[1]}"
        f" for {draw.whole(2, 9)} days. {pronoun} also reports {signs[2]}. {organ.capitalize()} function is abnormal. "
    )
    if draw.chance(0.6):
        text += f"{disease.name.capitalize()} is diagnosed. Which of the following is the most appropriate drug?"
        right, kind = world.the("choice", disease), "drug"
    else:
        text += "Which of the following is the most likely diagnosis?"
        right, kind = disease, "disease"
    names = dict.fromkeys(thing.name for thing in world.kinds[kind] if thing != right)
    options = draw.shuffled([right.name, *draw.some(list(names), 3)])
    return text, options, options.index(right.name)
