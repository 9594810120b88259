"""Scores travel in one file: everything is drawn from it again, byte for byte, where there is nothing else."""

import json
import re
import shutil
import zipfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from linkbert.evidence.archive import MANIFEST, README, open_archive
from linkbert.evidence.record import read_evidence

_SPEC = spec_from_file_location("finished", Path(__file__).with_name("finished.py"))
finished = module_from_spec(_SPEC)
_SPEC.loader.exec_module(finished)

OPTIONS = ("--cores", "1", "--show-failed-logs", "--configfile", "config/demo.yaml", "small.yaml")
NEVER = {"pretrain", "finetune", "download_file", "download_hub", "prepare_task", "extract_documents", "adopt_model"}

pytestmark = pytest.mark.slow


def ran(said: str) -> set[str]:
    return set(re.findall(r"^(?:local)?rule (\w+):", said, re.M))


@pytest.fixture(scope="module")
def draw(snakemake):
    """A function that runs targets of the small experiment in a copy of the repository."""

    def run(folder: Path, *targets: str, config: str = "", fails: bool = False):
        done = snakemake(*OPTIONS, *(["--config", config] if config else []), "--", *targets, folder=folder)
        assert (done.returncode != 0) == fails, done.stderr[-8000:]
        return done

    return run


@pytest.fixture(scope="module")
def site(clone, draw, tmp_path_factory) -> Path:
    """A copy of the repository with all that training leaves, drawn and packed."""
    folder = clone(tmp_path_factory.mktemp("site"))
    finished.finish(folder)
    said = draw(folder, "tables", "figures").stderr
    assert not ran(said) & NEVER and "condense_scores" in ran(said)
    said = draw(folder, "export_scores").stderr
    assert not ran(said) & NEVER
    return folder


@pytest.fixture(scope="module")
def archive(site) -> Path:
    return site / "results/small/export/small-scores.zip"


@pytest.fixture
def empty(clone, site, archive, tmp_path) -> Path:
    """An empty clone, and the archive beside it."""
    folder = clone(tmp_path / "empty")
    for file in (site / "small.yaml", archive):
        shutil.copy2(file, folder)
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    found = {path for place in ("tables", "figures") for path in (folder / "results/small" / place).rglob("*")}
    return {path.name: path.read_bytes() for path in found if path.is_file()}


def test_everything_is_drawn_again_byte_for_byte_in_an_empty_clone(site, empty, draw):
    before = files_of(site)
    assert {"table5_ablation.md", "table5_ablation.csv", "claims.html", "training_tiny.svg"} <= before.keys()
    said = draw(empty, "tables", "figures", config="scores=small-scores.zip").stderr
    assert not ran(said) & (NEVER | {"condense_scores", "record_lineage", "record_training"})
    assert "import_scores" in ran(said)
    after = files_of(empty)
    assert after.keys() == before.keys()
    assert [name for name in before if before[name] != after[name]] == []
    # From now on the scores stand there, and nothing else is needed.
    (empty / "small-scores.zip").unlink()
    assert "Nothing to be done" in draw(empty, "tables", "figures").stderr


def test_the_archive_is_described_and_the_same_whoever_packs_it(site, archive, empty, draw):
    found = open_archive(archive)
    plan = finished.plan_of(site)
    names = set(found.files)
    assert {path.removeprefix(f"{plan.results}/") for path in plan.score_files()} <= names
    models = {model for model, _ in plan.jobs}
    for kind in ("training-", "lineage-"):
        assert {name.split("/")[1] for name in names if f"/{kind}" in name} == {
            model for model in models if kind == "lineage-" or plan.models[model]["kind"] == "pretrained"
        }
    with zipfile.ZipFile(archive) as content:
        text = content.read(README).decode()
        assert str(site) not in text + content.read(MANIFEST).decode()
    assert "snakemake tables figures" in text and archive.stat().st_size < 500_000
    received = (empty / "small-scores.zip").rename(empty / "from a friend.zip")
    draw(empty, "tables", config=f"scores={received.name}")
    draw(empty, "export_scores")
    assert (empty / "results/small/export/small-scores.zip").read_bytes() == archive.read_bytes()


def test_nothing_is_trained_to_draw_again_when_all_but_the_scores_is_gone(site, draw, tmp_path):
    folder = shutil.copytree(site, tmp_path / "site", symlinks=True)
    before = files_of(folder)
    for place in (folder / "results/small").iterdir():
        if place.name != "scores":
            shutil.rmtree(place)
    said = draw(folder, "tables", "figures").stderr
    assert not ran(said) & (NEVER | {"condense_scores", "record_lineage", "record_training"})
    assert files_of(folder) == before


def test_statistics_that_were_never_kept_are_done_without_when_the_runs_are_gone(site, draw, tmp_path):
    folder = shutil.copytree(site, tmp_path / "site", symlinks=True)
    for path in (folder / "results/small/scores").rglob("*.npz"):
        path.unlink()
    for place in ("runs", "models", "tables", "figures"):
        shutil.rmtree(folder / "results/small" / place)
    assert not ran(draw(folder, "table5_ablation").stderr) & (NEVER | {"condense_scores"})
    table = json.loads((folder / "results/small/tables/table5_ablation.json").read_text())
    gains = [cell["gain"] for cell in table["cells"] if cell["gain"]]
    assert gains and all(gain["interval"] is None and "no statistics" in gain["problem"] for gain in gains)


def test_a_score_that_the_archive_lacks_leaves_its_cells_empty_and_names_its_job(site, empty, draw):
    plan = finished.plan_of(site)
    lost = plan.score_files("linkbert-tiny-tfidf")[0]
    content = open_archive(empty / "small-scores.zip")
    kept = {name: content.read(name) for name in content.files if name != lost.removeprefix(f"{plan.results}/")}
    about = dict(content.about, files={name: content.files[name] for name in kept})
    with zipfile.ZipFile(empty / "small-scores.zip", "w") as smaller:
        smaller.writestr(MANIFEST, json.dumps(about))
        for name, data in kept.items():
            smaller.writestr(name, data)
    said = draw(empty, "tables", config="scores=small-scores.zip").stderr
    assert not ran(said) & NEVER
    page = (empty / "results/small/tables/table5_ablation.md").read_text()
    assert re.search(rf"TF-IDF links on .*: made by the job finetune, snakemake {re.escape(lost)}", page)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda path: path.unlink(), "no such archive of scores"),
        (lambda path: path.write_bytes(path.read_bytes()[:2000]), "not an archive of `snakemake export_scores`"),
        (lambda path: path.write_text("hello"), "not an archive of `snakemake export_scores`, or damaged"),
        (lambda path: zipfile.ZipFile(path, "w").close(), "not an archive of `snakemake export_scores`"),
    ],
)
def test_a_broken_archive_is_refused_in_a_sentence(empty, draw, spoil, sentence):
    spoil(empty / "small-scores.zip")
    done = draw(empty, "tables", config="scores=small-scores.zip", fails=True)
    assert sentence in done.stderr and "Traceback" not in done.stderr
    assert not (empty / "results/small").exists()


def test_an_archive_of_another_experiment_or_of_other_settings_is_refused(empty, snakemake, draw):
    done = snakemake("-n", "tables", "--config", "scores=small-scores.zip", folder=empty)
    said = done.stdout + done.stderr
    assert done.returncode and "holds the scores of the experiment 'small', but this is 'paper'" in said
    other = ["scores=small-scores.zip", "seed=7"]
    done = snakemake(*OPTIONS[3:], "-n", "--config", *other, "--", "tables", folder=empty)
    said = done.stdout + done.stderr
    assert done.returncode and "made with other settings" in said and "Traceback" not in said


def test_intervals_are_of_the_predictions(site):
    """The gain of a cell, computed here by hand from the runs."""
    table = json.loads((site / "results/small/tables/table5_ablation.json").read_text())
    cell = next(c for c in table["cells"] if c["model"] == "linkbert-tiny-random" and c["task"] == "squad")
    low, high = cell["gain"]["interval"]
    assert cell["gain"]["over"] == "linkbert-tiny" and low <= cell["gain"]["value"] <= high and high - low > 5
    (path,) = (site / "results/small/scores/linkbert-tiny-random").glob("*.npz")
    evidence = read_evidence(path)
    by_seed = evidence.samples["squad"].by_seed
    assert {str(seed): pytest.approx(one.score()) for seed, one in by_seed.items()} == cell["by_seed"]
