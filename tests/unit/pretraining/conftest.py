"""A model of two small layers, made-up words to train it on, and a training that nothing disturbs."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from linkbert.files import read_json
from linkbert.pretraining.data import Corpus, heldout_rows, open_source
from linkbert.pretraining.evaluation import Heldout
from linkbert.pretraining.loop import Trainer
from linkbert.pretraining.recipe import Recipe
from linkbert.pretraining.run import Paths, build_model
from linkbert.pretraining.synthetic import write_instances, write_tokenizer, write_tokens
from linkbert.text.vocabulary import read_vocabulary

WORDS, TOKENS, LENGTH = 120, 5000, 32
RECIPE = {
    "objective": "mlm_drp",
    "size": {"num_layers": 2, "hidden_size": 16, "num_heads": 2, "intermediate_size": 32, "max_positions": 32},
    "length": LENGTH,
    "steps": 12,
    "batch_size": 10,
    "learning_rate": 5e-3,
    "warmup": 3,
    "seed": 1,
    "log_every": 1,
    "checkpoint_every": 3,
}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Models this small gain nothing from more, and on a busy machine wait for them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small() -> SimpleNamespace:
    """What all tests train by: `recipe`, and the `words`, `tokens` and `length` of the made-up corpus."""
    return SimpleNamespace(recipe=RECIPE, words=WORDS, tokens=TOKENS, length=LENGTH)


@pytest.fixture(scope="session")
def folders(tmp_path_factory) -> Path:
    """Tokenizer, tokens, instances of three relations, and `pairs` of two."""
    folder = tmp_path_factory.mktemp("world")
    write_tokenizer(folder / "tokenizer", WORDS)
    write_tokens(folder / "tokens", WORDS, TOKENS)
    write_instances(folder / "instances", [25, 23], TOKENS, LENGTH, full=0.5, heldout=40)
    write_instances(folder / "pairs", [25], TOKENS, LENGTH, relations=2, full=0.5)
    return folder


@pytest.fixture
def paths(folders, tmp_path) -> Paths:
    source = [(folders / "tokens", folders / "instances")]
    return Paths(folders / "tokenizer", source, source, None, tmp_path / "checkpoints", tmp_path / "model")


@pytest.fixture(scope="session")
def trainer() -> Callable[..., Trainer]:
    """A function that makes the trainer of the recipe with other settings."""

    def make(folders, techniques=None, checkpoints=None, instances="instances", **settings) -> Trainer:
        recipe = Recipe.parse(RECIPE | settings)
        vocabulary = read_vocabulary(folders / "tokenizer")
        files = sorted((folders / instances).glob("epoch-*.npy"))
        source = open_source(folders / "tokens", files, vocabulary, LENGTH, recipe.relations)
        model = build_model(recipe, vocabulary, None, pad_vocabulary=techniques is None or techniques.padded_vocabulary)
        corpus = Corpus([source], recipe.seed)
        return Trainer(model, recipe, corpus, vocabulary, torch.device("cpu"), None, checkpoints, None, techniques)

    return make


@pytest.fixture(scope="session")
def heldout(folders) -> Heldout:
    """The held-out instances."""
    vocabulary = read_vocabulary(folders / "tokenizer")
    held = [open_source(folders / "tokens", [folders / "instances" / "heldout.npy"], vocabulary, LENGTH, 3)]
    return Heldout(held, heldout_rows(held), vocabulary, "all")


@pytest.fixture(scope="session")
def curve() -> Callable[[Trainer], list[float]]:
    """A function that gives the losses a trainer wrote down."""
    return lambda one: [line["loss"] for line in one.curve]


@pytest.fixture(scope="session")
def weights() -> Callable[[Path], str]:
    """A function that gives the checksum of a model folder's weights."""
    return lambda path: read_json(path / "training.json")["weights_sha256"]


@pytest.fixture(scope="module")
def undisturbed(folders, trainer, one_thread) -> Trainer:
    """The recipe as it is, trained to its end."""
    one = trainer(folders)
    one.train()
    return one
