"""Recipes with mistakes are refused in one sentence."""

import pytest

from linkbert.errors import UserError
from linkbert.pretraining.recipe import Recipe


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"objective": "rtd"}, "unknown objective 'rtd'"),
        ({"stepz": 3}, "Did you mean 'steps'"),
        ({"steps": None}, "either steps or max_minutes"),
        ({"max_minutes": 3}, "either steps or max_minutes"),
        ({"steps": 0}, "steps must be positive"),
        ({"warmup": 13}, "shorten the warm-up"),
        ({"dropout": 1.0}, "dropout"),
        ({"masking": {"probability": 0}}, "masking"),
        ({"masking": {"share": 0.5}}, "unknown key of masking"),
        ({"size": {"num_layers": 2}}, "size.hidden_size"),
        ({"length": 64}, "max_positions"),
        ({"precision": "fp8"}, "precision"),
    ],
)
def test_recipes_with_mistakes(change, sentence, small):
    with pytest.raises(UserError, match=sentence):
        Recipe.parse(small.recipe | change)


def test_a_missing_key_of_a_recipe(small):
    with pytest.raises(UserError, match="'batch_size' is missing"):
        Recipe.parse({key: value for key, value in small.recipe.items() if key != "batch_size"})
