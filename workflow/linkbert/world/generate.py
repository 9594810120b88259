"""Write a whole world as a mirror: every file under its local name in ``config/downloads.tsv``, and SHA256SUMS."""

import os
from collections.abc import Mapping
from pathlib import Path

from linkbert.errors import unknown
from linkbert.files import atomic_folder, sha256_of
from linkbert.progress import Progress
from linkbert.world.authors import write_authors
from linkbert.world.books import write_books
from linkbert.world.documents import write_documents
from linkbert.world.exams import write_exams
from linkbert.world.facts import SCALES, World, build
from linkbert.world.glue import write_glue
from linkbert.world.hub import SIZES, Size, write_hub
from linkbert.world.medicine import add_medicine
from linkbert.world.mrqa import write_mrqa
from linkbert.world.ner import write_ner
from linkbert.world.pubmed import write_pubmed
from linkbert.world.relations import write_relations
from linkbert.world.wiki import write_wiki

_README = """\
# An invented world

Everything here is invented: places, people, companies, films, drugs, genes, diseases, and every statement about them.
The files imitate the publishers' formats so that the workflow's own rules can read them; they are not the benchmarks,
and no score on them says anything about the benchmarks.

The checkpoints under `hub/` are untrained stand-ins: the names and the file layout of released models, random weights
of a small size, and a vocabulary learned from the invented text. They are not the released models.

Made by `scripts/make_world.py --seed {seed} --scale {scale}`; the same seed and scale give the same bytes (SHA256SUMS).
"""


def create(seed: int = 0, scale: str = "small") -> World:
    """The facts of a world: general and biomedical."""
    if scale not in SCALES:
        raise unknown("world", "scale", scale, SCALES)
    world = build(seed, SCALES[scale])
    add_medicine(world)
    return world


def make_world(
    output: str | os.PathLike, seed: int = 0, scale: str = "small", sizes: Mapping[str, Size] = SIZES
) -> World:
    """Write the mirror folder `output`, whole or not at all, and return the world it tells of.

    `sizes`: the shapes of the stand-in checkpoints, for "base" and "large".
    """
    world = create(seed, scale)
    with atomic_folder(output) as folder:
        steps = {
            "encyclopedia": lambda: write_wiki(world, folder / "enwiki-pages-articles-multistream.xml.bz2"),
            "books": lambda: write_books(world, folder),
            "literature": lambda: write_pubmed(world, folder),
            "question answering": lambda: write_mrqa(world, folder),
            "GLUE": lambda: write_glue(world, folder),
            "tagging": lambda: write_ner(world, folder),
            "relations": lambda: write_relations(world, folder),
            "documents": lambda: write_documents(world, folder),
            "exams": lambda: write_exams(world, folder),
            "the authors' archive": lambda: write_authors(folder),  # of what the publishers' files before it hold
            "checkpoints": lambda: write_hub(world, folder, sizes),
        }
        progress = Progress("world", len(steps), "parts")
        for name, step in steps.items():
            step()
            progress.update(note=name)
        (folder / "README.md").write_text(_README.format(seed=seed, scale=scale), encoding="utf-8")
        _write_checksums(folder)
        progress.close()
    return world


def _write_checksums(folder: Path) -> None:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    lines = [f"{sha256_of(file)}  {file.relative_to(folder).as_posix()}\n" for file in files]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")
