"""What the rules ask up to a pretrained model: downloads, corpora, tokenizers, graphs, instances, models.

Every method here turns names (wildcards) into paths, JSON or command-line arguments; nothing here does work.
"""

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from linkbert import STAGE
from linkbert.declarations import Declarations, names
from linkbert.errors import UserError
from linkbert.pretraining.recipe import OPERATIONAL

Wildcards = Any  # Snakemake's wildcards: names as attributes
NOTHING = r"(?!)"  # a pattern that matches no name


class Chain(Declarations):
    """The declarations of an experiment, and the way from its downloads to its models."""

    def __init__(self, config: Mapping[str, Any], root: Path):
        super().__init__(config, root)
        self.results = f"results/{config['experiment']}"

    def pattern(self, table: str, **having: str) -> str:
        """A regular expression for the rows of a table, e.g. ``pattern("models", kind="released")``."""
        rows = getattr(self, table)
        chosen = [name for name, row in rows.items() if all(row[key] == value for key, value in having.items())]
        return "|".join(re.escape(name) for name in chosen) or NOTHING

    # Downloads ------------------------------------------------------------------------------------------------------

    def _mirror(self) -> str:
        mirror = self.config["downloads"]
        return " ".join(f"--{key} {shlex.quote(mirror[key])}" for key in ("mirror", "checksums") if mirror.get(key))

    def download_source(self, wildcards: Wildcards) -> str:
        row = self._require("downloads", "downloads", wildcards.file)
        url = row["url"]
        own = url.startswith("file://")  # where it is said to be; a mirror serves what others publish
        mirror = "" if own else self._mirror()
        if url.startswith("mirror:") and mirror:
            url = f"{self.config['downloads']['mirror'].rstrip('/')}/{url.removeprefix('mirror:')}"
            return f"--url {shlex.quote(url)}"
        if url == "provided":
            url = f"provided:{row['note']}"
        parts = [f"--url {shlex.quote(url)}", mirror]
        if own or not self.config["downloads"].get("checksums"):
            parts += [f"--sha256 {row['sha256']}" if row["sha256"] else ""]
            parts += [f"--md5{'-url' if '/' in row['md5'] else ''} {row['md5']}" if row["md5"] else ""]
        return " ".join(part for part in parts if part)

    def hub_source(self, wildcards: Wildcards) -> str:
        row = self.hub[wildcards.hub]
        if row["repository"].startswith("file://"):
            return f"--repository {shlex.quote(row['repository'])} --revision '' --kind {row['kind']}"
        branch = " --allow-branch" if row["revision"] == "main" else ""
        source = f"--repository {row['repository']} --revision {row['revision']} --kind {row['kind']}{branch}"
        return f"{source} {self._mirror()}".strip()

    # Corpora, tokenizers, graphs ------------------------------------------------------------------------------------

    def corpus_files(self, wildcards: Wildcards) -> list[str]:
        """The downloads that a shard reads: its own group of the files, or the one file that all shards share."""
        files = names(self.corpora[wildcards.corpus]["files"])
        if len(files) > 1:
            shards = int(self.corpora[wildcards.corpus]["shards"])
            shard = int(wildcards.shard)
            files = files[len(files) * shard // shards : len(files) * (shard + 1) // shards]
        return [f"{self.results}/downloads/{file}" for file in files]

    def shard_arguments(self, wildcards: Wildcards) -> str:
        """Which part of its files a shard takes: all of a group of files, or a byte range of a single one."""
        row = self.corpora[wildcards.corpus]
        single = len(names(row["files"])) == 1
        return f"--shard {int(wildcards.shard)} --shards {row['shards']}" if single else "--shard 0 --shards 1"

    def documents(self, wildcards: Wildcards) -> list[str]:
        return self.corpus_documents(wildcards.corpus)

    def corpus_documents(self, corpus: str) -> list[str]:
        shards = int(self.corpora[corpus]["shards"])
        return [f"{self.results}/documents/{corpus}/{shard:04d}" for shard in range(shards)]

    def tokenizer_inputs(self, wildcards: Wildcards) -> list[str]:
        kind, _, source = self.tokenizers[wildcards.tokenizer]["source"].partition(":")
        return [f"{self.results}/hub/{source}"] if kind == "hub" else self.corpus_documents(source)

    def tokenizer_source(self, wildcards: Wildcards) -> str:
        row = self.tokenizers[wildcards.tokenizer]
        if row["source"].startswith("hub:"):
            return "--source"
        lowercase = "--lowercase " if row["lowercase"] == "yes" else ""
        return f"--vocab-size {row['vocab_size']} {lowercase}--documents"

    def graph_like(self, wildcards: Wildcards) -> list[str]:
        """The graph whose out-degrees a random graph copies: the corpus' own."""
        if wildcards.links != "random":
            return []
        own = self.corpora[wildcards.corpus]["links"]
        if own == "none":
            raise UserError(f"corpora.tsv: '{wildcards.corpus}' has no links, so there are no out-degrees to copy.")
        return [f"{self.results}/graphs/{wildcards.corpus}/{own}"]

    def search_arguments(self, wildcards: Wildcards) -> str:
        """How TF-IDF neighbors are searched; other graphs do not depend on it."""
        search = self.config["graph"].get("search", {}) if wildcards.links == "tfidf" else {}
        return f"--search {shlex.quote(json.dumps(search))}" if search else ""

    # Instances ------------------------------------------------------------------------------------------------------

    def sampling_for(self, corpus: str, sampling: str) -> str:
        """The sampling that a corpus really uses: a corpus without links is sampled as BERT does (section 5.1)."""
        return sampling if self.corpora[corpus]["links"] != "none" else "bert"

    def sampling_graph(self, wildcards: Wildcards) -> list[str]:
        links = self.samplings[wildcards.sampling]["links"]
        return [] if links == "none" else [f"{self.results}/graphs/{wildcards.corpus}/{links}"]

    def heldout_graph(self, wildcards: Wildcards) -> list[str]:
        links = self.corpora[wildcards.corpus]["links"]
        return [] if links == "none" else [f"{self.results}/graphs/{wildcards.corpus}/{links}"]

    def _sampling(self, name: str) -> str:
        row = self.samplings[name]
        shares = {key: float(row[key]) for key in ("contiguous", "random", "linked", "short")}
        return json.dumps({**shares, **{key: row[key] for key in ("in_degree", "link_scope", "b_start")}})

    def sampling_json(self, wildcards: Wildcards) -> str:
        return self._sampling(wildcards.sampling)

    def heldout_json(self, wildcards: Wildcards) -> str:
        """Held-out instances follow the corpus' own links, whatever a model is trained on."""
        links = self.corpora[wildcards.corpus]["links"]
        own = [name for name, row in self.samplings.items() if row["links"] == links]
        return self._sampling(own[0] if own else "bert")

    def instance_arguments(self) -> str:
        instances = self.config["instances"]
        return f"--length {instances['length']} --heldout {instances['heldout']} --seed {self.config['seed']}"

    def audit_reports(self) -> list[str]:
        kinds = {
            (corpus, row["tokenizer"], self.sampling_for(corpus, row["sampling"]))
            for row in self.models.values()
            for corpus in names(row["corpora"])
        }
        return [
            f"{self.results}/audits/{corpus}/{tokenizer}/{sampling}.txt"
            for corpus, tokenizer, sampling in sorted(kinds)
        ]

    # Models ---------------------------------------------------------------------------------------------------------

    def model_tokenizer(self, wildcards: Wildcards) -> str:
        return f"{self.results}/tokenizers/{self.models[wildcards.model]['tokenizer']}"

    def model_init(self, wildcards: Wildcards) -> list[str]:
        hub = self.models[wildcards.model]["hub"]
        return [f"{self.results}/hub/{hub}"] if hub else []

    def _sources(self, model: str) -> list[tuple[str, str, str]]:
        """(tokens, instances, held-out) folders of a model, one triple a corpus."""
        row = self.models[model]
        tokenizer = row["tokenizer"]
        return [
            (
                f"{self.results}/tokens/{corpus}/{tokenizer}",
                f"{self.results}/instances/{corpus}/{tokenizer}/{self.sampling_for(corpus, row['sampling'])}",
                f"{self.results}/heldout/{corpus}/{tokenizer}",
            )
            for corpus in names(row["corpora"])
        ]

    def model_tokens(self, wildcards: Wildcards) -> list[str]:
        return [tokens for tokens, _, _ in self._sources(wildcards.model)]

    def model_instances(self, wildcards: Wildcards) -> list[str]:
        return [instances for _, instances, _ in self._sources(wildcards.model)]

    def model_heldout(self, wildcards: Wildcards) -> list[str]:
        return [heldout for _, _, heldout in self._sources(wildcards.model)]

    def pretraining_sources(self, wildcards: Wildcards) -> str:
        triples = self._sources(wildcards.model)
        sources = " ".join(f"{tokens}={instances}" for tokens, instances, _ in triples)
        evaluation = " ".join(f"{tokens}={heldout}" for tokens, _, heldout in triples)
        return f"--sources {sources} --evaluation {evaluation}"

    def pretraining(self, model: str) -> dict[str, Any]:
        """The whole pretraining recipe of a model: size, schedule, objective, masking, seed."""
        row = self.models[model]
        recipe = {"seed": self.config["seed"], "length": self.config["instances"]["length"]}
        recipe |= {"size": self.config["sizes"][row["size"]], "objective": row["objective"]}
        return recipe | self.config["pretraining"][row["recipe"]]

    def pretraining_json(self, wildcards: Wildcards) -> str:
        return json.dumps(self.pretraining(wildcards.model))

    def lineage(self, model: str) -> dict[str, Any]:
        """Every setting that a model's weights depend on, for the names of its scores and of its checkpoints' folder.

        Settings that change how a model is trained but, up to rounding, not into what (`OPERATIONAL`) are left out.
        """
        row = self.models[model]
        corpora = names(row["corpora"])
        tokenizer = self.tokenizers[row["tokenizer"]]
        stages = ("download", "documents", "tokenizer", "tokens", "graph", "instances", "pretrain")
        lineage: dict[str, Any] = {
            "stages": {stage: STAGE[stage] for stage in stages},
            "kind": row["kind"],
            "hub": self.hub.get(row["hub"]),
            "tokenizer": {key: tokenizer[key] for key in ("source", "vocab_size", "lowercase")},
            "downloads": self.config["downloads"].get("checksums") and self.config.get("world"),
        }
        if row["kind"] == "pretrained":
            used = {self.sampling_for(corpus, row["sampling"]) for corpus in corpora}
            graph = dict(self.config["graph"])
            if "tfidf" not in {self.samplings[sampling]["links"] for sampling in used}:
                graph.pop("search", None)  # a setting of TF-IDF graphs alone
            recipe = self.pretraining(model)
            lineage |= {
                "recipe": {key: value for key, value in recipe.items() if key not in OPERATIONAL},
                "corpora": [
                    {key: self.corpora[corpus][key] for key in ("format", "files", "links", "options")}
                    for corpus in corpora
                ],
                "samplings": [[self.samplings[name]["links"], self._sampling(name)] for name in sorted(used)],
                "instances": self.config["instances"],
                "graph": graph,
            }
        return lineage
