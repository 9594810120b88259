"""Recipes with mistakes are refused in one sentence."""

import math
from dataclasses import fields

import pytest

from linkbert.errors import UserError
from linkbert.pretraining.masking import Masking
from linkbert.pretraining.recipe import PARTS, VALUES, Recipe

IDENTITY = "b566bd5064be"  # of the small recipe; another one would make every checkpoint one of other settings


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"objective": "rtd"}, "objective must be one of mlm, mlm_drp, mlm_nsp, not 'rtd'"),
        ({"precision": "fp8"}, "precision must be one of auto, bf16, fp32, not 'fp8'"),
        ({"stepz": 3}, "unknown key 'stepz'.*Did you mean 'steps'"),
        ({"steps": None}, "either steps or max_minutes"),
        ({"max_minutes": 3}, "either steps or max_minutes"),
        ({"steps": 0}, "steps must be a whole number from 1, or null, not 0"),
        ({"steps": 12.5}, "steps must be a whole number"),
        ({"batch_size": 2.5}, "batch_size must be a whole number from 1, not 2.5"),
        ({"length": 30.5}, "length must be a whole number from 1, not 30.5"),
        ({"log_every": 2.5}, "log_every must be a whole number from 1, not 2.5"),
        ({"keep": True}, "keep must be a whole number from 1, not True"),
        ({"seed": "1"}, "seed must be a whole number, not '1'"),
        ({"learning_rate": "1e-4"}, "learning_rate must be a number above 0, not '1e-4'"),
        ({"learning_rate": math.inf}, "learning_rate must be a number above 0, not inf"),
        ({"clip": math.nan}, "clip must be a number above 0, not nan"),
        ({"warmup": 13}, "shorten the warm-up"),
        ({"warmup": -1, "steps": None, "max_minutes": 1}, "warmup must be a number from 0, not -1"),
        ({"weight_decay": -1}, "weight_decay must be a number from 0, not -1"),
        ({"weight_decay": "a"}, "weight_decay must be a number from 0, not 'a'"),
        ({"betas": [0.9]}, r"betas must be two numbers from 0 to below 1, not \[0.9\]"),
        ({"betas": [0.9, 1.5]}, "betas must be two numbers from 0 to below 1"),
        ({"betas": 0.9}, "betas must be two numbers"),
        ({"dropout": 1.0}, "dropout must be a number from 0 to below 1, not 1.0"),
        ({"dropout": "0.1"}, "dropout must be a number from 0 to below 1, not '0.1'"),
        ({"dropout": None}, "dropout must be a number from 0 to below 1, not None"),
        ({"compile": "yes"}, "compile must be true, false or 'auto', not 'yes'"),
        ({"compile": 1}, "compile must be true, false or 'auto', not 1"),
        ({"deterministic": "no"}, "deterministic must be true or false, not 'no'"),
        ({"masking": {"probability": 0}}, "masking.probability must be a number between 0 and 1, not 0"),
        ({"masking": {"probability": "x"}}, "masking.probability must be a number between 0 and 1, not 'x'"),
        ({"masking": {"masked": 0.8, "random": 0.3}}, "together they must not exceed 1"),
        ({"masking": {"share": 0.5}}, "unknown key 'masking.share'"),
        ({"size.num_layers": 2}, "unknown key 'size.num_layers'"),
        ({"masking": 3}, "masking must be an object of keys and values, not 3"),
        ({"size": {"num_layers": 2}}, "the key 'size.hidden_size' is missing"),
        ({"size": "base"}, "size must be an object of keys and values, not 'base'"),
        ({"length": 64}, "length 64 exceeds size.max_positions 32"),
    ],
)
def test_recipes_with_mistakes(change, sentence, small):
    with pytest.raises(UserError, match=sentence):
        Recipe.parse(small.recipe | change)


@pytest.mark.parametrize("value", [True, 0, 16.0, "16"])
def test_sizes_with_mistakes(small, value):
    with pytest.raises(UserError, match=r"size\.hidden_size must be a whole number from 1"):
        Recipe.parse(small.recipe | {"size": small.recipe["size"] | {"hidden_size": value}})


def test_a_recipe_that_is_none():
    with pytest.raises(UserError, match="must be an object"):
        Recipe.parse([])


def test_every_key_is_checked():
    known = {one.name for one in fields(Recipe)} - set(PARTS) | {f"masking.{one.name}" for one in fields(Masking)}
    assert {key for key in VALUES if not key.startswith("size.")} == known


def test_a_good_recipe_stays_as_it_is(small):
    """Its identity is in checkpoints; its settings are in training.json."""
    change = {"betas": [0.9, 0.999], "masking": {"whole_word": True}, "clip": 1, "compile": False, "max_minutes": None}
    settings = Recipe.parse(small.recipe | change).to_json()
    masking = {"probability": 0.15, "whole_word": True, "masked": 0.8, "random": 0.1}
    assert settings == settings | small.recipe | change | {"masking": masking}
    assert Recipe.parse(small.recipe).identity() == IDENTITY


def test_a_missing_key_of_a_recipe(small):
    with pytest.raises(UserError, match="'batch_size' is missing"):
        Recipe.parse({key: value for key, value in small.recipe.items() if key != "batch_size"})
