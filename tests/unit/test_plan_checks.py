"""What a job would refuse after days is refused by the plan."""

import copy
from pathlib import Path

import pytest

from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.errors import UserError
from linkbert.planning.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
PAPER = load_configuration(ROOT / name for name in CONFIGURATION)


def override(config, model, **cells):
    config["overrides"] = {"models": {model: cells}}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda c: c["sizes"]["tiny"].update(max_positions=256),
            r"bert-tiny\).*length 512 exceeds size.max_positions 256",
        ),
        (
            lambda c: c["sizes"]["tiny"].update(num_heads=3),
            r"sizes.tiny: .*hidden_size 128 is not a multiple of .*heads 3",
        ),
        (lambda c: c["pretraining"]["tiny"].update(steps=100), "pretraining.tiny.*warmup is 5000 but training has 100"),
        (
            lambda c: override(c, "linkbert-tiny", objective="mlm_nsp"),
            r"models.tsv \(linkbert-tiny\): the sampling 'hyperlink' draws linked pairs, but the objective mlm_nsp",
        ),
        (
            lambda c: (c["instances"].update(length=128), c["sizes"]["tiny"].update(max_positions=128)),
            r"\(bert-tiny\), tasks.tsv \(\w+\): inputs of \d+ tokens, .* 128 positions .*finetuning.max_length",
        ),
    ],
)
def test_a_setting_that_cannot_be_trained_is_refused(change, sentence):
    config = copy.deepcopy(PAPER)
    change(config)
    with pytest.raises(UserError, match=sentence):
        Plan(config, ROOT)


def test_a_longest_input_keeps_tasks_within_short_models():
    config = copy.deepcopy(PAPER)
    config["instances"]["length"] = config["sizes"]["tiny"]["max_positions"] = 128
    config["finetuning"]["max_length"] = 128
    Plan(config, ROOT)


def test_a_corpus_without_links_serves_a_model_that_tells_two_relations_apart():
    """Its pairs are drawn as BERT's, whatever sampling the model has."""
    config = copy.deepcopy(PAPER)
    override(config, "linkbert-tiny", objective="mlm_nsp", corpora="bookcorpus")
    Plan(config, ROOT)
