"""An estimate as a page for people: two tables, what is left to do, and what was assumed."""

from collections.abc import Sequence

from linkbert.estimate import SIZES, Cost, Estimate
from linkbert.progress import count
from linkbert.tables.text import aligned


def hours(number: float) -> str:
    """Hours with two significant digits, or none behind the point.

    >>> hours(1234.5), hours(12.34), hours(0.0567), hours(0)
    ('1,234', '12', '0.057', '0')
    """
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def page(estimate: Estimate, tables: Sequence[str] = ()) -> str:
    """The estimate in Markdown."""
    machine = estimate.machine
    heads = ["model", "suite", "jobs", "runs", "training tokens", "evaluation tokens", "GPU-hours"]
    rows = [[model, suite, *_cells(cost)] for (model, suite), cost in estimate.fine_tuning.items()]
    lines = [f"# What {', '.join(tables) or 'everything'} will cost", "", "Fine-tuning", ""]
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
        f"Assumed: one device sustains {machine.throughput:.3g} FLOP/s, and an optimizer step takes at least "
        f"{1000 * machine.step_seconds:g} ms; full sequences in pretraining; lengths and missing counts from {SIZES}. "
        "Each run predicts dev and test once. A job that spans suites is counted in each, and once in the sum.",
    ]
    if estimate.uncounted:
        lines += [
            "",
            f"Not in the sums, for want of a number of examples: {', '.join(estimate.uncounted)}. "
            f"Prepare the task, or give the option expected in tasks.tsv, or a row in {SIZES}.",
        ]
    return "\n".join(lines)


def _cells(cost: Cost) -> list[str]:
    tokens = (count(cost.training_tokens), count(cost.evaluation_tokens))
    return [f"{cost.jobs:,}", f"{cost.runs:,}", *tokens, hours(cost.hours)]
