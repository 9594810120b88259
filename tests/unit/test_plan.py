"""The plan: which file comes from which, and with which settings."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake.utils import update_config

from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.errors import UserError
from linkbert.finetune.tasks import Task
from linkbert.planning.chain import NOTHING
from linkbert.planning.plan import Plan
from linkbert.recipes import choose, recipe_points
from linkbert.tasks.prepare import prepare

ROOT = Path(__file__).resolve().parents[2]


def wild(**names):
    return SimpleNamespace(**names)


def configuration(*extra):
    """The configuration as Snakemake has it with these files under ``--configfile``."""
    return load_configuration(ROOT / name for name in (*CONFIGURATION, *(f"config/{name}" for name in extra)))


@pytest.fixture(scope="module")
def plan():
    return Plan(configuration(), ROOT)


def test_configurations_are_merged_as_snakemake_merges_them(tmp_path):
    expected: dict = {}
    for name in (*CONFIGURATION, "config/demo.yaml", "tests/real/config.yaml"):
        update_config(expected, yaml.safe_load((ROOT / name).read_text(encoding="utf-8")))
    paths = [ROOT / name for name in (*CONFIGURATION, "config/demo.yaml", "tests/real/config.yaml")]
    assert load_configuration(paths) == expected
    (tmp_path / "list.yaml").write_text("- a\n")
    (tmp_path / "broken.yaml").write_text("a: [\n")
    for name, sentence in (("list", "holds keys and values"), ("broken", "not valid YAML"), ("none", "no such")):
        with pytest.raises(UserError, match=rf"{name}.yaml: .*{sentence}"):
            load_configuration([tmp_path / f"{name}.yaml"])


def test_every_cell_of_every_table_has_a_run(plan):
    for name, definition in plan.config["tables"].items():
        scores = plan.table_scores(wild(table=name))
        models = {row["model"] for row in definition["rows"] if not row.get("external")}
        assert {path.split("/")[3] for path in scores} == models


def test_mmlu_is_tested_with_the_model_tuned_on_medqa(plan):
    runs = [job for (model, _), job in plan.jobs.items() if model == "biolinkbert-large" and "medqa_usmle" in job]
    assert [run["medqa_usmle"]["tests"] for run in runs] == [["medqa_usmle", "mmlu_medicine"]]


def test_corpora_without_links_are_sampled_as_bert_does(plan):
    instances = plan.model_instances(wild(model="linkbert-tiny"))
    assert instances == [
        "results/paper/instances/enwiki/bert_uncased/hyperlink",
        "results/paper/instances/bookcorpus/bert_uncased/bert",
    ]


def test_models_with_one_corpus_and_tokenizer_share_their_held_out_instances(plan):
    folders = {tuple(plan.model_heldout(wild(model=model))) for model in ("bert-tiny", "linkbert-tiny-tfidf")}
    assert len(folders) == 1
    own = json.loads(plan.heldout_json(wild(corpus="enwiki")))
    assert own["linked"] == pytest.approx(1 / 3, abs=1e-5)


def test_a_shard_of_many_files_reads_its_own_group(plan):
    shards = int(plan.corpora["pubmed"]["shards"])
    groups = [plan.corpus_files(wild(corpus="pubmed", shard=f"{shard:04d}")) for shard in range(shards)]
    assert sum(map(len, groups)) == 1274 and len({file for group in groups for file in group}) == 1274
    assert plan.shard_arguments(wild(corpus="pubmed", shard="0003")) == "--shard 0 --shards 1"
    assert plan.shard_arguments(wild(corpus="enwiki", shard="0003")) == "--shard 3 --shards 64"


def test_the_hash_of_a_score_follows_the_model_it_was_made_with():
    def batches(change):
        config = configuration()
        change(config)
        return dict(Plan(config, ROOT).jobs)

    before = batches(lambda config: None)
    assert before == batches(lambda config: config["hardware"]["pretrain"]["tiny"].update(gpus=3))
    slower = batches(lambda config: config["pretraining"]["tiny"].update(learning_rate=1e-3))
    assert {model for model, _ in before.keys() - slower.keys()} == {model for model, _ in before if "tiny" in model}
    assert len(slower) == len(before)


def test_the_hash_of_a_score_follows_the_repositorys_files_that_its_tasks_read(tmp_path):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    index = tmp_path / "config" / "splits" / "biosses.json"
    before = Plan(configuration(), tmp_path)
    assert before.task_inputs(wild(task="biosses")) == [
        "results/paper/downloads/blurb-BIOSSES.zip",
        "config/splits/biosses.json",
    ]
    assert "split=config/splits/biosses.json" in before.task_arguments(wild(task="biosses"))
    index.write_text(index.read_text().replace('"test": [7', '"test": [8').replace("[2, 8, 9", "[2, 7, 9"))
    lost = before.jobs.keys() - Plan(configuration(), tmp_path).jobs.keys()
    assert lost and all(job[1].startswith("biosses-") for job in lost)


def test_how_a_model_is_trained_names_neither_its_checkpoints_nor_its_scores(plan):
    """A run that is watched or cut up otherwise goes on from its checkpoint; what was tuned on it stays."""
    model = wild(model="linkbert-base")
    how = {"micro_batch_tokens": 32768, "checkpoint_every": 250, "keep": 3, "evaluate_every": 9, "log_every": 50}
    for changed, same in ((how | {"deterministic": False, "compile": False}, True), ({"clip": 2.0}, False)):
        config = configuration()
        config["pretraining"]["base"].update(changed)
        other = Plan(config, ROOT)
        assert (other.checkpoint_folder(model) == plan.checkpoint_folder(model)) == same
        assert (other.jobs.keys() == plan.jobs.keys()) == same
        assert (other.recording("linkbert-base") == plan.recording("linkbert-base")) == same
        told = json.loads(other.pretraining_json(model))
        assert told == told | changed


def test_correcting_a_published_count_tunes_no_model_again(tmp_path):
    def batches(**options):
        config = configuration()
        config["overrides"] = {"tasks": {"hoc": {"options": json.dumps(options)}}} if options else {}
        return set(Plan(config, ROOT).jobs)

    assert batches(expected={"test": 372}) == batches(expected={"train": 1}) == batches()
    assert batches(expected={"test": 372}, fraction=0.5) != batches()

    lines = "".join(json.dumps({"text_a": word, "label": "no"}) + "\n" for word in ("mill", "bell", "lake"))
    tasks = []
    for name, expected in (("a", 3), ("b", 4), ("c", None)):
        files = {split: tmp_path / f"{split}.jsonl" for split in ("train", "dev", "test")}
        for split, file in files.items():
            file.write_text(lines.replace("mill", split))
        options = {"kind": "classification"} | ({"expected": {"train": expected}} if expected else {})
        meta = prepare("mine", "jsonl", files, options, 0, tmp_path / name)
        tasks.append(Task("mine", tmp_path / name, meta))
    assert [task.meta["published"] for task in tasks] == [{"train": 3}, {"train": 4}, {}]
    assert "train: 3 read, 4 published" in tasks[1].meta["warnings"]
    assert len({task.fingerprint for task in tasks}) == 1
    other = Task("mine", tmp_path, {**tasks[0].meta, "counts": {"train": 2}})
    assert other.fingerprint != tasks[0].fingerprint


def test_no_two_models_that_are_made_differently_share_a_lineage(plan):
    pretrained = [name for name, row in plan.models.items() if row["kind"] == "pretrained"]
    lineages = [json.dumps(plan.lineage(name), sort_keys=True) for name in pretrained]
    assert len(set(lineages)) == len(pretrained) == 12


def test_existing_scores_have_no_producer(tmp_path):
    config = configuration("demo.yaml")
    plan = Plan(config, ROOT)
    plan.root = tmp_path  # empty, whatever the repository's results hold
    assert "hotpotqa" not in plan.missing_batches() and "mrqa-" in plan.missing_batches()
    for path in plan.score_files():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    assert plan.missing_batches() == NOTHING
    # Models whose settings have one hash have batches of one name: only the one whose score is missing is made.
    pattern = re.compile(rf"results/demo/scores/[^/]+/({plan.batch_pattern([('bert-tiny', 'mrqa-0')])})\.json")
    assert pattern.fullmatch("results/demo/scores/bert-tiny/mrqa-0.json")
    assert not pattern.fullmatch("results/demo/scores/linkbert-tiny/mrqa-0.json")


def test_files_that_have_to_be_provided_carry_the_reason(plan):
    source = plan.download_source(wild(file="blurb-BioASQ.zip"))
    assert source.startswith("--url 'provided:BioASQ 7b after registration")


def test_files_and_models_of_this_machine_are_taken_from_where_they_are(tmp_path):
    config = configuration("demo.yaml")  # it has a mirror, and checksums of its files
    (tmp_path / "downloads.tsv").write_text(
        "file\turl\tmd5\tlicence\nmine.gz\tfile:///a b/c.gz\t" + "0" * 32 + "\tours\n"
    )
    (tmp_path / "hub.tsv").write_text("hub\trepository\trevision\tkind\nmine\tfile:///models/mine\t\tmodel\n")
    for table in ("downloads", "hub"):
        config["declarations"][table] = [f"config/{table}.tsv", str(tmp_path / f"{table}.tsv")]
    own = Plan(config, ROOT)
    assert own.download_source(wild(file="mine.gz")) == f"--url 'file:///a b/c.gz' --md5 {'0' * 32}"
    assert own.hub_source(wild(hub="mine")) == "--repository file:///models/mine --revision '' --kind model"
    assert "--mirror results/demo/world" in own.hub_source(wild(hub="bert-base-uncased"))


def test_the_most_specific_recipe_wins():
    def row(size, suite, task, rate, name="a"):
        return {
            "set": name,
            "size": size,
            "suite": suite,
            "task": task,
            "learning_rate": rate,
            "batch_size": "16,32",
            "epochs": "2",
            "warmup": "100s",
            **dict.fromkeys(("length", "weight_decay", "beta1", "beta2", "epsilon", "seeds"), ""),
        }

    rows = [
        row("*", "*", "*", "1"),
        row("tiny", "glue", "*", "2"),
        row("*", "*", "cola", "3"),
        row("*", "*", "*", "4", "b"),
    ]
    assert choose(rows, ["a"], "tiny", "glue", "cola")["learning_rate"] == "3"
    assert choose(rows, ["a"], "tiny", "glue", "rte")["learning_rate"] == "2"
    assert choose(rows, ["a"], "base", "glue", "rte")["learning_rate"] == "1"
    assert choose(rows, ["c", "b"], "base", "glue", "rte")["learning_rate"] == "4"
    with pytest.raises(UserError, match="no row of the sets c fits size 'base'"):
        choose(rows, ["c"], "base", "glue", "rte")
    points, seeds = recipe_points(rows, ["a"], "tiny", "glue", "rte", 128)
    assert [point["batch_size"] for point in points] == [16, 32] and seeds == []
    assert points[0]["warmup"] == 100 and points[0]["length"] == 128 and points[0]["betas"] == [0.9, 0.999]
