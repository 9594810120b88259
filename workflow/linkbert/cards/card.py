"""A trained model as a folder for the Hub: weights, tokenizer, and a card that says what it is and how good.

The scores of a card are our own, from score files; the paper's numbers are never shown as a model's.
"""

import json
import math
import shutil
import struct
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from linkbert.errors import UserError
from linkbert.files import atomic_folder, read_json, read_meta
from linkbert.progress import count, duration
from linkbert.tables.layout import ON_DEV, number
from linkbert.tables.scores import Choice, load_scores, select
from linkbert.tables.text import aligned, plain

# Kind of task -> how the Hub calls it; metric -> how its library of metrics does.
TASKS = {"span": "question-answering", "tagging": "token-classification", "choice": "multiple-choice"}
METRICS = {"f1": "f1", "accuracy": "accuracy", "matthews": "matthews_correlation", "pearson": "pearsonr"}
OBJECTIVES = {
    "mlm_drp": "masked language modeling and document relation prediction (contiguous, random, linked)",
    "mlm_nsp": "masked language modeling and next sentence prediction, without document links: the baseline",
    "mlm": "masked language modeling alone",
}
Card = Mapping[str, Any]


def make_card(model: Path, card: Card, scores: Iterable[Path], lineage: Mapping[str, Any], output: Path) -> None:
    """Write the folder: a copy of the model's files, and README.md.

    Args:
        model: the model's folder.
        card: what the declarations say of it (`linkbert.cards.wanted`).
        scores: its score files.
        lineage: its recorded lineage.

    Raises:
        UserError: the folder is not a finished model that was trained here.
    """
    read_meta(model, "pretrain")
    if not (model / "training.json").exists():
        raise UserError(f"{model}: was not trained here (it has no training.json); its publisher's card is its card.")
    training, config = read_json(model / "training.json"), read_json(model / "config.json")
    choices = select(load_scores(scores))
    text = readme(card, training, config, parameters(model / "model.safetensors"), choices, lineage)
    with atomic_folder(output) as folder:
        for file in sorted(model.iterdir()):
            shutil.copyfile(file, folder / file.name)
        (folder / "README.md").write_text(text, encoding="utf-8")


def parameters(weights: Path) -> int:
    """The parameters of the encoder in a safetensors file, heads left out, from its header."""
    with weights.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
    return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name.startswith("bert."))


def readme(
    card: Card,
    training: Mapping[str, Any],
    config: Mapping[str, Any],
    size: int,
    choices: Mapping[tuple[str, str], Choice],
    lineage: Mapping[str, Any],
) -> str:
    """The card: a YAML header for the Hub, then Markdown for people."""
    header = yaml.safe_dump(_header(card, choices), sort_keys=False, allow_unicode=True, width=120)
    lines = [f"# {plain(card['title'])}", ""]
    lines += [f"> **{plain(card['note'])}**", ""] if card["note"] else []
    lines += [*_description(card, training, config, size), *_usage(card), *_results(card, choices)]
    lines += [*_data(card, lineage), *_recipe(training), "## Limits", ""]
    lines += [f"- {' '.join(limit.split()).format(positions=_positions(config))}" for limit in card["limits"]]
    lines += ["", "## Citation", "", "```bibtex", card["citation"].rstrip(), "```"]
    return f"---\n{header}---\n\n" + "\n".join(lines) + "\n"


def _positions(config: Mapping[str, Any]) -> int:
    return config["max_position_embeddings"]


def _header(card: Card, choices: Mapping[tuple[str, str], Choice]) -> dict[str, Any]:
    header: dict[str, Any] = {
        "license": card["licence"],
        "language": card["language"],
        "library_name": "transformers",
        "pipeline_tag": "fill-mask",
        "tags": list(card["tags"]),
    }
    datasets = list(dict.fromkeys(corpus["dataset"] for corpus in card["corpora"].values() if "dataset" in corpus))
    if datasets and not card["generated"]:
        header["datasets"] = datasets
    if card["base_model"] and "://" not in card["base_model"] and not card["generated"]:
        header["base_model"] = card["base_model"]
    scored = [choice for choice in choices.values() if choice.estimate]
    metrics = sorted({METRICS[choice.runs[0].record["metric"]] for choice in scored if _metric(choice) in METRICS})
    if metrics:
        header["metrics"] = metrics
    results = [_indexed(card, task, choice) for (_, task), choice in choices.items() if choice.estimate]
    if results and not card["generated"]:
        header["model-index"] = [{"name": card["name"], "results": results}]
    return header


def _metric(choice: Choice) -> str:
    return choice.runs[0].record["metric"]


def _on_dev(choice: Choice) -> bool:
    return any(run.test_is_dev for run in choice.runs)


def _indexed(card: Card, task: str, choice: Choice) -> dict[str, Any]:
    about = card["tasks"][task]
    assert choice.estimate is not None
    split = {"split": "validation"} if _on_dev(choice) else {}
    return {
        "task": {"type": TASKS.get(about["kind"], "text-classification")},
        "dataset": {"type": task, "name": about["title"], **split},
        "metrics": [{"type": METRICS.get(_metric(choice), _metric(choice)), "value": round(choice.estimate.mean, 2)}],
    }


def _description(card: Card, training: Mapping[str, Any], config: Mapping[str, Any], size: int) -> Iterator[str]:
    objective = OBJECTIVES.get(training["recipe"].get("objective", ""), "")
    yield (
        f"A BERT encoder with {count(size)} parameters ({config['num_hidden_layers']} layers of width "
        f"{config['hidden_size']}, {config['vocab_size']:,} word pieces, inputs up to {_positions(config)}), "
        f"pretrained with {objective}."
    )
    if card["sampling"]["links"] != "none":
        share = 100 * float(card["sampling"]["linked"])
        yield (
            f"Segments of linked documents ({card['sampling']['links']}) stand in one input for {share:.0f} % of "
            "instances where links permit."
        )
    if not card["base_model"]:
        yield "It was trained from scratch."
    elif card["generated"]:
        yield f"It continues from a small stand-in for {card['base_model']}."
    elif "://" in card["base_model"]:
        yield "It continues from a model of our own."
    else:
        yield f"It continues from [{card['base_model']}](https://huggingface.co/{card['base_model']})."
    yield (
        "The method is that of [LinkBERT](https://aclanthology.org/2022.acl-long.551/); the weights are not the "
        "authors' but those of an independent reproduction."
    )
    yield ""


def _usage(card: Card) -> list[str]:
    return [
        "## How to use it",
        "",
        "As any BERT: give `PATH` the name or folder of this model.",
        "",
        "```python",
        "from transformers import AutoModel, AutoTokenizer",
        "",
        'PATH = "."',
        "tokenizer = AutoTokenizer.from_pretrained(PATH)",
        "model = AutoModel.from_pretrained(PATH)",
        'inputs = tokenizer("Hello, my dog is cute", return_tensors="pt")',
        "states = model(**inputs).last_hidden_state",
        "```",
        "",
        "It is meant to be fine-tuned: for question answering, classification, tagging. `AutoModelForMaskedLM` and",
        "`AutoModelForPreTraining` load its heads as well.",
        "",
    ]


def _results(card: Card, choices: Mapping[tuple[str, str], Choice]) -> list[str]:
    lines = ["## Results", ""]
    rows = [["task", "metric", "test", "± over seeds", "seeds"]]
    for (_, task), choice in choices.items():
        found = choice.estimate
        if found:
            spread = "" if found.spread is None else number(found.spread, 2)
            title = plain(card["tasks"][task]["title"]) + (ON_DEV if _on_dev(choice) else "")
            rows.append([title, _metric(choice), number(found.mean, 2), spread, str(len(found.by_seed))])
    if len(rows) == 1:
        return [*lines, "It was not fine-tuned yet.", ""]
    about = "After fine-tuning, in percent; the point of the grid was chosen on the development set."
    below = [f"{ON_DEV} tested on the development set too: of several points the best score.", ""]
    marked = any(_on_dev(choice) for choice in choices.values() if choice.estimate)
    return [*lines, f"{about} All are our own runs.", "", *aligned(rows, left=2), "", *(below if marked else [])]


def _data(card: Card, lineage: Mapping[str, Any]) -> list[str]:
    metas = {stage["folder"]: stage["meta"] for stage in lineage["stages"] if stage["meta"]}

    def edges(corpus: str, links: str) -> str:
        meta = metas.get(f"graphs/{corpus}/{links}")
        return f"{meta['counts']['edges']:,}" if meta and "edges" in meta["counts"] else ""

    rows = [["corpus", "documents", "word pieces", "links", "instances"]]
    for corpus, about in card["corpora"].items():
        documents, tokens, instances = (
            _summed(metas, kind, corpus, key)
            for kind, key in (("documents", "documents"), ("tokens", "tokens"), ("instances", "instances"))
        )
        links = card["sampling"]["links"] if about["links"] != "none" else "none"
        shown = f"{edges(corpus, links)} {links}".strip() if links != "none" else "none used"
        rows.append([corpus, documents, tokens, shown, instances])
    lines = ["## Training data", "", *aligned(rows, left=1), ""]
    if card["generated"]:
        return [*lines, "All of it is a generated world; the corpora have the names of those that they stand for.", ""]
    lines += [f"- {name}: {about['about']}." for name, about in card["corpora"].items() if about.get("about")]
    return [*lines, ""]


def _summed(metas: Mapping[str, Any], kind: str, corpus: str, key: str) -> str:
    """A count of a corpus, summed over its shards; empty where it was not recorded."""
    found = [meta["counts"].get(key) for folder, meta in metas.items() if folder.split("/")[:2] == [kind, corpus]]
    numbers = [number for number in found if number is not None]
    return f"{sum(numbers):,}" if numbers else ""


def _recipe(training: Mapping[str, Any]) -> list[str]:
    recipe = training["recipe"]
    hours = training["seconds"] * training.get("processes", 1) / 3600
    asked = ("learning_rate", "batch_size", "length", "warmup", "weight_decay", "betas", "masking", "precision", "seed")
    settings = [f"- {key.replace('_', ' ')}: {recipe[key]}" for key in asked if recipe.get(key) is not None]
    return [
        "## Training",
        "",
        f"{training['steps']:,} steps, {count(training['tokens'])} tokens, {duration(training['seconds'])} on "
        f"{training.get('processes', 1)} × {training['device']} ({hours:.2g} device-hours).",
        "",
        *settings,
        "",
        "The curves stand in `training.json`, what it was made from in `meta.json`.",
        "",
    ]
