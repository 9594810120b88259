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
def plan(request):
    return Plan(load_configuration(request.config.rootpath / name for name in CONFIGURATION), request.config.rootpath)


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
    if name.endswith(".json"):
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


def damaged(random, name, content):
    """The content of a file with some of it damaged; archives stay archives."""
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
    files = [member for member in members if not member.endswith("/")]
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


@pytest.mark.parametrize("reader", [reader for reader in READERS if reader not in ("squad", "jsonl", "hub")])
def test_damage_is_counted_or_refused(plan, mirror, tmp_path, reader):
    task = next(task for task, row in plan.tasks.items() if row["reader"] == reader)
    options = {
        name: value for name, value in json.loads(plan.tasks[task]["options"] or "{}").items() if name != "expected"
    }
    names = dict(plan.task_files(task))
    prepare(task, reader, {role: mirror / name for role, name in names.items()}, options, 0, tmp_path / "whole")
    said = 0
    for trial in range(12):
        random = np.random.default_rng([trial, len(reader)])
        files = {}
        for role, name in names.items():
            files[role] = tmp_path / str(trial) / name
            files[role].parent.mkdir(exist_ok=True)
            files[role].write_bytes(damaged(random, name, (mirror / name).read_bytes()))
        try:
            meta = prepare(task, reader, files, options, 0, tmp_path / str(trial) / "out")
        except UserError as error:
            said += "\n" not in str(error)
        else:
            said += bool(meta["dropped"] or meta["warnings"])
            found = {label for counts in meta["label_counts"].values() for label in counts}
            assert found <= set(meta["labels"]) or meta["kind"] == "choice"
    assert said >= 1
