"""The declarations: tables of `config/` and the experiment's configuration, read, checked, and asked questions.

A table is tab-separated text whose first column is the row's name; lines that begin with ``#`` are comments.
Every row is checked against ``workflow/schemas/<table>.schema.yaml`` and every reference between tables is followed,
so that a wrong name ends here, in a sentence, before anything runs. Needs neither pandas nor torch: it runs at every
start of the workflow.
"""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from linkbert.errors import UserError, unknown
from linkbert.files import sha256_of
from linkbert.recipes import read_row

Row = dict[str, Any]
TABLES = ("downloads", "hub", "corpora", "tokenizers", "samplings", "models", "tasks")
SINGULAR = {"corpora": "corpus", "hub": "row of hub.tsv"}
# What the Snakefile reads before any --configfile.
CONFIGURATION = tuple(f"config/{name}.yaml" for name in ("tables", "report", "cards", "cluster", "paper"))
_EXPONENT = re.compile(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+")
SCHEMAS = Path(__file__).resolve().parent.parent / "schemas"


def expand(pattern: str) -> list[str]:
    """Expand one numeric range in braces, keeping leading zeros.

    >>> expand("pubmed25n{0009..0011}.xml.gz")
    ['pubmed25n0009.xml.gz', 'pubmed25n0010.xml.gz', 'pubmed25n0011.xml.gz']
    >>> expand("book.txt")
    ['book.txt']
    """
    found = re.search(r"\{(\d+)\.\.(\d+)\}", pattern)
    if not found:
        return [pattern]
    first, last = found.groups()
    numbers = range(int(first), int(last) + 1)
    return [f"{pattern[: found.start()]}{n:0{len(first)}d}{pattern[found.end() :]}" for n in numbers]


@cache  # each of PubMed's shards asks for the same thousand files
def names(text: str) -> tuple[str, ...]:
    """The names in a comma-separated cell, ranges expanded."""
    return tuple(name for part in text.split(",") if part.strip() for name in expand(part.strip()))


def read_table(path: Path) -> Iterator[tuple[int, Row]]:
    """Yield (line number, row) of a tab-separated table; empty cells become empty strings."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # a spreadsheet may put a mark before the first column
    except FileNotFoundError:
        raise UserError(f"{path}: no such table. Known places are listed under 'declarations' in the config.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not a table in UTF-8 ({error}). Save it as tab-separated text in UTF-8.") from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip() and line[0] != "#"]
    if not lines:
        raise UserError(f"{path}: the table is empty; its first line must name the columns.")
    columns = lines[0][1].split("\t")
    for number, line in lines[1:]:
        cells = next(csv.reader(io.StringIO(line), delimiter="\t", quoting=csv.QUOTE_NONE))
        if len(cells) > len(columns):
            raise UserError(f"{path}, line {number}: {len(cells)} cells, but the table has {len(columns)} columns.")
        cells += [""] * (len(columns) - len(cells))
        yield number, dict(zip(columns, (cell.strip() for cell in cells), strict=True))


def load_configuration(paths: Iterable[Path]) -> dict[str, Any]:
    """The configuration of several YAML files, merged as Snakemake merges them: later files win, key by key."""
    merged: dict[str, Any] = {}
    for path in paths:
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UserError(f"{path}: no such configuration file.") from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: not valid YAML ({error}).") from None
        if not isinstance(content, dict):
            raise UserError(f"{path}: a configuration file holds keys and values, like config/paper.yaml.")
        _merge(merged, content)
    return merged


def _merge(into: dict[str, Any], other: Mapping[str, Any]) -> None:
    for key, value in other.items():
        if isinstance(value, dict):
            known = into.get(key)
            into[key] = dict(known) if isinstance(known, dict) else {}
            _merge(into[key], value)
        else:
            into[key] = value


def check(where: str, value: Any, schema: Mapping[str, Any]) -> None:
    """Raise a UserError that names the key, what was found and what is known, where `value` breaks a JSON schema."""
    problems = sorted(Draft202012Validator(schema).iter_errors(value), key=lambda error: list(error.absolute_path))
    if not problems:
        return
    problem = problems[0]
    key = ".".join(str(part) for part in problem.absolute_path)
    if problem.validator == "additionalProperties":
        known = problem.schema.get("properties", {})
        extra = next(name for name in problem.instance if name not in known)
        raise unknown(f"{where}{': ' + key if key else ''}", "key", extra, known)
    if problem.validator == "enum":
        raise unknown(where, key, problem.instance, problem.validator_value)
    if problem.validator == "required":
        absent = next(name for name in problem.validator_value if name not in problem.instance)
        about = problem.schema.get("properties", {}).get(absent, {}).get("description")
        found = f"{where}: {key + '.' if key else ''}{absent} is missing."
    else:
        about = problem.schema.get("description")
        found = f"{where}: {key or 'value'}: {problem.message}."
    hint = ""
    if problem.validator == "type" and isinstance(problem.instance, str) and _EXPONENT.fullmatch(problem.instance):
        hint = " YAML reads a number with an exponent only where it has a point and a sign, such as 1.0e-3."
    raise UserError(found + (f" It is: {about}." if about else "") + hint)


def load_schema(name: str) -> dict[str, Any]:
    """The JSON schema of a table or of the configuration."""
    return yaml.safe_load((SCHEMAS / f"{name}.schema.yaml").read_text(encoding="utf-8"))


class Declarations:
    """All tables of an experiment, each a dict from row name to row, checked against schemas and one another."""

    def __init__(self, config: Mapping[str, Any], root: Path):
        check("config", dict(config), load_schema("config"))
        self.config, self.root = config, root
        known = (*TABLES, "recipes", "tables")
        for name in config.get("overrides", {}):
            if name not in known:
                raise unknown("config: overrides", "table", name, known)
        self.tables: dict[str, Any] = self._tables()
        for table in TABLES:
            setattr(self, table, self._load(table))
        self.recipes: list[Row] = list(self._rows("recipes"))
        self._check_references()

    downloads: dict[str, Row]
    hub: dict[str, Row]
    corpora: dict[str, Row]
    tokenizers: dict[str, Row]
    samplings: dict[str, Row]
    models: dict[str, Row]
    tasks: dict[str, Row]

    def _tables(self) -> dict[str, Any]:
        """The definitions of the tables; ``overrides.tables`` replaces keys of single columns: table, column, key."""
        # A configuration that builds on another one takes a table away by setting it to null.
        tables = {name: dict(table) for name, table in self.config["tables"].items() if table}
        for name, columns in self.config.get("overrides", {}).get("tables", {}).items():
            if name not in self.config["tables"]:
                raise unknown("config: overrides.tables", "table", name, self.config["tables"])
            if name in tables:
                ids = [column["id"] for column in tables[name]["columns"]]
                for column in columns:
                    if column not in ids:
                        raise unknown(f"config: overrides.tables.{name}", "column", column, ids)
                tables[name]["columns"] = [{**one, **columns.get(one["id"], {})} for one in tables[name]["columns"]]
        return tables

    def _rows(self, table: str) -> Iterator[Row]:
        schema = load_schema(table)
        overrides = {name: dict(cells) for name, cells in self.config.get("overrides", {}).get(table, {}).items()}
        found = []
        paths = self.config["declarations"][table]
        for path in [paths] if isinstance(paths, str) else paths:
            for number, cells in read_table(self.root / path):
                key = next(iter(cells.values()))
                # A table may leave out the columns that its rows leave empty.
                row = cells | {column: "" for column in schema["properties"] if column not in cells}
                found.append(key)
                if key in overrides:
                    row.update({column: str(cell) for column, cell in overrides[key].items()})
                check(f"{path}, line {number} ({key})", row, schema)
                if table == "recipes":
                    read_row(f"{path}, line {number}", row)
                yield row
        for name in overrides.keys() - set(found):
            raise unknown(f"config: overrides.{table}", "row", name, found)

    def _load(self, table: str) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        for row in self._rows(table):
            column = next(iter(row))
            copies = expand(row[column])
            # A range in the name expands every cell that holds a range: addresses, checksums' addresses.
            cells = {key: expand(cell) if "{" in cell else [cell] * len(copies) for key, cell in row.items()}
            for index, name in enumerate(copies):
                if name in rows:
                    raise UserError(f"{table}: '{name}' is declared twice; names must be unique.")
                rows[name] = row if len(copies) == 1 else {key: copy[index] for key, copy in cells.items()}
        return rows

    def _require(self, where: str, table: str, name: str) -> Row:
        rows = getattr(self, table)
        if name not in rows:
            raise unknown(where, SINGULAR.get(table, table.removesuffix("s")), name, rows)
        return rows[name]

    def _check_references(self) -> None:
        for corpus, row in self.corpora.items():
            for file in names(row["files"]):
                self._require(f"corpora.tsv ({corpus})", "downloads", file)
            files, shards = len(names(row["files"])), int(row["shards"])
            if shards > files and (files > 1 or row["format"] != "mediawiki"):  # one multistream dump can be cut
                raise UserError(
                    f"corpora.tsv ({corpus}): {shards} shards, but only {files} file{'s' if files > 1 else ''}. "
                    f"A file of this format is read whole: set shards to {files} or fewer."
                )
            _json_cell(f"corpora.tsv ({corpus})", row["options"])
        for tokenizer, row in self.tokenizers.items():
            kind, _, source = row["source"].partition(":")
            self._require(f"tokenizers.tsv ({tokenizer})", {"hub": "hub", "train": "corpora"}[kind], source)
        for model, row in self.models.items():
            self._check_model(f"models.tsv ({model})", row)
        for task, row in self.tasks.items():
            for _, file in self.task_files(task):
                if "/" in file:
                    continue
                table, name = ("hub", file.removeprefix("hub:")) if file.startswith("hub:") else ("downloads", file)
                self._require(f"tasks.tsv ({task})", table, name)
            self.own_files(task)
            _json_cell(f"tasks.tsv ({task})", row["options"])
            if row["tuned_on"]:
                self._require(f"tasks.tsv ({task})", "tasks", row["tuned_on"])
        for table, definition in self.tables.items():
            for line in definition["rows"]:
                if not line.get("external"):
                    self._require(f"config: tables.{table}", "models", line["model"])
            for task in table_tasks(definition):
                self._require(f"config: tables.{table}", "tasks", task)

    def _check_model(self, where: str, row: Row) -> None:
        if row["hub"]:
            self._require(where, "hub", row["hub"])
        self._require(where, "tokenizers", row["tokenizer"])
        if row["size"] not in self.config["sizes"]:
            raise unknown(where, "size", row["size"], self.config["sizes"])
        for rule in ("finetune", *(["pretrain"] if row["kind"] == "pretrained" else [])):
            if row["size"] not in self.config["hardware"][rule]:
                size, known = row["size"], ", ".join(sorted(self.config["hardware"][rule]))
                raise UserError(
                    f"{where}: size '{size}' has no entry in hardware.{rule} of the config. Known: {known}. Say there "
                    f"what a job asks of a machine: {size}: {{ gpus: 0, threads: 1, mem_mb: 4000, runtime: 2h }}."
                )
        if row["kind"] == "released":
            if not row["hub"]:
                raise UserError(f"{where}: a released model needs the name of its hub row in the column 'hub'.")
            return
        if row["recipe"] not in self.config["pretraining"]:
            raise unknown(where, "recipe", row["recipe"], self.config["pretraining"])
        self._require(where, "samplings", row["sampling"])
        for corpus in names(row["corpora"]):
            self._require(where, "corpora", corpus)
        if not names(row["corpora"]):
            raise UserError(f"{where}: a pretrained model needs at least one corpus in the column 'corpora'.")

    def task_files(self, task: str) -> list[tuple[str, str]]:
        """The (role, file name) pairs of a task, e.g. ("train", "squad-train.jsonl.gz") or ("data", "hub:glue").

        A name with a slash is a file of the repository: ("split", "config/splits/biosses.json").
        """
        pairs = [part.strip().partition("=") for part in self.tasks[task]["files"].split(";") if part.strip()]
        return [(role, file) for role, _, file in pairs]

    def own_files(self, task: str) -> dict[str, str]:
        """The files of the repository that a task reads, and the SHA-256 of each; a UserError where one is absent."""
        own = [file for _, file in self.task_files(task) if "/" in file]
        for file in own:
            if not (self.root / file).is_file():
                raise UserError(f"tasks.tsv ({task}): no file '{file}'. A name with a slash is one of the repository.")
        return {file: sha256_of(self.root / file) for file in own}

    def task_settings(self, task: str) -> dict[str, Any]:
        """What a task's examples and scores depend on; with published counts they are only compared."""
        row = self.tasks[task]
        settings = {key: row[key] for key in ("kind", "reader", "files", "metric")}
        options = {name: value for name, value in options_of(row).items() if name != "expected"}
        return settings | {"options": options, "seed": self.config["seed"], "own_files": self.own_files(task)}

    def data_of(self, task: str) -> tuple[str, ...]:
        """What a task reads: equal for two tasks that read the same set of the same files."""
        row, options = self.tasks[task], options_of(self.tasks[task])
        return row["reader"], row["files"], *(str(options.get(name, "")) for name in ("set", "config"))


def table_tasks(definition: Mapping[str, Any]) -> list[str]:
    """The tasks that the columns of a table definition read, in order, each once."""

    def flat(value: str | Iterable[Any]) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        else:
            for part in value:
                yield from flat(part)

    tasks = (task for column in definition["columns"] for task in flat(column.get("mean", column["id"])))
    return list(dict.fromkeys(tasks))


def _json_cell(where: str, text: str) -> dict[str, Any]:
    try:
        options = json.loads(text) if text else {}
    except json.JSONDecodeError as error:
        raise UserError(f"{where}: the column 'options' is not JSON ({error}): {text}") from None
    if not isinstance(options, dict):
        raise UserError(f"{where}: the column 'options' must be a JSON object, such as {{}}; found {text}")
    return options


def options_of(row: Row) -> dict[str, Any]:
    """The options of a row as a dict; an empty cell is no options."""
    return _json_cell("options", row["options"])
