"""The chain behind a cell, printed for people: from the number back to the checksums of the downloads."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from linkbert.evidence.chain import Chain, stages_of
from linkbert.progress import count, duration
from linkbert.tables.layout import estimate

MOST = 4  # files of a stage that are printed one by one
KINDS = {
    "pretraining instances": ("instances",),
    "graph": ("graphs",),
    "tokens": ("tokens",),
    "tokenizer": ("tokenizers",),
    "documents": ("documents",),
    "hub": ("hub",),
}


def trace(chain: Chain, command: str = "snakemake") -> str:
    """The chain as text; `command` is how Snakemake is called, with its options, for a cell that is missing."""
    lines = [f"{chain.table} / {chain.model} / {chain.task}", ""]
    if chain.choice is None:
        return "\n".join([*lines, *_missing(chain, command)]) + "\n"
    lines += [*_score(chain), *_runs(chain), *_examples(chain), *_checkpoint(chain), *_before(chain)]
    return "\n".join(lines) + "\n"


def _missing(chain: Chain, command: str) -> Iterator[str]:
    yield "No score yet. The job that makes it:"
    yield f"  {command} {chain.job}"
    training = "pretrain" if chain.kind == "pretrained" else "adopt_model"
    yield f"which fine-tunes {chain.model} on {chain.train_task} (rule finetune), after the rules prepare_task and "
    yield f"{training} where the task or the model is not there either. Nothing runs with -n; what it costs: "
    yield f"  python scripts/plan.py {chain.table}"


def _field(name: str, *texts: str) -> Iterator[str]:
    for index, text in enumerate(text for text in texts if text):
        yield f"{'' if index else name:<22}{text}"


def _score(chain: Chain) -> Iterator[str]:
    choice = chain.choice
    assert choice is not None
    run = choice.runs[0]
    found = choice.estimate
    shown = estimate({"mean": found.mean, "spread": found.spread}, 2) if found else f"none: {choice.problem}"
    split = "the development set, as test" if run.test_is_dev else "test"
    yield from _field("score", f"{shown}  ({run.metric}, {split})")
    if choice.dev is not None:
        tried = len(choice.candidates)
        points = "the only point" if tried == 1 else f"the best of {tried} points"
        yield from _field("", f"{points} on dev of {choice.chosen_on}: {choice.dev:.2f}")
    yield from _field("score file", f"{run.file.name}", f"sha256 {run.file.sha256}")


def _runs(chain: Chain) -> Iterator[str]:
    assert chain.choice is not None
    for run in chain.choice.runs:
        record = run.record
        value = "undefined" if run.test is None else f"{run.test:.2f}"
        where = f"on {record['device']}" if record.get("device") else ""
        time = f"in {duration(record['seconds'])}" if "seconds" in record else ""
        yield from _field(
            f"run, seed {run.seed}",
            " ".join(part for part in (value, where, time) if part),
            f"runs/{chain.model}/{record['run']}" if "run" in record else "",
            f"sha256 {record['sha256']}" if "sha256" in record else "",
        )
    first = chain.choice.runs[0]
    if isinstance(first.recipe, Mapping):
        asked = ("learning_rate", "batch_size", "epochs", "length", "warmup")
        yield from _field("recipe", ", ".join(f"{key} {first.recipe[key]}" for key in asked if key in first.recipe))
    versions = first.record.get("versions") or {}
    yield from _field("versions", ", ".join(f"{name} {number}" for name, number in versions.items()))


def _examples(chain: Chain) -> Iterator[str]:
    evidence = chain.evidence
    if evidence is None:
        yield from _field("test examples", "no statistics of them were kept")
        return
    yield from _field("code of the runs", f"commit {evidence.commit}" if evidence.commit else "not a git checkout")
    if chain.task in evidence.samples:
        yield from _field("test examples", f"{evidence.samples[chain.task].number:,}, their statistics are kept")
    else:
        yield from _field("test examples", evidence.problems.get(chain.task, "no statistics of them were kept"))
    for name in dict.fromkeys((chain.train_task, chain.task)):
        meta = evidence.tasks.get(name)
        if meta:
            numbers = ", ".join(f"{split} {meta['counts'].get(split, 0):,}" for split in ("train", "dev", "test"))
            yield from _field(f"task {name}", numbers, *_files(meta["inputs"]))


def _checkpoint(chain: Chain) -> Iterator[str]:
    yield ""
    yield from _field("model", f"{chain.model} ({chain.kind})")
    if not chain.lineage:
        yield from _field("", "no lineage was recorded for it: the model was gone before it could be")
        return
    for _, meta in stages_of(chain.lineage, "models"):
        weights = meta.get("weights_sha256")
        yield from _field("checkpoint", f"weights sha256 {weights}" if weights else "", _recipe(meta))
    training = chain.training or chain.lineage["training"]
    if training:
        tokens = f", {count(training['tokens'])} tokens" if "tokens" in training else ""
        seconds = training.get("seconds", 0.0)
        devices = training.get("processes", 1)
        yield from _field(
            "pretraining",
            f"{training.get('steps', 0):,} steps{tokens} in {duration(seconds)} on {devices} × {training.get('device')}"
            f" ({seconds * devices / 3600:.2g} device-hours)",
            ", ".join(f"{name} {number}" for name, number in training.get("versions", {}).items()),
        )
    commit = chain.lineage["commit"]
    yield from _field("code of the model", f"commit {commit}" if commit else "not a git checkout")


def _before(chain: Chain) -> Iterator[str]:
    named = _named(chain.lineage)
    for title, kinds in KINDS.items():
        found = list(stages_of(chain.lineage, *kinds))
        shown = found if kinds != ("documents",) else found[:MOST]
        for folder, meta in shown:
            fingerprint = _fingerprint(chain.lineage, folder)
            # What a later stage says that it read, by fingerprint or by the checksums of files.
            read = named & {fingerprint, *meta.get("sha256", {}).values()}
            yield from _field(
                title,
                f"{folder}  (fingerprint {fingerprint}{', named by a later stage' if read else ''})",
                _counts(meta),
                *(_files(meta["inputs"]) if kinds == ("documents",) else _files(meta.get("sha256", {}))),
                _said(meta),
            )
            title = ""
        if len(found) > len(shown):
            inputs = {name for _, meta in found for name in meta["inputs"]}
            yield from _field("", f"... {len(found)} shards of {len(inputs)} downloads in all")
    for name, checksum in chain.lineage.get("downloads", {}).items():
        yield from _field("download, whole", f"{name}  sha256 {checksum}")
    gone = [stage["folder"] for stage in chain.lineage.get("stages", []) if not stage["meta"]]
    if gone:
        yield from _field("gone before", "they could be recorded: " + ", ".join(gone[:MOST]))


def _fingerprint(lineage: Mapping[str, Any], folder: str) -> str:
    return next(stage["fingerprint"] for stage in lineage["stages"] if stage["folder"] == folder)


def _named(lineage: Mapping[str, Any]) -> set[str]:
    """Every fingerprint that some stage gives for an input."""

    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            for inner in value.values():
                yield from texts(inner)
        elif isinstance(value, list):
            for inner in value:
                yield from texts(inner)

    metas = [stage["meta"] for stage in lineage.get("stages", []) if stage["meta"]]
    return {text for meta in metas for text in texts(meta["inputs"])}


def _counts(meta: Mapping[str, Any]) -> str:
    numbers = [f"{name.replace('_', ' ')} {number:,}" for name, number in meta["counts"].items()]
    return ", ".join(numbers[:6])


def _said(meta: Mapping[str, Any]) -> str:
    """Where a repository of the hub is from."""
    parameters = meta["parameters"]
    if "repository" not in parameters:
        return ""
    return f"{parameters['repository']} at revision {parameters.get('revision')}"


def _recipe(meta: Mapping[str, Any]) -> str:
    settings = meta["parameters"].get("recipe", {})
    asked = ("steps", "batch_size", "length", "learning_rate", "objective", "seed")
    return ", ".join(f"{key} {settings[key]}" for key in asked if settings.get(key) is not None)


def _files(inputs: Mapping[str, Any]) -> Iterable[str]:
    """Name and checksum of the first files, and how many more there are."""
    named = [(name, text) for name, text in inputs.items() if isinstance(text, str)]
    yield from (f"{name}  sha256 {text}" for name, text in named[:MOST])
    if len(named) > MOST:
        yield f"... and {len(named) - MOST} more files"
