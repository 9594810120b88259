"""What README and the other pages tell a reader to type, to open and to write works as written."""

import ast
import gzip
import json
import re
import shlex
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PAGES = ["README.md", "CONTRIBUTING.md", "config/README.md", "results/README.md"]
PAGES += sorted(f"docs/{path.name}" for path in ROOT.glob("docs/*.md"))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)


def commands_of(page: str) -> list[str]:
    """The commands on a page, in code blocks and in running text, each once; a chain of commands is taken apart."""
    text = (ROOT / page).read_text(encoding="utf-8")
    lines = []
    for language, block in FENCE.findall(text):
        if language in ("sh", "bash"):
            lines += block.replace("\\\n", " ").splitlines()
    lines += re.findall(r"`((?:make|snakemake|python|bash) [^`\n]+)`", FENCE.sub("", text))
    parts = (part.partition(" #")[0].strip() for line in lines for part in line.split("&&"))
    return list(dict.fromkeys(part for part in parts if part and not part.startswith("#")))


def files_of(page: str) -> dict[str, str]:
    """The files in ``my/`` that a page tells to write: a name in the text, then a block with what is in it."""
    found: dict[str, str] = {}
    named: list[str] = []
    for match in re.finditer(rf"`(my/[\w./-]+)`|{FENCE.pattern}", (ROOT / page).read_text("utf-8"), re.M | re.S):
        name, language, block = match.groups()
        if name:
            named += [name] if name not in (*named, *found) else []
        elif named and language not in ("sh", "bash", "json"):
            found[named.pop(0)] = block
    return found


COMMANDS = [(page, command) for page in PAGES for command in commands_of(page)]


def of_tool(tool: str) -> pytest.MarkDecorator:
    """Cases for the commands of a tool; the same command on two pages is one case, unless it reads the page's files."""
    cases = {command: page for page, command in reversed(COMMANDS) if command.split()[0] == tool}
    cases.pop("snakemake --list-target-rules", None)  # plans nothing; what it lists has a test of its own
    return pytest.mark.parametrize(("page", "command"), [(page, command) for command, page in cases.items()])


@pytest.fixture(scope="module")
def folder_of(tree, clone, tmp_path_factory) -> Callable[[str], Path]:
    """A function from a page to a copy of the repository that also holds the files which the page tells to write."""
    made: dict[str, Path] = {}

    def folder(page: str) -> Path:
        if page not in made:
            files = files_of(page)
            made[page] = clone(tmp_path_factory.mktemp("reader")) if files else tree
            for name, text in files.items():
                (made[page] / name).parent.mkdir(exist_ok=True)
                (made[page] / name).write_text(text, encoding="utf-8")
        return made[page]

    return folder


def test_pages_have_commands_of_every_kind():
    tools = [command.split()[0] for _, command in COMMANDS]
    assert all(tools.count(tool) > 1 for tool in ("make", "snakemake", "python"))
    assert set(tools) <= {"make", "snakemake", "python", "bash", "pip", "source"}, "a command that no test here knows"
    assert ("README.md", "snakemake --profile slurm") in COMMANDS and ("README.md", "make demo") in COMMANDS


@pytest.mark.slow
@of_tool("snakemake")
def test_snakemake_commands_plan_as_written(snakemake, folder_of, page, command):
    _, *arguments = shlex.split(command)
    if "--profile" in arguments and not find_spec("snakemake_executor_plugin_slurm"):
        pytest.skip("snakemake-executor-plugin-slurm is not installed")
    done = snakemake("--dry-run", *arguments, folder=folder_of(page))
    assert done.returncode == 0, f"{page}: {command}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    assert re.search(r"^total +[1-9]", done.stdout, re.M), f"{page}: {command} plans nothing"


def test_the_targets_of_the_front_page_are_all_that_there_are(snakemake):
    (table,) = re.findall(r"^\| target \|.*?\n\n", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)
    told = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row)}
    done = snakemake("--list-target-rules")
    assert done.returncode == 0, done.stderr
    # Each of the others is one file of `tables` or `report_page`, or the way back of `export_scores`.
    assert set(done.stdout.split()) - told == {"import_scores", "judge_claims", "make_report", "summarize_tables"}
    assert told <= set(done.stdout.split())


@of_tool("make")
def test_make_commands_have_a_target(execute, tree, page, command):
    if not shutil.which("make"):
        pytest.skip("make is not installed")
    done = execute("make", "--dry-run", *shlex.split(command)[1:])
    assert done.returncode == 0, f"{page}: {command}\n{done.stderr}"


@of_tool("python")
def test_scripts_exist_and_know_the_options(execute, page, command):
    _, script, *arguments = shlex.split(command)
    done = execute("python", script, "--help")
    assert done.returncode == 0, f"{page}: {command}\n{done.stderr}"
    known = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", done.stdout))
    assert {argument for argument in arguments if argument.startswith("--")} <= known, f"{page}: {command}"


@pytest.mark.parametrize("script", sorted((ROOT / "scripts").glob("*.py")), ids=lambda path: path.stem)
def test_examples_in_help_keep_their_lines(script):
    """A line that goes on ends in a backslash there, as it is typed: in the docstring it is doubled."""
    about = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")), clean=False)
    assert about and not re.search(r"\S {3,}\S", about), f"{script.name}: two lines became one"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(tree, page):
    text = FENCE.sub("", (tree / page).read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target):
            assert (tree / page).parent.joinpath(target.partition("#")[0]).exists(), f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES)
def test_files_that_a_page_names_exist(tree, page):
    text = (tree / page).read_text(encoding="utf-8")
    for name in set(
        re.findall(r"(?<![\w/<>.-])(?:benchmarks|config|docs|rules|scripts|slurm|tests|workflow)/[\w/.-]+\.\w+", text)
    ):
        assert (tree / name).exists(), f"{page}: {name}"


def test_the_cluster_profile_is_whole(tree):
    profile = yaml.safe_load((tree / "slurm" / "profile.yaml").read_text(encoding="utf-8"))
    rules = "\n".join(path.read_text() for path in (tree / "rules").glob("*.smk"))
    assert profile["executor"] == "slurm" and profile["retries"] >= 1
    assert {"slurm_partition", "mem_mb", "runtime"} <= profile["default-resources"].keys()
    for rule in profile["set-resources"]:
        assert f"rule {rule}:" in rules, f"slurm/profile.yaml: no rule {rule}"


def test_the_corpus_of_the_page_becomes_a_graph(snakemake, clone, tmp_path):
    """docs/own-corpus.md: the two documents and the two tables there, declared and run as told."""
    page = "docs/own-corpus.md"
    folder = clone(tmp_path / "mine")
    (documents,) = (block for language, block in FENCE.findall((folder / page).read_text()) if language == "json")
    rows = [json.loads(line) for line in documents.splitlines()]
    targets = {row["doc_id"]: row["title"] for row in rows}
    for row in rows:
        for link in row.get("links", []):
            assert row["text"][link["start"] : link["end"]] == targets[link["target"]]
    for name, text in files_of(page).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text.replace("file:///data", f"file://{tmp_path}"))
    (command,) = (command for command in commands_of(page) if "/graphs/" in command)
    forgotten = snakemake(*shlex.split(command)[1:], folder=folder)
    assert forgotten.returncode and f"error: file://{tmp_path}/mine.jsonl.gz: no such" in forgotten.stderr
    (tmp_path / "mine.jsonl.gz").write_bytes(gzip.compress(documents.encode()))
    done = snakemake(*shlex.split(command)[1:], folder=folder)
    assert done.returncode == 0, done.stderr
    graph = folder / "results" / "mine" / "graphs" / "mine" / "hyperlink"
    counts = json.loads((graph / "meta.json").read_text())["counts"]
    assert (counts["documents"], counts["edges"]) == (2, 1)
    assert (graph / "report.md").exists()
