"""Damaged files of every publisher: each is read with its losses counted, or refused in a sentence; nothing else."""

import gzip
import io
import json
import tarfile
import zipfile

import numpy as np
import pytest

from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.errors import UserError
from linkbert.planning.plan import Plan
from linkbert.tasks.base import READERS
from linkbert.tasks.prepare import prepare
from linkbert.world.generate import make_world

VALUES = (None, 3, -1, 2.5, True, "", "x", [], {}, [None])


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    """The generated world: small files in the publishers' formats."""
    folder = tmp_path_factory.mktemp("world") / "mirror"
    make_world(folder, 0, "tiny")
    return folder


@pytest.fixture(scope="module")
def plans(request):
    """The paper's plan, and the one that reads the authors' archive instead."""
    root = request.config.rootpath
    more = ((), ("config/authors.yaml",))
    return [Plan(load_configuration(root / name for name in (*CONFIGURATION, *names)), root) for names in more]


def damaged_json(random, value):
    """Another value, or none, in one random place."""
    places = []

    def walk(node):
        for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
            places.append((node, key))
            walk(node[key])

    walk(value)
    if places:
        node, key = places[random.integers(len(places))]
        choice = int(random.integers(len(VALUES) + 1))
        if choice < len(VALUES):
            node[key] = VALUES[choice]
        else:
            del node[key]
    return value


def damaged_text(random, name, text):
    """Three lines cut, emptied, doubled, lost or with other cells."""
    if name.endswith(".json") and "_hf/" not in name:  # the authors' archive has JSON Lines of that name
        return json.dumps(damaged_json(random, damaged_json(random, json.loads(text))))
    lines = text.split("\n")
    for place in sorted(random.choice(len(lines), min(3, len(lines)), replace=False).tolist(), reverse=True):
        line = lines[place]
        if line.startswith("{") and random.random() < 0.7:
            lines[place] = json.dumps(damaged_json(random, json.loads(line)))
            continue
        ways = (
            [line[: int(random.integers(len(line) + 1))]],
            [line.replace("\t", " ", 1)],
            [line, line],
            [""],
            ["\t" * 8],
            [f'{line}\t"unbalanced'],
            [line.replace("1", "x")],
            [],
        )
        lines[place : place + 1] = ways[random.integers(len(ways))]
    return "\n".join(lines)


def damaged(random, name, content, part=""):
    """The content of a file with some of it damaged, in an archive of a part of it; archives stay archives."""
    if name.endswith((".zip", ".docx")):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
    elif ".tar" in name:
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            members = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}
    elif name.endswith(".gz"):
        text = damaged_text(random, name.removesuffix(".gz"), gzip.decompress(content).decode())
        return gzip.compress(text.encode(), mtime=0)
    else:
        return damaged_text(random, name, content.decode()).encode()
    files = [member for member in members if not member.endswith("/") and part in member]
    for member in random.choice(files, min(3, len(files)), replace=False).tolist():
        members[member] = damaged(random, member, members[member])
    output = io.BytesIO()
    if ".tar" in name:
        with tarfile.open(fileobj=output, mode="w:gz" if name.endswith("gz") else "w") as archive:
            for member, data in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
    else:
        with zipfile.ZipFile(output, "w") as archive:
            for member, data in members.items():
                archive.writestr(member, data)
    return output.getvalue()


# A task of each reader that has one in these plans, and of the authors' archive one of each kind.
CASES = [
    *((reader, "") for reader in READERS if reader not in ("squad", "jsonl", "hub", "authors")),
    *(("authors", name) for name in ("newsqa", "jnlpba", "ebm_pico", "ddi", "biosses", "hoc", "bioasq", "medqa_usmle")),
]


@pytest.mark.parametrize(("reader", "name"), CASES)
def test_damage_is_counted_or_refused(plans, mirror, tmp_path, reader, name):
    rows = ((plan, task, row) for plan in plans for task, row in plan.tasks.items())
    plan, task = next((plan, task) for plan, task, row in rows if row["reader"] == reader and name in ("", task))
    options = {
        name: value for name, value in json.loads(plan.tasks[task]["options"] or "{}").items() if name != "expected"
    }
    # A name with a slash is a file of the repository.
    whole = {role: plan.root / name if "/" in name else mirror / name for role, name in plan.task_files(task)}
    prepare(task, reader, whole, options, 0, tmp_path / "whole")
    said = 0
    for trial in range(12):
        random = np.random.default_rng([trial, len(reader)])
        files = {}
        for role, path in whole.items():
            files[role] = tmp_path / str(trial) / path.name
            files[role].parent.mkdir(exist_ok=True)
            files[role].write_bytes(damaged(random, path.name, path.read_bytes(), options.get("set", "")))
        try:
            meta = prepare(task, reader, files, options, 0, tmp_path / str(trial) / "out")
        except UserError as error:
            said += "\n" not in str(error)
        else:
            said += bool(meta["dropped"] or meta["warnings"])
            found = {label for counts in meta["label_counts"].values() for label in counts}
            assert found <= set(meta["labels"]) or meta["kind"] == "choice"
    assert said >= 1
