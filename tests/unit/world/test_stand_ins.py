"""The stand-ins for released checkpoints: they load, their sizes are a choice, their vocabulary is learned."""

import json
from pathlib import Path

import pytest

import make_world as script
from linkbert.world import vocabulary
from linkbert.world.hub import CHECKPOINTS, SIZES, Size, sizes_from


@pytest.mark.parametrize("repository", CHECKPOINTS)
def test_checkpoints_load(folder: Path, repository: str) -> None:
    import torch
    from transformers import AutoModel, AutoModelForPreTraining, AutoTokenizer

    path = folder / "hub" / repository
    assert set((path / "files.txt").read_text().split()) == {p.name for p in path.iterdir()} - {"files.txt"}
    size, _, lowercase, heads = CHECKPOINTS[repository]
    model, found = AutoModel.from_pretrained(path, output_loading_info=True)
    assert not found["missing_keys"] and bool(found["unexpected_keys"]) == heads
    assert model.config.hidden_size == SIZES[size].hidden_size
    assert len(model.encoder.layer) == SIZES[size].num_layers
    tokenizer = AutoTokenizer.from_pretrained(path)
    assert len(tokenizer) == model.config.vocab_size
    batch = tokenizer("Where is Aldmere Mills based?", "It is in [Marhaven] {x}.", return_tensors="pt")
    assert tokenizer.unk_token_id not in batch["input_ids"]
    assert batch["token_type_ids"].sum() > 0
    pieces = tokenizer.convert_ids_to_tokens(batch["input_ids"][0])
    assert (pieces[0], pieces[-1]) == ("[CLS]", "[SEP]")
    assert any(piece[0].isupper() for piece in pieces[1:-1]) != lowercase
    with torch.no_grad():
        assert torch.isfinite(model(**batch).last_hidden_state).all()
    if heads:
        _, found = AutoModelForPreTraining.from_pretrained(path, output_loading_info=True)
        assert not found["missing_keys"] and not found["unexpected_keys"]


def test_checkpoint_sizes_are_a_choice(tmp_path: Path) -> None:
    small = {"num_layers": 1, "hidden_size": 16, "num_heads": 2, "intermediate_size": 32, "max_positions": 64}
    sizes = sizes_from({"base": small, "tiny": {"whatever": 1}})
    assert sizes == {"base": Size(1, 16, 2, 32, 64), "large": SIZES["large"]}
    arguments = ["--scale", "tiny", "--sizes", json.dumps({"base": small}), "--output", str(tmp_path / "world")]
    script.main(arguments)
    config = json.loads((tmp_path / "world/hub/michiyasunaga/LinkBERT-base/config.json").read_text())
    assert (config["hidden_size"], config["max_position_embeddings"]) == (16, 64)


def test_vocabulary_is_learned_and_stable() -> None:
    texts = ["Lower lowest low", "low low löwer", "unrelated words"]
    pieces = vocabulary.learn(texts, 200, lowercase=True)
    assert pieces[:5] == list(vocabulary.SPECIAL) and len(pieces) == len(set(pieces))
    assert "low" in pieces and "lower" in pieces and "unrelated" not in pieces
    assert pieces == vocabulary.learn(reversed(texts), 200, lowercase=True)
    assert "Lower" not in pieces and "ö" in vocabulary.learn(["ö ö"], 300, lowercase=False)
    assert len(vocabulary.learn(["ab" * n + " " + "ab" * n for n in range(1, 60)], 140, lowercase=True)) == 140
