"""Sampled epochs, or the held-out instances, as a folder (docs/design.md, "instances")."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from linkbert.errors import UserError
from linkbert.files import atomic_folder, meta_fingerprint, write_meta
from linkbert.graph import Graph
from linkbert.graph.report import histogram
from linkbert.instances.format import LINKED, RELATIONS, Sampling, describe
from linkbert.instances.heldout import held_out
from linkbert.instances.sampling import Sampler, summarize
from linkbert.progress import Progress
from linkbert.text.tokenizer import load_tokenizer, tokenizer_fingerprint
from linkbert.text.tokens import Tokens, load_tokens

log = logging.getLogger(__name__)

HELD_OUT = "heldout"
_EXAMPLES = 3


def write_instances(
    tokens: str | Path,
    graph: str | Path | None,
    sampling: Sampling,
    tokenizer: str | Path,
    output: str | Path,
    *,
    length: int,
    seed: int,
    epochs: int = 1,
    heldout: float = 0.0,
    heldout_only: bool = False,
) -> dict[str, Any]:
    """Write ``epoch-000.npy`` … of the training documents, or ``heldout.npy`` of the others; returns the meta data.

    Held-out instances do not depend on a model's mixture: all three relations in equal shares with a graph, two
    without, as far as links among held-out documents permit.
    """
    if not 0 <= heldout < 1:
        raise UserError(f"--heldout {heldout}: must be at least 0 and below 1.")
    if heldout_only and not heldout:
        raise UserError("--heldout-only needs --heldout above 0: the fraction of documents to hold out.")
    if epochs < 1:
        raise UserError(f"--epochs {epochs}: at least one is needed.")
    corpus = load_tokens(tokens)
    links = Graph.load(graph) if graph else None
    inputs = {"tokens": meta_fingerprint(tokens), "tokenizer": tokenizer_fingerprint(tokenizer)}
    if inputs["tokenizer"] != corpus.meta["inputs"].get("tokenizer"):
        raise UserError(f"{tokens}: was made with another tokenizer than {tokenizer}. Name the one it was made with.")
    if links is not None:
        inputs["graph"] = meta_fingerprint(graph)
        if links.meta["inputs"].get("documents") != corpus.meta["inputs"].get("documents"):
            raise UserError(
                f"{graph}: is the graph of other documents than {tokens}. Build both from the same folders."
            )
    excluded = held_out(len(corpus), seed, heldout)
    if heldout_only:
        sampling = sampling.three_way(linked=links is not None)
    documents = excluded if heldout_only else ~excluded
    if not (documents & (np.diff(corpus.bounds) > 0)).any():
        side = "held out" if heldout_only else "left to train on"
        raise UserError(f"{tokens}: --heldout {heldout} leaves none of {len(corpus)} documents {side}.")
    sampler = Sampler(corpus, links, sampling, length, seed, documents)
    files: dict[str, dict[str, Any]] = {}
    diversity: dict[str, Any] = {}
    progress = Progress("sample instances", unit="instances")
    with atomic_folder(output) as folder:
        for epoch in [HELD_OUT] if heldout_only else range(epochs):
            instances, tally = sampler.sample(epoch)
            if not len(instances):
                raise UserError(f"{tokens}: no instance of the declared relations can be made from these documents.")
            name = f"{epoch}.npy" if heldout_only else f"epoch-{epoch:03d}.npy"
            np.save(folder / name, instances)
            files[name] = summarize(instances, length) | tally
            if len(files) == 1:
                diversity = link_diversity(sampler, instances, epoch)
                examples = _examples(corpus, instances, tokenizer, links)
                (folder / "examples.txt").write_text(examples, encoding="utf-8")
            progress.update(len(instances))
        progress.close()
        _report(files, sampler)
        parameters = asdict(sampling) | {"length": length, "seed": seed, "heldout": heldout}
        parameters |= {"heldout_only": True} if heldout_only else {"epochs": epochs}
        counts = {"documents": int(documents.sum()), "other_documents": int((~documents).sum())}
        counts["instances"] = sum(summary["instances"] for summary in files.values())
        dropped = {"anchors_without_relation": sum(summary["anchors_without_relation"] for summary in files.values())}
        return write_meta(
            folder,
            "instances",
            inputs=inputs,
            parameters=parameters,
            counts=counts,
            dropped=dropped,
            relations=list(RELATIONS),
            declared=_rounded(sampling.mixture),
            expected=_rounded(sampler.expected),
            weights=_rounded(sampler.weights),
            files=files,
            link_diversity=diversity,
        )


def link_diversity(sampler: Sampler, instances: np.ndarray, epoch: int | str) -> dict[str, Any]:
    """What the in-degree correction does (paper section 4.3): the same anchors with and without it.

    `top_share`: linked instances whose B is among the 1 % documents of highest in-degree; `effective_documents`: the
    exponential of the entropy of the linked documents; `mean_in_degree` of them. `in_degree`: linked instances by the
    in-degree of B, in classes that double.
    """
    if sampler.graph is None or not (instances["relation"] == LINKED).any():
        return {}
    in_degree = np.asarray(sampler.graph.in_degree)
    usable = np.flatnonzero(sampler.usable)
    top = usable[np.argsort(-in_degree[usable], kind="stable")[: max(len(usable) // 100, 1)]]
    result: dict[str, Any] = {"top_documents": len(top)}
    classes = list(histogram(in_degree))
    partners: dict[str, Any] = {"classes": classes}
    for kind in ("inverse", "uniform"):
        targets = sampler.redraw(instances, epoch, kind)
        _, count = np.unique(targets, return_counts=True)
        share = count / len(targets)
        result[kind] = {
            "top_share": round(float(np.isin(targets, top).mean()), 6),
            "effective_documents": round(float(np.exp(-(share * np.log(share)).sum())), 1),
            "distinct_documents": len(count),
            "mean_in_degree": round(float(in_degree[targets].mean()), 2),
        }
        found = histogram(in_degree[targets])
        partners[kind] = {
            "instances": [found.get(name, 0) for name in classes],
            "mean": result[kind]["mean_in_degree"],
        }
    return result | {"in_degree": partners}


def _examples(tokens: Tokens, instances: np.ndarray, tokenizer: str | Path, graph: Graph | None) -> str:
    model = load_tokenizer(tokenizer)
    return "\n\n".join(describe(tokens, row, model, graph) for row in instances[:_EXAMPLES]) + "\n"


def _report(files: dict[str, dict[str, Any]], sampler: Sampler) -> None:
    for name, summary in files.items():
        shares = ", ".join(f"{r} {share:.1%}" for r, share in zip(RELATIONS, summary["realised"], strict=True))
        log.info("%s: %d instances, %s, fill %.1f %%", name, summary["instances"], shares, 100 * summary["fill"])
    if np.abs(sampler.expected - sampler.sampling.mixture).max() > 0.005:
        wanted = ", ".join(f"{r} {s:.1%}" for r, s in zip(RELATIONS, sampler.sampling.mixture, strict=True))
        log.warning("the corpus does not permit the declared mixture (%s): too few anchors have each relation", wanted)


def _rounded(values: np.ndarray) -> list[float]:
    return [round(float(value), 6) for value in values]
