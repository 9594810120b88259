"""What an experiment will cost, checked by hand and against what runs really do."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import plan as command
from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.errors import UserError
from linkbert.files import write_json
from linkbert.finetune.recipe import recipe_of
from linkbert.finetune.spans import windows
from linkbert.model.bert import BertForPreTraining
from linkbert.model.config import ModelConfig
from linkbert.planning.calibration import Calibration, read_calibration
from linkbert.planning.estimate import SIZES, Machine, Sizes, TaskSize, estimate
from linkbert.planning.needs import needs
from linkbert.planning.plan import Plan
from linkbert.planning.volumes import parameters, volumes
from linkbert.pretraining.flops import encoder_flops, training_flops

ROOT = Path(__file__).resolve().parents[2]
TINY = ModelConfig(30522, 128, 2, 2, 512)


def configuration(*extra):
    paths = [*(ROOT / name for name in CONFIGURATION), *(ROOT / name for name in extra)]
    return load_configuration(paths) | {"experiment": "nothing_stands_here"}


@pytest.fixture(scope="module")
def paper():
    return Plan(configuration(), ROOT)


@pytest.fixture
def own(tmp_path):
    """A plan in a folder of its own, where results can be laid."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return Plan(configuration(), tmp_path)


@given(st.integers(2, 60), st.integers(1, 3000), st.sampled_from([64, 128, 384, 512]))
def test_windows_of_contexts_of_one_length_are_those_of_the_runs(question, context, length):
    recipe = recipe_of("test", {"learning_rate": 1, "batch_size": 1, "epochs": 1, "length": length}, "span")
    kept, _, _, pieces = windows(np.array([question]), np.array([context]), length, recipe.stride)
    if kept[0] < question or length - 3 - question <= recipe.stride:
        return  # questions that leave no room are cut: not the mean question
    number, tokens, mean = TaskSize({}, question, context).units("span", recipe)
    assert number == len(pieces)
    assert tokens == pieces.sum() + len(pieces) * (question + 3)
    assert mean == tokens / number


def test_a_glue_task_by_hand(paper):
    """RTE: 2,490 examples of 56 + 12 + 3 tokens; 18 grid points, half with 5 and half with 10 epochs; 3 seeds."""
    found = estimate(paper, ["table2_glue"], Machine(1e15, 0))
    sizes = Sizes(paper)["rte"]
    assert sizes.examples == {"train": 2490, "dev": 277, "test": 277}
    only_rte = configuration()
    only_rte["tables"] = {
        "t": {"title": "t", "rows": [{"model": "bert-tiny"}], "columns": [{"id": "rte", "title": "RTE"}]}
    }
    only_rte["tables"] |= dict.fromkeys(name for name in paper.tables)
    cost = estimate(Plan(only_rte, ROOT), machine=Machine(1e15, 0)).fine_tuning["bert-tiny", "glue"]
    assert (cost.jobs, cost.runs) == (1, 54)
    assert cost.training_tokens == 2490 * 71 * 9 * (5 + 10) * 3
    assert cost.evaluation_tokens == 2 * 277 * 71 * 54
    flops = cost.training_tokens * training_flops(TINY, 71, 0) + cost.evaluation_tokens * encoder_flops(TINY, 71)
    assert cost.flops == pytest.approx(flops)
    assert cost.seconds == pytest.approx(flops / 1e15)
    assert (found.fine_tuning["bert-tiny", "glue"].jobs, found.fine_tuning["bert-tiny", "glue"].runs) == (8, 432)


def test_small_models_are_bound_by_the_time_of_a_step(paper):
    quick = estimate(paper, ["table5_ablation"], Machine(1e30, 0.01))
    cost = quick.fine_tuning["linkbert-tiny", "mrqa"]
    slower = estimate(paper, ["table5_ablation"], Machine(1e30, 0.02)).fine_tuning["linkbert-tiny", "mrqa"]
    assert slower.seconds == pytest.approx(2 * cost.seconds) and cost.seconds > 100
    assert quick.pretraining["linkbert-tiny"].seconds == pytest.approx(10_000 * 0.01)


def test_pretraining_is_its_recipe_over_the_throughput(paper):
    found = estimate(paper, ["table1_mrqa"], Machine(2e14, 0))
    assert set(found.pretraining) == {
        f"{name}-{size}" for name in ("bert", "linkbert") for size in paper.config["sizes"]
    }
    tiny = found.pretraining["linkbert-tiny"]
    assert tiny.training_tokens == 10_000 * 2048 * 512
    assert tiny.seconds == pytest.approx(tiny.training_tokens * training_flops(TINY, 512) / 2e14)
    half = estimate(paper, ["table1_mrqa"], Machine(1e14, 0))
    assert half.total_pretraining.seconds == pytest.approx(2 * found.total_pretraining.seconds)


def test_a_budget_of_minutes_is_taken_on_all_devices():
    config = configuration()
    config["pretraining"]["base"] |= {"steps": None, "max_minutes": 30}
    cost = estimate(Plan(config, ROOT), ["table6_drp"]).pretraining["linkbert-base"]
    assert cost.hours == 4  # eight devices
    assert cost.training_tokens > 0


def test_mmlu_is_predicted_and_not_trained_on(paper):
    found = estimate(paper, ["table9_mmlu"])
    cost = found.fine_tuning["biolinkbert-large", "medqa"]
    assert cost.runs == 3
    medqa, mmlu = 4 * (157 + 5 + 3), 4 * (137 + 3 + 3)
    assert cost.evaluation_tokens == 3 * (medqa * (1272 + 1273) + mmlu * (1272 + 272))


def test_variants_take_the_counts_of_their_full_set(paper):
    sizes = Sizes(paper)
    assert sizes["squad_10pct"].examples == {"train": 8659, "dev": 5253, "test": 5254}
    assert sizes["squad_distractors"].second == 2.5 * sizes["squad"].second
    assert sizes["squad_distractors"].examples == sizes["squad"].examples
    assert sizes["mnli"].examples == {"train": 392702, "dev": 19647, "test": 19647}


def test_every_task_of_the_paper_has_counts_and_lengths(paper):
    assert estimate(paper).uncounted == []
    known = Sizes(paper).rows
    twins = {row["files"] for name, row in paper.tasks.items() if name in known}
    assert all(row["files"] in twins for row in paper.tasks.values())
    assert set(known) <= {*paper.tasks, "span", "classification", "multilabel", "regression", "tagging", "choice"}


def test_a_job_that_spans_suites_counts_once_in_the_sum(paper):
    config = configuration()
    config["finetuning"]["jobs_by"] = "model"
    by_model, by_task = estimate(Plan(config, ROOT)), estimate(paper)
    assert by_model.total.jobs == by_model.jobs == len(paper._used())
    assert sum(cost.jobs for cost in by_model.fine_tuning.values()) > by_model.jobs
    for quantity in ("runs", "training_tokens", "flops", "seconds"):
        assert getattr(by_model.total, quantity) == pytest.approx(getattr(by_task.total, quantity))


def test_what_is_done_is_not_left(own):
    before = estimate(own, ["table3_distractors"])
    assert before.left == before.total and before.left_pretraining == before.total_pretraining
    path = next(
        path for path in own.table_scores(type("W", (), {"table": "table3_distractors"})) if "bert-base/" in path
    )
    write_json(own.root / path, {})
    write_json(own.root / own.results / "models/bert-base/meta.json", {})
    after = estimate(own, ["table3_distractors"])
    assert after.left.jobs == before.jobs - 1 and 0 < after.left.seconds < before.left.seconds
    assert after.left_pretraining.runs == before.left_pretraining.runs - 1
    assert after.total == before.total


def test_prepared_tasks_are_counted_as_they_are(own):
    meta = {"stage": "tasks", "counts": {"train": 100, "dev": 10, "test": 20, "train_contexts": 7}}
    write_json(own.root / own.results / "tasks/squad/meta.json", meta)
    assert Sizes(own)["squad"].examples == {"train": 100, "dev": 10, "test": 20}


def test_a_task_of_unknown_size_is_named(own, capsys):
    row = own.tasks["rte"] | {"options": "{}", "files": "train=a;dev=b"}
    own.tasks["rte"] = row
    (own.root / SIZES).write_text(
        "".join(line for line in (ROOT / SIZES).open(encoding="utf-8") if not line.startswith("rte\t")),
        encoding="utf-8",
    )
    found = estimate(own, ["table2_glue"])
    assert found.uncounted == ["rte"]
    own.tasks["rte"] = row | {"options": json.dumps({"expected": {"train": 4, "dev": 2}})}
    assert estimate(own, ["table2_glue"]).uncounted == []


def test_the_command(capsys):
    command.main(["table8_medqa", "--throughput", "300e12"])
    said = capsys.readouterr().out
    assert "# What table8_medqa will cost" in said
    assert "| pubmedbert-base            | medqa |    1 |    3 |" in said
    assert "| biolinkbert-large |   262G |" in said and "3e+14 FLOP/s" in said
    command.main(["--configfile", str(ROOT / "tests/real/config.yaml")])
    said = capsys.readouterr().out
    assert "# What everything will cost" in said and "Left to do" in said
    with pytest.raises(UserError, match=r"unknown target 'table11'.*Known: all, .*table1_mrqa"):
        command.main(["table11"])
    with pytest.raises(SystemExit):
        command.main(["--throughput", "0"])


def test_a_calibrated_size_takes_what_was_measured_and_others_what_is_assumed(paper):
    measured = Calibration("a GPU", {("pretrain", "tiny"): 5e12, ("finetune", "tiny"): 1e30}, {"tiny": 0.5})
    found = estimate(paper, ["table1_mrqa"], Machine(2e14, 0, measured))
    plain = estimate(paper, ["table1_mrqa"], Machine(2e14, 0))
    tiny = found.pretraining["linkbert-tiny"]
    assert tiny.seconds == pytest.approx(tiny.training_tokens * training_flops(TINY, 512) / 5e12)
    assert found.pretraining["linkbert-base"] == plain.pretraining["linkbert-base"]
    steps = estimate(paper, ["table1_mrqa"], Machine(1e30, 0.5)).fine_tuning["linkbert-tiny", "mrqa"].seconds
    assert found.fine_tuning["linkbert-tiny", "mrqa"].seconds == pytest.approx(steps)


def test_calibration_runs_the_real_loops_and_the_plan_reads_it(tmp_path, capsys):
    import calibrate

    output = tmp_path / "calibration.json"
    demo = ["--configfile", str(ROOT / "config/demo.yaml")]
    small = ["--sizes", "tiny", "--seconds", "1", "--words", "2000", "--device", "cpu", "--threads", "1"]
    calibrate.main([*demo, *small, "--output", str(output)])
    found = read_calibration(output)
    assert found.device == "cpu" and set(found.throughput) == {("pretrain", "tiny"), ("finetune", "tiny")}
    assert all(1e6 < rate < 1e15 for rate in found.throughput.values()) and 0 < found.step_seconds["tiny"] < 10
    capsys.readouterr()
    command.main(["linkbert-tiny", *demo, "--calibration", str(output)])
    said = capsys.readouterr().out
    assert "Measured on cpu" in said and "Assumed" not in said
    with pytest.raises(UserError, match=r"unknown size 'tinny'.*Did you mean 'tiny'"):
        calibrate.main(["--sizes", "tinny"])
    write_json(output, {"version": 1})
    with pytest.raises(UserError, match="not a calibration"):
        command.main(["--calibration", str(output)])


def test_needs_follow_a_target_to_its_downloads(paper):
    found = needs(paper, ["linkbert-tiny-random"])
    assert found["models"] == ["models/linkbert-tiny-random"] and not found["scores"] and not found["tables"]
    assert sorted(found["graphs"]) == ["graphs/enwiki/hyperlink", "graphs/enwiki/random"], "a random graph has a model"
    assert found["instances"] == [
        "instances/enwiki/bert_uncased/random_links",
        "instances/bookcorpus/bert_uncased/bert",
    ]
    assert len(found["documents"]) == 65 and len(found["downloads"]) == 2 and found["hub"] == ["hub/bert-base-uncased"]
    assert needs(paper, ["squad"])["downloads"] and not needs(paper, ["squad"])["models"]
    assert needs(paper, ["table5"]).found == needs(paper, ["table5_ablation"]).found
    trained = needs(paper, ["biolinkbert-base"])
    assert not trained["hub"] and trained["tokenizers"] == ["tokenizers/pubmed_wordpiece"]
    both = needs(paper, ["tables", "models"])
    assert both.found == needs(paper).found


def test_what_stands_there_is_not_left(own):
    before = needs(own, ["linkbert-tiny"])
    assert before.left("documents") == before["documents"]
    write_json(own.root / own.results / "documents/enwiki/0007/meta.json", {})
    (own.root / own.results / "documents/enwiki/0008").mkdir(parents=True)
    assert len(before.left("documents")) == len(before["documents"]) - 1


def test_parameters_are_those_of_the_models():
    for shape in (ModelConfig(30528, 128, 2, 2, 512), ModelConfig(192, 32, 3, 4, 64, 64)):  # nothing to pad
        model = BertForPreTraining(shape, 3)
        assert parameters(shape) == sum(parameter.numel() for parameter in model.parameters())


def test_volumes_are_arithmetic_over_declared_sizes_and_name_what_is_not_known(paper):
    found = volumes(needs(paper, ["bert-tiny"]))
    words = 2_500_000_000 + 800_000_000
    assert found["tokens"].disk == pytest.approx(words * 1.2 * 2)
    assert found["instances"].disk == pytest.approx(words * 1.2 * 2 * 4 / 512 * 25)
    assert found["models"].disk == parameters(TINY) * (4 + 2 * 12)
    assert found["downloads"].download == 1_179_510_242
    assert found["downloads"].unknown["download"] == ["enwiki (1 of its files)"]
    assert "the tokenizer's own time" in found["tokens"].unknown["cpu_seconds"]


def test_a_generated_world_has_none_of_the_sizes_of_the_real_corpora():
    plan = Plan(configuration("config/demo.yaml"), ROOT)
    found = volumes(needs(plan, ["bert-tiny"]))
    assert not found["downloads"].download and not found["documents"].disk
    assert found["documents"].unknown["disk"] == ["enwiki", "bookcorpus"]
