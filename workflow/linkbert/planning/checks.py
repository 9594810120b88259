"""Mistakes that a job would find only after days of other jobs, found before anything runs."""

from typing import TYPE_CHECKING

from linkbert.declarations import names
from linkbert.errors import UserError, unknown
from linkbert.pretraining.recipe import Recipe

if TYPE_CHECKING:
    from linkbert.planning.plan import Plan


def check_models(plan: "Plan") -> None:
    """Refuse a recipe of pretraining that the training would refuse, or instances that its objective cannot use.

    Raises:
        UserError: it names the model and the setting.
    """
    for model, row in plan.models.items():
        if row["kind"] == "released":
            continue
        where = f"models.tsv ({model})"
        try:
            recipe = Recipe.parse(plan.pretraining(model))
        except UserError as error:
            raise UserError(f"{where}: pretraining.{row['recipe']}, sizes.{row['size']}: {error}") from None
        for corpus in names(row["corpora"]):
            sampling = plan.sampling_for(corpus, row["sampling"])
            if sampling not in plan.samplings:
                raise unknown(where, "sampling", sampling, plan.samplings)
            if recipe.relations == 2 and float(plan.samplings[sampling]["linked"]) > 0:
                raise UserError(
                    f"{where}: the sampling '{sampling}' draws linked pairs, but the objective {recipe.objective} "
                    "tells contiguous and random ones apart only. Use the objective mlm_drp, or the sampling bert."
                )


def check_lengths(plan: "Plan") -> None:
    """Refuse inputs that are longer than the model that is pretrained for them.

    Raises:
        UserError: it names the model, the task and both lengths.
    """
    for (model, _), runs in plan.jobs.items():
        row = plan.models[model]
        positions = plan.config["sizes"][row["size"]].get("max_positions")
        if row["kind"] == "released" or positions is None:
            continue
        for task, run in runs.items():
            length = max(point["length"] for point in run["recipes"])
            if length > positions:
                raise UserError(
                    f"models.tsv ({model}), tasks.tsv ({task}): inputs of {length} tokens, but a model of size "
                    f"'{row['size']}' has {positions} positions (max_positions). Shorten the length in recipes.tsv or "
                    "tasks.tsv, or set finetuning.max_length."
                )
