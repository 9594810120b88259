"""The model folder that pretraining writes, and training that continues from one."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from linkbert.errors import UserError
from linkbert.files import read_json, write_meta
from linkbert.pretraining.recipe import Recipe
from linkbert.pretraining.run import build_model, pretrain
from linkbert.text.vocabulary import read_vocabulary


def test_output_folder(paths, small, weights):
    assert pretrain("small", Recipe.parse(small.recipe), paths, threads=1, device="cpu") == 0
    names = {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt", "training.json", "meta.json"}
    assert names <= {file.name for file in paths.output.iterdir()}
    training, meta = (read_json(paths.output / f"{name}.json") for name in ("training", "meta"))
    assert training["steps"] == 12
    assert [line["step"] for line in training["curve"]] == list(range(1, 13))
    report = training["evaluation"][-1]
    assert report["step"] == 12
    assert np.array(report["relation"]["confusion"]).sum() == 40
    assert meta["parameters"]["name"] == "small"
    assert meta["weights_sha256"] == training["weights_sha256"]
    assert str(paths.output.parent) not in (paths.output / "meta.json").read_text()

    # A second call has nothing left to train and writes the same bytes.
    before = weights(paths.output)
    assert pretrain("small", Recipe.parse(small.recipe), paths, threads=1, device="cpu") == 0
    assert weights(paths.output) == before
    other = Recipe.parse(small.recipe | {"learning_rate": 1e-3})
    with pytest.raises(UserError, match="another configuration"):
        pretrain("small", other, paths, threads=1, device="cpu")
    # How a run is watched is no part of what it computes.
    watched = Recipe.parse(small.recipe | {"log_every": 5, "micro_batch_tokens": 64, "checkpoint_every": 7})
    assert pretrain("small", watched, paths, threads=1, device="cpu") == 0


@pytest.mark.parametrize("objective", ["mlm_drp", "mlm_nsp", "mlm"])
def test_a_rare_relation_is_told(paths, folders, small, tmp_path, caplog, objective):
    """Where hardly any link leads anywhere, a model trained on links is none, and says so."""
    rows = np.load(folders / "instances" / "epoch-000.npy")
    rows["relation"] = np.arange(len(rows)) % 2
    (tmp_path / "unlinked").mkdir()
    np.save(tmp_path / "unlinked" / "epoch-000.npy", rows)
    write_meta(tmp_path / "unlinked", "instances")
    unlinked = replace(paths, sources=[(folders / "tokens", tmp_path / "unlinked")], evaluation=[])
    with caplog.at_level("INFO"):
        pretrain("small", Recipe.parse(small.recipe | {"objective": objective, "steps": 3}), unlinked, 1, "cpu")
    shares = {"contiguous": 13 / 25, "random": 12 / 25, "linked": 0}
    assert read_json(paths.output / "training.json")["relations"] == pytest.approx(shares)
    assert "instances: 52.0 % contiguous, 48.0 % random, 0.0 % linked" in caplog.text
    assert ("linked pairs are less than 5 % of the instances" in caplog.text) == (objective == "mlm_drp")


def test_continuing_a_released_model(paths, folders, small):
    assert pretrain("first", Recipe.parse(small.recipe), paths, threads=1, device="cpu") == 0
    vocabulary = read_vocabulary(folders / "tokenizer")
    drp, nsp = (Recipe.parse(small.recipe | {"objective": name}) for name in ("mlm_drp", "mlm_nsp"))
    same, fresh = build_model(drp, vocabulary, paths.output), build_model(nsp, vocabulary, paths.output)
    scratch = build_model(nsp, vocabulary, None)
    for name in ("encoder.words.weight", "pooler.dense.weight", "mlm.bias"):
        assert torch.equal(same.state_dict()[name], fresh.state_dict()[name])
        assert not torch.equal(fresh.state_dict()[name], scratch.state_dict()[name])
    assert torch.equal(fresh.relation.weight, scratch.relation.weight)
    shallow = Recipe.parse(small.recipe | {"size": small.recipe["size"] | {"num_layers": 1}})
    with pytest.raises(UserError, match="num_layers is 2, the recipe says 1"):
        build_model(shallow, vocabulary, paths.output)
    with pytest.raises(UserError, match="120 words, the tokenizer 121"):
        build_model(drp, replace(vocabulary, size=121), paths.output)
