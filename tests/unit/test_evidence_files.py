"""Evidence files: what is kept of a batch of runs, what is refused, and archives of scores."""

import json
import random
import shutil
import zipfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from linkbert.errors import UserError
from linkbert.evidence.archive import KIND, MANIFEST, open_archive, pack
from linkbert.evidence.chain import chains
from linkbert.evidence.condense import condense
from linkbert.evidence.lineage import record
from linkbert.evidence.record import read_evidence
from linkbert.evidence.trace import trace
from linkbert.evidence.wanted import Wanted
from linkbert.files import read_json, sha256_of

ROOT = Path(__file__).resolve().parents[2]


def load(path):
    """A module that no import finds, or (`trace`) finds elsewhere."""
    spec = spec_from_file_location(f"loaded_{path.stem}", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


finished = load(ROOT / "tests" / "workflow" / "finished.py")
command = load(ROOT / "scripts" / "trace.py")
MODEL = "linkbert-tiny"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the declarations and the results of a small experiment; no test may change it."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "config", folder / "config")
    finished.finish(folder)
    return folder


@pytest.fixture
def place(site, tmp_path):
    """A copy of it, its plan, and the score file of a model."""
    folder = shutil.copytree(site, tmp_path / "site")
    plan = finished.plan_of(folder)
    return SimpleNamespace(
        folder=folder, plan=plan, results=folder / plan.results, score=folder / plan.score_files(MODEL)[0]
    )


def condensed(place, output=None):
    output = output or place.score.with_suffix(".npz")
    problems = condense(place.score, place.results / "runs" / MODEL, place.results / "tasks", output, "c0ffee")
    return problems, read_evidence(output)


# Statistics of examples -----------------------------------------------------------------------------------------------


def test_what_is_kept_gives_the_scores_again_and_names_its_runs_and_tasks(place):
    problems, evidence = condensed(place)
    runs = [run for run in read_json(place.score)["runs"] if run["task"] == "squad"]
    assert not problems and evidence.model == MODEL and evidence.commit == "c0ffee"
    assert evidence.runs["squad"] == {str(run["seed"]): run["sha256"] for run in runs}
    for run in runs:
        assert evidence.samples["squad"].by_seed[run["seed"]].score() == pytest.approx(run["test"]["f1"])
    assert evidence.tasks["squad"] == read_json(place.results / "tasks/squad/meta.json")
    assert place.score.with_suffix(".npz").stat().st_size < 20_000


def test_the_same_runs_give_the_same_bytes(place, tmp_path):
    condensed(place, tmp_path / "one.npz")
    condensed(place, tmp_path / "two.npz")
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_models_tested_on_the_same_questions_share_their_draws(place):
    _, evidence = condensed(place)
    assert evidence.samples["squad"].examples != evidence.samples["hotpotqa"].examples
    base = {}
    for path in place.plan.score_files("linkbert-base"):
        output = place.folder / "base.npz"
        condense(place.folder / path, place.results / "runs/linkbert-base", place.results / "tasks", output)
        base |= read_evidence(output).samples
    assert base["squad"].examples == base["squad_distractors"].examples == evidence.samples["squad"].examples


def test_runs_that_are_gone_or_others_are_left_out_with_the_reason(place):
    folder = place.results / "runs" / MODEL
    next((folder / "squad").iterdir()).unlink()
    next((folder / "triviaqa").iterdir()).write_bytes(b"another")
    meta = place.results / "tasks/hotpotqa/meta.json"
    meta.write_text(meta.read_text().replace('"dropped": {}', '"dropped": {"a": 1}'))
    problems, evidence = condensed(place)
    assert {task: problem.split(";")[0] for task, problem in problems.items()} == {
        "squad": "its predictions are no longer in the folder of runs",
        "triviaqa": "the predictions in the folder of runs are of other runs than the scores",
        "hotpotqa": "the task was prepared again, differently, after its runs were scored",
    }
    assert set(evidence.samples) == {"naturalquestions"} and evidence.problems == problems
    assert evidence.sample("squad", {}) == problems["squad"]


def test_predictions_that_contradict_the_score_are_an_error(place):
    content = read_json(place.score)
    content["runs"][0]["test"]["f1"] += 1
    place.score.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"the predictions give .* but the score is"):
        condensed(place)
    assert not place.score.with_suffix(".npz").exists()


def test_a_damaged_evidence_file_is_refused_in_a_sentence(place, tmp_path):
    condensed(place)
    whole = place.score.with_suffix(".npz").read_bytes()
    for content in (b"", b"hello", whole[:500]):
        (tmp_path / "broken.npz").write_bytes(content)
        with pytest.raises(UserError, match=r"broken.npz: not an evidence file, or damaged"):
            read_evidence(tmp_path / "broken.npz")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda about, arrays: about.pop("commit"), "'commit'"),
        (lambda about, arrays: about.update(cells=[]), "no attribute 'items'"),
        (lambda about, arrays: about["cells"]["squad"].update(form="median"), "squad: its statistics are of no known"),
        (lambda about, arrays: about["cells"]["squad"].update(runs={}), "squad: the statistics of its seeds are not"),
        (lambda about, arrays: arrays.update({"squad/1": arrays["squad/1"][1:]}), "are not of the same examples"),
        (lambda about, arrays: arrays.pop("squad/1"), "squad/1 is not a file in the archive"),
    ],
)
def test_evidence_that_cannot_be_resampled_is_refused_when_it_is_read(place, tmp_path, change, reason):
    condensed(place)
    with np.load(place.score.with_suffix(".npz")) as content:
        arrays = {name: content[name] for name in content}
    about = json.loads(bytes(arrays.pop("about")))
    change(about, arrays)
    np.savez(tmp_path / "broken.npz", about=np.frombuffer(json.dumps(about).encode(), dtype=np.uint8), **arrays)
    with pytest.raises(UserError, match=f"not an evidence file, or damaged .*{reason}"):
        read_evidence(tmp_path / "broken.npz")


# Lineage and trace ----------------------------------------------------------------------------------------------------


def recorded(place, model=MODEL):
    wanted = Wanted(place.plan)
    folders = wanted.lineage_folders(SimpleNamespace(model=model)).split()
    downloads = wanted.lineage_downloads(SimpleNamespace(model=model)).split()
    return record(model, place.results, folders, place.folder / wanted.lineage_file(model), "c0ffee", downloads)


def test_a_lineage_leads_from_the_model_to_the_downloads(place):
    lineage = recorded(place)
    folders = [stage["folder"] for stage in lineage["stages"]]
    for folder in (f"models/{MODEL}", "instances/enwiki/bert_uncased/hyperlink", "graphs/enwiki/hyperlink"):
        assert folder in folders
    assert [folder for folder in folders if folder.startswith("documents/enwiki")] == [
        "documents/enwiki/0000",
        "documents/enwiki/0001",
    ]
    assert all(stage["meta"] for stage in lineage["stages"]) and lineage["training"]["device"] == "cpu"
    dump = place.results / "downloads/enwiki-pages-articles-multistream.xml.bz2"
    dump.parent.mkdir()
    dump.write_bytes(b"a dump that two shards share")
    assert recorded(place)["downloads"] == {dump.name: sha256_of(dump)}, "the books are one shard"
    shutil.rmtree(place.results / "graphs")
    assert [stage["folder"] for stage in recorded(place)["stages"] if not stage["meta"]] == ["graphs/enwiki/hyperlink"]
    with pytest.raises(UserError, match="models/none"):
        record("none", place.results, ["models/none"], place.folder / "lineage.json", None)


def test_a_trace_prints_the_whole_chain(place):
    recorded(place)
    condensed(place)
    (chain,) = chains(place.plan, "table5", MODEL, "hotpotqa")
    said = trace(chain)
    run = next(run for run in read_json(place.score)["runs"] if run["task"] == "hotpotqa")
    documents = read_json(place.results / "documents/enwiki/0000/meta.json")
    for part in (
        *("table5_ablation / linkbert-tiny / hotpotqa", run["sha256"], f"{run['test']['f1']:.2f} on cpu"),
        *("commit c0ffee", "torch 0", "instances/enwiki/bert_uncased/hyperlink", "graphs/enwiki/hyperlink"),
        *(documents["inputs"]["dump.xml"], "60 steps", "30, their statistics are kept"),
    ):
        assert part in said, part


def test_a_trace_without_evidence_says_what_is_not_known(place):
    (chain,) = chains(place.plan, "table5", MODEL, "squad")
    said = trace(chain)
    assert "no statistics of them were kept" in said and "no lineage was recorded" in said


def test_a_missing_cell_names_the_job_that_makes_it(place):
    place.score.unlink()
    (chain,) = chains(place.plan, "table5_ablation", MODEL, "squad")
    said = trace(chain, "snakemake --cores 1")
    assert f"snakemake --cores 1 {place.score.relative_to(place.folder)}" in said and "rule finetune" in said
    assert "pretrain where" in said


def test_names_that_are_not_in_the_table_are_refused(place):
    for cell, sentence in (
        (("table55", MODEL, "squad"), "unknown table 'table55'"),
        (("table5", "linkbert-tin", "squad"), "unknown model 'linkbert-tin'.*Did you mean 'linkbert-tiny'"),
        (("table5", MODEL, "squd"), "unknown task 'squd'.*Did you mean 'squad'"),
    ):
        with pytest.raises(UserError, match=sentence):
            chains(place.plan, *cell)


def test_the_command_traces_an_average_and_a_cited_system(capsys):
    paper = ["--configfile", str(ROOT / "config/paper.yaml")]
    command.main(["table1", "linkbert-tiny", "average", *paper])
    said = capsys.readouterr().out
    assert said.count("table1_mrqa / linkbert-tiny / ") == 6
    with pytest.raises(UserError, match="table8_medqa cites 'greaselm'"):
        command.main(["table8", "greaselm", "medqa_usmle", *paper])


# Archives -------------------------------------------------------------------------------------------------------------


def packed(place, name="scores.zip"):
    recorded(place)
    condensed(place)
    files = [place.folder / path for path in Wanted(place.plan).exported() if (place.folder / path).exists()]
    config = {**place.plan.config, "downloads": {"mirror": "/a/place/of/mine", "checksums": "/a/place/of/mine/SUMS"}}
    return pack(place.folder / name, place.results, files, config, ["scores/absent.json"])


def test_an_archive_has_what_it_lists_and_no_place_of_this_machine(place, tmp_path):
    archive = packed(place)
    names = {path.relative_to(place.results).as_posix() for path in (place.results / "scores").rglob("*.*")}
    assert set(archive.files) == names and archive.experiment == "small"
    archive.extract(archive.files, tmp_path / "out")
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (place.results / name).read_bytes()
    with zipfile.ZipFile(archive.path) as content:
        text = "".join(content.read(name).decode() for name in (MANIFEST, "README.md"))
    assert "/a/place/of/mine" not in text and str(place.folder) not in text and "Not computed yet: 1 score" in text
    before = archive.path.read_bytes()
    assert packed(place, "again.zip").path.read_bytes() == before


def test_a_trace_needs_the_archive_alone(place, capsys, monkeypatch):
    archive = packed(place)
    command.main(["table5", MODEL, "squad", "--scores", str(archive.path)])
    said = capsys.readouterr().out
    (chain,) = chains(place.plan, "table5", MODEL, "squad")
    assert said == trace(chain).rstrip() + "\n" and "commit c0ffee" in said


def rewrite(path, change=lambda about: None, **contents):
    """The archive with another manifest, or other bytes in some of its files."""
    with zipfile.ZipFile(path) as content:
        files = {name: content.read(name) for name in content.namelist()}
    about = json.loads(files[MANIFEST])
    change(about)
    files = {**files, **contents, MANIFEST: json.dumps(about).encode()}
    with zipfile.ZipFile(path, "w") as content:
        for name, data in files.items():
            content.writestr(name, data)


def test_a_changed_file_is_not_taken(place, tmp_path):
    archive = packed(place)
    name = place.score.relative_to(place.results).as_posix()
    rewrite(archive.path, **{name: b"{}"})
    with pytest.raises(UserError, match=rf"{name} is not what MANIFEST.json says; the archive is damaged"):
        open_archive(archive.path).extract([name], tmp_path / "out")
    assert not (tmp_path / "out" / name).exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda about: about.update(kind="other"), "not one of `snakemake export_scores`"),
        (lambda about: about.update(version=99), "an archive of version 99"),
        (lambda about: about["files"].update({"scores/../../x.json": {"sha256": ""}}), "not to be trusted"),
        (lambda about: about["files"].update({"/etc/passwd": {"sha256": ""}}), "not to be trusted"),
        (
            lambda about: about["files"].update({"scores/m/none.json": {"sha256": ""}}),
            "is in MANIFEST.json but not in the archive",
        ),
        (lambda about: about.pop("files"), "MANIFEST.json: files is missing"),
        (
            lambda about: about["files"].update({"scores/m/none.json": {}}),
            r"MANIFEST.json: files.scores/m/none.json.sha256 is missing",
        ),
    ],
)
def test_a_foreign_archive_is_refused(place, change, sentence):
    archive = packed(place)
    assert archive.about["kind"] == KIND
    rewrite(archive.path, change)
    with pytest.raises(UserError, match=sentence):
        open_archive(archive.path)


def test_no_damage_to_an_archive_is_a_traceback_or_a_wrong_file(place, tmp_path):
    """Bits flipped anywhere, the end lost: every file that comes out is whole, and the rest is a sentence."""
    archive = packed(place)
    names, data = list(archive.files)[:2], archive.path.read_bytes()
    draw, broken, refused = random.Random(1), tmp_path / "broken.zip", 0
    for attempt in range(60):
        damaged = bytearray(data)
        for _ in range(16):
            # The table of contents stands at the end.
            damaged[draw.randrange(len(data) - 3000 if attempt % 2 else 0, len(data))] = draw.randrange(256)
        broken.write_bytes(damaged[: draw.randrange(len(data))] if attempt % 3 == 0 else damaged)
        folder = tmp_path / str(attempt)
        try:
            open_archive(broken).extract(names, folder)
        except UserError:
            refused += 1
        for name in names:
            assert not (folder / name).exists() or (folder / name).read_bytes() == (place.results / name).read_bytes()
    assert refused > 40


def test_nothing_to_pack_is_said(place):
    with pytest.raises(UserError, match=r"no scores yet.*snakemake tables"):
        pack(place.folder / "empty.zip", place.results, [], place.plan.config)
    assert not (place.folder / "empty.zip").exists()
