"""Where the numbers come from: code, settings, machines and hours, score files."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

import yaml

from linkbert import STAGE, __version__
from linkbert.files import fingerprint
from linkbert.tables.cells import Document
from linkbert.tables.page import scroll

Scores = Mapping[str, Any]  # the content of a score file
Record = Mapping[str, Any]  # a training.json


def finetuning_runs(scores: Iterable[Scores]) -> list[Mapping[str, Any]]:
    """Every training of the score files once, though a tuned model may be tested on several tasks."""
    runs: dict[tuple[str, ...], Mapping[str, Any]] = {}
    for content in scores:
        for run in content["runs"]:
            about = (run.get("train_task", run["task"]), run.get("recipe"), run["point"], run["seed"])
            key = (content["model"], fingerprint(about))
            if key not in runs or runs[key].get("seconds", 0) < run.get("seconds", 0):
                runs[key] = run
    return list(runs.values())


def hours(scores: Iterable[Scores], records: Mapping[str, Record]) -> list[tuple[str, str, int, float]]:
    """(work, device, runs, device hours), the longest first; a run of several processes counts each of them."""
    found: dict[tuple[str, str], tuple[int, float]] = {}
    done = [("fine-tuning", run.get("device", "unknown"), run.get("seconds", 0.0)) for run in finetuning_runs(scores)]
    for record in records.values():
        seconds = record.get("seconds", 0.0) * record.get("processes", 1)
        done.append(("pretraining", record.get("device", "unknown"), seconds))
    for work, device, seconds in done:
        number, total = found.get((work, device), (0, 0.0))
        found[work, device] = (number + 1, total + seconds)
    lines = [(work, device, number, total / 3600) for (work, device), (number, total) in found.items()]
    return sorted(lines, key=lambda line: (-line[3], line[:2]))


def versions(scores: Iterable[Scores], records: Mapping[str, Record]) -> dict[str, list[str]]:
    """Package -> the versions that numbers were computed with."""
    found: dict[str, set[str]] = {}
    said = [run.get("versions", {}) for content in scores for run in content["runs"]]
    said += [record.get("versions", {}) for record in records.values()]
    for one in said:
        for package, version in one.items():
            found.setdefault(package, set()).add(str(version))
    return {package: sorted(found[package]) for package in sorted(found)}


def duration(value: float) -> str:
    """Hours for people.

    >>> duration(0.02), duration(3.26), duration(1204.0)
    ('1 minute', '3.3 hours', '1,204 hours')
    """
    if value < 1:
        minutes = round(60 * value)
        return f"{minutes} minute{'' if minutes == 1 else 's'}"
    return f"{value:.1f} hours" if value < 100 else f"{value:,.0f} hours"


def provenance(
    documents: list[Document],
    scores: list[Scores],
    records: Mapping[str, Record],
    config: Mapping[str, Any],
    commit: str | None,
    lineages: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Everything that a reviewer needs to ask for the same numbers again."""
    used = {name: about for document in documents for name, about in document["scores"].items()}
    facts = [
        ("experiment", str(config.get("experiment", ""))),
        ("code", f"linkbert {__version__}, {_commit(commit)}"),
        ("stages", ", ".join(f"{stage} {version}" for stage, version in STAGE.items())),
        ("settings", f"fingerprint {fingerprint(config)}; in full below"),
        ("fine-tuning seeds", ", ".join(_seeds(scores)) or "none"),
        *((package, ", ".join(found)) for package, found in versions(scores, records).items()),
        ("score files", f"{len(used)}, fingerprint {fingerprint({name: used[name]['sha256'] for name in used})}"),
    ]
    rows = "".join(f'<tr><th scope="row">{name}</th><td>{escape(text)}</td></tr>' for name, text in facts)
    rows += _trace(documents)
    parts = [scroll(f'<table class="words"><tbody>{rows}</tbody></table>', "Provenance")]
    parts.append(_hours(hours(scores, records)))
    if records:
        parts.append(_models(records))
    if used:
        parts.append(_files(used))
    if lineages:
        parts.append(_lineages(lineages))
    settings = yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=100)
    parts.append(f"<details><summary>Settings</summary><pre>{escape(settings)}</pre></details>")
    return "\n".join(parts)


def _trace(documents: Iterable[Document]) -> str:
    """How to print the chain of a cell, by the example of the first that has a score."""
    for document in documents:
        for cell in document["cells"]:
            if cell["choice"]:
                command = f"python scripts/trace.py {document['table']} {cell['model']} {cell['task']}"
                return f'<tr><th scope="row">chain of a cell</th><td><code>{escape(command)}</code></td></tr>'
    return ""


def _commit(commit: str | None) -> str:
    if not commit:
        return "commit unknown: not a git checkout"
    return f"commit {commit.removesuffix('+')}{' with local changes' if commit.endswith('+') else ''}"


def _seeds(scores: Iterable[Scores]) -> list[str]:
    return [str(seed) for seed in sorted({run["seed"] for content in scores for run in content["runs"]})]


def _hours(lines: list[tuple[str, str, int, float]]) -> str:
    if not lines:
        return '<p class="soft">Nothing was computed yet.</p>'
    body = "".join(
        f'<tr><th scope="row">{work}</th><td>{escape(device)}</td><td class="number">{number:,}</td>'
        f'<td class="number">{duration(value)}</td></tr>'
        for work, device, number, value in lines
    )
    heads = '<th scope="col">work</th><th scope="col">device</th><th class="number" scope="col">runs</th>'
    heads += '<th class="number" scope="col">device time</th>'
    return scroll(f'<table class="words"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>', "Device time")


def _models(records: Mapping[str, Record]) -> str:
    lines = []
    for name, record in records.items():
        recipe = record.get("recipe", {})
        numbers = (
            f"{record.get('steps', 0):,}",
            f"{record.get('tokens', 0):,}",
            duration(record.get("seconds", 0) / 3600),
        )
        cells = "".join(f'<td class="number">{text}</td>' for text in numbers)
        where = f"{record.get('device', '')} × {record.get('processes', 1)}"
        digest = str(record.get("weights_sha256", ""))[:12]
        lines.append(
            f'<tr><th scope="row">{escape(name)}</th><td>{escape(str(recipe.get("objective", "")))}</td>{cells}'
            f"<td>{escape(where)}</td><td><code>{digest}</code></td></tr>"
        )
    names = ("model", "objective", "steps", "tokens", "time", "device", "weights, sha256")
    heads = "".join(
        f'<th scope="col"{" class=number" if 1 < at < 5 else ""}>{name}</th>' for at, name in enumerate(names)
    )
    table = f'<table class="words"><thead><tr>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    return _folded("Pretrained models", len(records), table)


def _files(used: Mapping[str, Mapping[str, Any]]) -> str:
    lines = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td><code>{used[name]['sha256']}</code></td></tr>"
        for name in sorted(used)
    )
    table = f'<table class="words"><thead><tr><th>file</th><th>sha256</th></tr></thead><tbody>{lines}</tbody></table>'
    return _folded("Score files", len(used), table)


def _lineages(lineages: Sequence[Mapping[str, Any]]) -> str:
    """Of each model every folder between its weights and the downloads, with what each was made from."""
    models = []
    for lineage in lineages:
        lines = "".join(
            f"<tr><td><code>{escape(stage['folder'])}</code></td>"
            f"<td><code>{escape(stage['fingerprint'] or 'gone')}</code></td><td>{_inputs(stage['meta'])}</td></tr>"
            for stage in lineage["stages"]
        )
        table = f'<table class="words"><thead><tr>{LINEAGE}</tr></thead><tbody>{lines}</tbody></table>'
        models.append(_folded(escape(lineage["model"]), len(lineage["stages"]), table))
    title = "Lineages: from the weights of each model back to the checksums of the downloads"
    return f"<details><summary>{title}</summary>{''.join(models)}</details>"


LINEAGE = "<th>folder</th><th>fingerprint of its meta.json</th><th>made from</th>"


def _inputs(meta: Mapping[str, Any] | None) -> str:
    """The inputs of a folder, each with the beginning of its hash."""
    texts = []
    for name, value in ((meta or {}).get("inputs") or {}).items():
        hashes = value if isinstance(value, list) else [value]
        texts.append(f"{escape(name)} <code>{', '.join(escape(str(one)[:16]) for one in hashes)}</code>")
    return "<br>".join(texts)


def _folded(title: str, number: int, table: str) -> str:
    """A long table behind its title and its number of lines."""
    return f'<details><summary>{title} <span class="soft">{number}</span></summary>{scroll(table, title)}</details>'
