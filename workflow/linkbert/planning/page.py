"""An estimate as a page for people: jobs, hours, disk and downloads by stage, the costs in detail, what was assumed."""

from collections.abc import Container, Iterator, Sequence

from linkbert.planning.estimate import SIZES, Cost, Estimate
from linkbert.planning.volumes import CORPORA
from linkbert.progress import count
from linkbert.tables.text import aligned

# Stage of `linkbert.planning.needs` -> what the page calls it.
TITLES = {
    "downloads": "download files",
    "hub": "download from the hub",
    "documents": "extract documents",
    "tokenizers": "tokenizers",
    "tokens": "tokenize",
    "graphs": "graphs",
    "instances": "sample instances",
    "heldout": "held-out instances",
    "models": "pretrain or adopt models",
    "tasks": "prepare tasks",
    "scores": "fine-tune",
    "tables": "tables",
}


def hours(number: float) -> str:
    """Hours with two significant digits, or none behind the point.

    >>> hours(1234.5), hours(12.34), hours(0.0567), hours(0)
    ('1,234', '12', '0.057', '0')
    """
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def gigabytes(number: float) -> str:
    """Bytes in GB; empty for none.

    >>> gigabytes(1_179_510_242), gigabytes(2e6), gigabytes(0)
    ('1.2', '0.002', '')
    """
    return hours(number / 1e9) if number else ""


def page(estimate: Estimate, targets: Sequence[str] = ()) -> str:
    """The estimate in Markdown."""
    heads = ["model", "suite", "jobs", "runs", "training tokens", "evaluation tokens", "GPU-hours"]
    rows = [[model, suite, *_cells(cost)] for (model, suite), cost in estimate.fine_tuning.items()]
    lines = [f"# What {', '.join(targets) or 'everything'} will cost", "", *_stages(estimate)]
    if rows:
        lines += ["", "Fine-tuning", ""]
        lines += aligned([heads, *rows, ["all", "", *_cells(estimate.total)]], left=2)
    if estimate.pretraining:
        trained = [[model, *_cells(cost)[2:3], _cells(cost)[4]] for model, cost in estimate.pretraining.items()]
        total = _cells(estimate.total_pretraining)
        lines += ["", "Pretraining", ""]
        lines += aligned([["model", "tokens", "GPU-hours"], *trained, ["all", total[2], total[4]]], left=1)
    left, models = estimate.left, estimate.left_pretraining
    lines += [
        "",
        f"Left to do: {left.jobs:,} of {estimate.jobs:,} jobs with {left.runs:,} runs, {hours(left.hours)} GPU-hours; "
        f"{models.runs} of {len(estimate.pretraining)} pretrainings, {hours(models.hours)} GPU-hours.",
        "",
        *_assumptions(estimate),
    ]
    if estimate.uncounted:
        lines += [
            "",
            f"Not in the sums, for want of a number of examples: {', '.join(estimate.uncounted)}. "
            f"Prepare the task, or give the option expected in tasks.tsv, or a row in {SIZES}.",
        ]
    return "\n".join(lines)


def _stages(estimate: Estimate) -> Iterator[str]:
    """What is left, stage by stage; a sum with something unknown is the least that it can be."""
    rows = [["stage", "jobs", "left", "GPU-hours left", "CPU-hours left", "disk, GB", "download, GB"]]
    gpu = {"models": estimate.left_pretraining.hours, "scores": estimate.left.hours}
    total = [0.0] * 4
    unknown = {column for volume in estimate.volumes.values() for column in volume.unknown}
    for stage, title in TITLES.items():
        if not estimate.needs[stage]:
            continue
        volume = estimate.volumes[stage]
        numbers = [gpu.get(stage, 0.0), volume.cpu_seconds / 3600, volume.disk, volume.download]
        total = [first + second for first, second in zip(total, numbers, strict=True)]
        jobs = [f"{len(estimate.needs[stage]):,}", f"{len(estimate.needs.left(stage)):,}"]
        rows.append([title, *jobs, *_numbers(numbers, volume.unknown)])
    jobs = [f"{sum(len(estimate.needs[stage]) for stage in TITLES):,}"]
    jobs += [f"{sum(len(estimate.needs.left(stage)) for stage in TITLES):,}"]
    rows.append(["all", *jobs, *_numbers(total, unknown)])
    yield from aligned(rows, left=1)
    lines = []
    for stage, title in TITLES.items():
        volume = estimate.volumes[stage]
        said = {column: ", ".join(found) for column, found in volume.unknown.items()}
        for text in dict.fromkeys(said.values()):
            columns = " and ".join(COLUMNS[column] for column, found in said.items() if found == text)
            lines.append(f"- {title}, {columns}: {text}")
    if lines:
        yield from ("", "Not known, and not in these sums:", "", *lines)


# Column of a volume -> its heading, without the unit.
COLUMNS = {"cpu_seconds": "CPU-hours", "disk": "disk", "download": "download"}


def _numbers(numbers: Sequence[float], unknown: Container[str]) -> list[str]:
    """The last four cells of a line; a sum that something is missing from is the least that it can be."""
    gpu, cpu, disk, download = numbers
    shown = zip(COLUMNS, (hours(cpu) if cpu else "", gigabytes(disk), gigabytes(download)), strict=True)
    signed = [(f"> {text}" if text else "?") if column in unknown else text for column, text in shown]
    return [hours(gpu) if gpu else "", *signed]


def _assumptions(estimate: Estimate) -> Iterator[str]:
    machine, plan = estimate.machine, estimate.needs.plan
    used = dict.fromkeys(plan.models[name.split("/")[1]]["size"] for name in estimate.needs["models"])
    known = {size for _, size in machine.calibration.throughput} if machine.calibration else set()
    measured = [size for size in used if size in known]
    if measured and machine.calibration:
        numbers = "; ".join(
            f"{size} {machine.sustained('pretrain', size):.3g} and {machine.sustained('finetune', size):.3g} FLOP/s, "
            f"a step at least {1000 * machine.step(size):.2g} ms"
            for size in measured
        )
        where = machine.calibration.device
        yield f"Measured on {where} by scripts/calibrate.py, pretraining and fine-tuning: {numbers}."
        yield ""
    assumed = [size for size in used if size not in known]
    what = f" for {', '.join(assumed)}" if measured else ""
    if assumed:
        yield (
            f"Assumed{what}: one device sustains {machine.throughput:.3g} FLOP/s, and an optimizer step takes at least "
            f"{1000 * machine.step_seconds:g} ms. Measure it in a minute: python scripts/calibrate.py"
        )
        yield ""
    yield (
        f"Full sequences in pretraining; lengths and missing counts from {SIZES}, sizes of corpora from {CORPORA}; "
        "rates of the stages before training from docs/performance.md. Documents are counted as large as their text. "
        "Each run predicts dev and test once. A job that spans suites is counted in each, and once in the sum."
    )


def _cells(cost: Cost) -> list[str]:
    tokens = (count(cost.training_tokens), count(cost.evaluation_tokens))
    return [f"{cost.jobs:,}", f"{cost.runs:,}", *tokens, hours(cost.hours)]
