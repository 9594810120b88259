"""config/recipes.tsv against the authors' scripts and the paper's appendix B, and how its cells are read."""

import itertools
import json
from pathlib import Path

import pytest

from linkbert.declarations import CONFIGURATION, Declarations, load_configuration, read_table
from linkbert.errors import UserError
from linkbert.finetune.recipe import Recipe, recipe_of
from linkbert.recipes import choose, recipe_points

CONFIG = Path(__file__).resolve().parents[2] / "config"
ROWS = [row for _, row in read_table(CONFIG / "recipes.tsv")]
TASKS = {row["task"]: row for _, row in read_table(CONFIG / "tasks.tsv")}

# The settings in the authors' scripts, read from the scripts and not from the table: learning rate, batch (examples of
# a device times accumulation), epochs, warm-up (share, or steps as whole numbers), longest input where it is set.
# Everything else is the Trainer's default, or stands in MORE.
SCRIPTS = """
base   hotpotqa          3e-5  24    4    0   384
base   naturalquestions  3e-5  24    4    0   384
base   triviaqa          3e-5  24    4    0   384
base   squad             3e-5  12    2    0   384
base   newsqa            3e-5  24    4    0   384
base   searchqa          3e-5  24    1    0   384
large  hotpotqa          2e-5  16    4    0   384
large  naturalquestions  2e-5  16    4    0   384
large  triviaqa          2e-5  16    4    0   384
large  squad             2e-5  16    2    0   384
large  newsqa            2e-5  16    2    0   384
large  searchqa          2e-5  16    2    0   384
base   pubmedqa          2e-5  16   30  100   512
base   bioasq            2e-5  16   20  100   512
base   biosses           1e-5  16   30    0   512
base   hoc               4e-5  32   40    0   512
base   chemprot          3e-5  32   10    0   256
base   ddi               2e-5  32    5    0   256
base   gad               3e-5  32   10    0   256
base   ebm_pico          5e-5  32    1    0   512
base   jnlpba            1e-5  16    5   .1   512
base   ncbi_disease      5e-5  32   20   .1   512
base   bc2gm             6e-5  32   50   .1   512
base   bc5_disease       5e-5  16    8   .1   512
base   bc5_chem          5e-5  32   20   .1   512
large  pubmedqa          3e-5  32   23   .5   512
large  bioasq            3e-5  32   30   .5   512
large  biosses           3e-5  32  100   .5   512
large  hoc               3e-5  32   20   .5   512
large  chemprot          2e-5  16    4   .5   256
large  ddi               2e-5  16    3   .5   256
large  gad               2e-5  16    5   .5   256
large  ebm_pico          2e-5  16    1   .5   512
large  jnlpba            3e-5  16    4   .5   512
large  ncbi_disease      2e-5  16   10   .5   512
large  bc2gm             2e-5  16   30   .5   512
large  bc5_disease       3e-5  32   20   .5   512
large  bc5_chem          2e-5  16    8   .5   512
base   medqa_usmle       2e-5  32    2  100   512
large  medqa_usmle       3e-5  64    6  500   512
"""
DEFAULTS = {"weight_decay": 0, "betas": [0.9, 0.999], "epsilon": 1e-8}
OTHERS = {"weight_decay": 0.01, "betas": [0.9, 0.98], "epsilon": 1e-6}
MORE = {("large", task): OTHERS for task in ("biosses", "jnlpba", "medqa_usmle")}
SEEDS = {("base", "biosses"): [5], ("large", "jnlpba"): [3]}
PINNED = {tuple(line.split()[:2]): line.split()[2:] for line in SCRIPTS.strip().splitlines()}


def points_of(set_, size, task):
    row = TASKS[task]
    return recipe_points(ROWS, [set_], size, row["suite"], task, int(row["length"]))


@pytest.mark.parametrize(("size", "task"), PINNED)
def test_released_recipes_are_those_of_the_authors_scripts(size, task):
    rate, batch, epochs, warmup, length = map(float, PINNED[size, task])
    (point,), seeds = points_of("released", size, task)
    assert point == {
        "learning_rate": rate,
        "batch_size": batch,
        "epochs": epochs,
        "warmup": warmup,
        "length": length,
        **MORE.get((size, task), DEFAULTS),
    }
    assert seeds == SEEDS.get((size, task), [])


def test_no_released_recipe_is_left_unpinned():
    """Beside the pinned ones: few-shot and distractors as their full sets, and MedQA's row, which serves MMLU too."""
    released = [row for row in ROWS if row["set"] == "released"]
    ours = {(row["size"], row["task"]): row for row in released if row["source"].startswith("ours: as ")}
    pinned = {(row["size"], row["task"]) for row in released} - ours.keys() - {("base", "*"), ("large", "*")}
    assert pinned == PINNED.keys() - {("base", "medqa_usmle"), ("large", "medqa_usmle")}
    assert len(ours) == 10
    for (size, task), row in ours.items():
        full = row["source"].removeprefix("ours: as ")
        assert full == task.removesuffix("_10pct").removesuffix("_distractors")
        assert points_of("released", size, task) == points_of("released", size, full)


RATES = {"tiny": "5e-5,1e-4,3e-4", "base": "2e-5,3e-5", "large": "1e-5,2e-5"}
BATCHES = {"tiny": "16,32,64", "base": "12,24", "large": "16,32"}
BLURB = ("1e-5,2e-5,3e-5,5e-5,6e-5", "16,32,64")
GLUE = ("5e-6,1e-5,2e-5,3e-5,5e-5", "16,32,64", "3,5,10")


@pytest.mark.parametrize(
    ("size", "task", "rates", "batches", "epochs", "warmup"),
    [
        *(
            (size, task, RATES[size], BATCHES[size], "5,10" if size == "tiny" else "2,4", 0)
            for size in RATES
            for task in ("squad", "squad_distractors", "squad_10pct")
        ),
        ("tiny", "cola", RATES["tiny"], BATCHES["tiny"], "5,10", 0),
        ("base", "cola", *GLUE, 0),
        ("large", "rte", *GLUE, 0),
        ("base", "hoc", *BLURB, "1,5,10,20,40", 0.1),
        ("large", "biosses", *BLURB, "30,60,120", 0.1),
        ("large", "mmlu_medicine", "1e-5,2e-5,3e-5", "16,32,64", "1,2,4,6", 0.1),
    ],
)
def test_grids_are_those_of_appendix_b(size, task, rates, batches, epochs, warmup):
    points, seeds = points_of("grid", size, task)
    wanted = itertools.product(*([float(cell) for cell in cells.split(",")] for cells in (rates, batches, epochs)))
    assert [(point["learning_rate"], point["batch_size"], point["epochs"]) for point in points] == list(wanted)
    assert all(point.items() >= {"warmup": warmup, **DEFAULTS}.items() for point in points) and seeds == []


def test_every_task_has_a_recipe_in_every_set_that_covers_it():
    for task, size in itertools.product(TASKS, ("tiny", "base", "large")):
        for name in ("demo", "grid", "released"):
            if name == "released" and (size == "tiny" or TASKS[task]["suite"] == "glue"):
                with pytest.raises(UserError, match="no row of the sets released fits"):
                    points_of(name, size, task)
            else:
                assert points_of(name, size, task)[0]


def test_no_two_recipes_apply_equally():
    keys = [(row["set"], row["size"], row["suite"], row["task"]) for row in ROWS]
    assert len(keys) == len(set(keys))


def test_the_row_of_a_task_beats_that_of_its_suite():
    assert choose(ROWS, ["grid"], "base", "blurb", "biosses")["epochs"] == "30,60,120"
    assert choose(ROWS, ["single", "grid"], "tiny", "mrqa", "squad")["set"] == "single"


# Cells ----------------------------------------------------------------------------------------------------------------

ROW = {
    **{"set": "mine", "size": "*", "suite": "qa", "task": "*", "learning_rate": "3e-5", "batch_size": "16"},
    **{"epochs": "3", "warmup": "0.1", "length": "", "weight_decay": "", "beta1": "", "beta2": "", "epsilon": ""},
    **{"seeds": "", "source": ""},
}


def points(**cells):
    return recipe_points([{**ROW, **cells}], ["mine"], "base", "qa", "x", 512)


BAD = [
    ("learning_rate", "3e-5,", "a number, or several different ones with a comma between them"),
    ("learning_rate", "3e-5;5e-5", "a number, or several"),
    ("learning_rate", "3e-5,3e-5", "several different ones"),
    ("learning_rate", "nan", "a number, or several"),
    ("learning_rate", "", "a number, or several"),
    ("batch_size", "16.9", "a whole number, or several"),
    ("batch_size", "-16", "a whole number, or several"),
    ("epochs", "3 5", "a number, or several"),
    ("warmup", "1.0", "a share of the steps, below 1, or a number of steps with an s behind it"),
    ("warmup", "1", "a share of the steps, below 1, or a number of steps with an s"),
    ("warmup", "100", "a share of the steps"),
    ("warmup", "10%", "a share of the steps"),
    ("warmup", "0.5s", "a share of the steps"),
    ("warmup", "", "a share of the steps"),
    ("length", "51.2", "a whole number"),
    ("weight_decay", "none", "a number"),
    ("epsilon", "1e", "a number"),
    ("seeds", "0;1", "a whole number, or several"),
    ("seeds", "0,0", "several different ones"),
]


@pytest.mark.parametrize(("column", "cell", "wanted"), BAD)
def test_a_cell_that_cannot_be_read_is_named_with_its_row(column, cell, wanted):
    with pytest.raises(UserError) as caught:
        points(**{column: cell})
    assert str(caught.value).startswith(f"recipes.tsv (mine * qa *): {column} is '{cell}'; it must be ")
    assert wanted in str(caught.value)


@pytest.mark.parametrize(
    ("column", "cell", "sentence"),
    [
        ("learning_rate", "1e999", "learning_rate is '1e999'; it must be a number"),
        ("learning_rate", "0", "learning_rate is 0.0; it must be above 0"),
        ("batch_size", "0", "batch_size is 0; it must be above 0"),
        ("epochs", "1e-12", "epochs is 1e-12; it must be at least 1e-06, or there may be no step"),
        ("warmup", "-0.1", "warmup is -0.1; it must not be below 0"),
        ("weight_decay", "-1", "weight_decay is -1.0; it must not be below 0"),
        ("beta1", "1", "betas is [1.0, 0.999]; each must be below 1"),
        ("beta2", "1.5", "betas is [0.9, 1.5]; each must be below 1"),
        ("epsilon", "0", "epsilon is 0.0; it must be above 0"),
        ("length", "4", "length is 4; an input needs at least 8 tokens"),
    ],
)
def test_a_value_outside_its_range_is_named_with_its_row(column, cell, sentence):
    with pytest.raises(UserError) as caught:
        points(**{column: cell})
    assert str(caught.value).startswith(f"recipes.tsv (mine * qa *): {sentence}")


@pytest.mark.parametrize(
    ("column", "cell", "sentence"),
    [
        ("learning_rate", "3e-5,", "learning_rate is '3e-5,'; it must be a number, or several different ones"),
        ("warmup", "1", "warmup is '1'; it must be a share of the steps"),
        ("beta2", "1", "betas is .0.9, 1.0.; each must be below 1"),
    ],
)
def test_a_row_that_nobody_uses_is_refused_with_file_and_line(tmp_path, column, cell, sentence):
    config = load_configuration(CONFIG.parent / name for name in CONFIGURATION)
    path = tmp_path / "mine.tsv"
    lines = [
        "\t".join(ROW),
        "# a comment",
        *("\t".join(row.values()) for row in (ROW, {**ROW, "task": "y", column: cell})),
    ]
    path.write_text("\n".join(lines) + "\n")
    config["declarations"]["recipes"] = ["config/recipes.tsv", str(path)]
    with pytest.raises(UserError, match=rf"mine.tsv, line 4 \(mine \* qa y\): {sentence}"):
        Declarations(config, CONFIG.parent)


def test_every_way_to_write_a_number_is_taken():
    for cells in (
        {"learning_rate": "1e-5, .5e-4,2E-5", "epochs": "0.5,1.,2", "batch_size": "8, 16", "seeds": "0, 1,2"},
        *({"warmup": cell} for cell in ("0", "0.", ".5", "0.06", "1s", "0s", "500s")),
        {"beta1": "0", "beta2": ".98", "epsilon": "1e-06", "weight_decay": "0.01", "length": "128"},
    ):
        assert points(**cells)[0], cells


def test_columns_that_are_empty_may_be_left_out():
    optional = ("length", "weight_decay", "beta1", "beta2", "epsilon", "seeds", "source")
    short = {column: cell for column, cell in ROW.items() if column not in optional}
    assert recipe_points([short], ["mine"], "base", "qa", "x", 512) == points()


def test_warmup_is_a_share_below_1_or_a_number_of_steps():
    def steps(cell, of=1000):
        ((point,), _) = points(warmup=cell)
        recipe = recipe_of("test", json.loads(json.dumps(point)), "classification")
        return recipe.warmup_steps(of)

    assert [steps(cell) for cell in ("0", "0.1", "0.5", "0.999", "1s", "100s")] == [0, 100, 500, 999, 1, 100]
    assert Recipe(1e-5, 16, 1, 128, warmup=1).warmup_steps(1000) == 1
    with pytest.raises(UserError, match=r"warmup is 1.5; it must be a share below 1, or a whole number of steps"):
        recipe_of("test", {"learning_rate": 1, "batch_size": 1, "epochs": 1, "warmup": 1.5}, "span")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"learning_rate": float("inf")}, "learning_rate is inf; it must be a finite number"),
        ({"weight_decay": float("nan")}, "weight_decay is nan; it must be a finite number"),
        ({"betas": [0.9, 1.0]}, "each must be below 1"),
        ({"betas": [-0.1, 0.9]}, "must not be below 0"),
        ({"epochs": 1e-12}, "there may be no step"),
    ],
)
def test_runs_that_are_asked_for_without_a_table_are_checked_alike(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        recipe_of("runs of 'x'", {"learning_rate": 1e-4, "batch_size": 8, "epochs": 2, **settings}, "span")


def test_the_fewest_epochs_are_a_step():
    assert recipe_of("t", {"learning_rate": 1, "batch_size": 99, "epochs": 1e-6}, "span").steps(1) == 1
    # 1.1 * 10 is 11.000000000000002 to a computer.
    assert recipe_of("t", {"learning_rate": 1, "batch_size": 1, "epochs": 1.1}, "span").steps(10) == 11


@pytest.mark.parametrize(
    ("task", "size", "examples", "of_device", "steps", "theirs"),
    [
        ("pubmedqa", "large", 450, 8, 345, 322),
        ("hoc", "large", 1295, 8, 820, 800),
        ("bc5_disease", "large", 4560, 8, 2860, 2840),
        ("biosses", "large", 64, 8, 200, 200),
        ("bioasq", "large", 670, 8, 630, 630),
        ("medqa_usmle", "large", 10178, 2, 960, 954),
        ("medqa_usmle", "base", 10178, 4, 638, 636),
    ],
)
def test_every_epoch_ends_in_a_step_of_the_examples_that_are_left(task, size, examples, of_device, steps, theirs):
    """Deviation F13: the Trainer divides the micro-batches of an epoch by the accumulation, rounding down."""
    ((point,), _) = points_of("released", size, task)
    recipe = recipe_of("test", point, TASKS[task]["kind"])
    assert recipe.steps(examples) == steps
    micro_batches = -(-examples // of_device)
    assert recipe.epochs * (micro_batches // (recipe.batch_size // of_device)) == theirs
