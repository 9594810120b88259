"""The order, the schedule, the optimizer, and what a run may depend on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from linkbert.errors import UserError
from linkbert.finetune import loop
from linkbert.finetune.loop import batches, optimizer_of, predict, split, train
from linkbert.finetune.methods import METHODS
from linkbert.finetune.network import Checkpoint
from linkbert.finetune.recipe import Recipe, recipe_of
from linkbert.optimizer import AdamW

CPU = torch.device("cpu")
BASE = {"learning_rate": 2e-3, "batch_size": 8, "epochs": 3, "length": 64}


@pytest.fixture(scope="module")
def checkpoint(model) -> Checkpoint:
    return Checkpoint(model, CPU)


def tuned(world, checkpoint, kind: str, seed: int = 0, number: int = 40, **more):
    """Train on invented examples; returns the loss, the predictions on them, the examples and the weights."""
    random = np.random.default_rng(4)
    examples = [world.makers[kind][0](random, str(i)) for i in range(number)]
    method = METHODS[kind](world.makers[kind][1], recipe_of("test", {**BASE, **more}, kind))
    features = method.features(examples, checkpoint.tokenizer)
    network = checkpoint.network(method, seed)
    loss = train(network, method, features, seed, "task", CPU)
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    return loss, predict(network, method, features, examples, CPU), examples, weights


@pytest.mark.parametrize(
    ("units", "warmup", "epochs"), [(40, 0, 3), (41, 0.1, 4), (7, 5, 2), (100, 0.5, 1), (33, 2, 1.5)]
)
def test_the_rate_follows_the_linear_schedule(units, warmup, epochs):
    from transformers import get_linear_schedule_with_warmup

    recipe = recipe_of("test", {**BASE, "warmup": warmup, "epochs": epochs}, "span")
    steps = recipe.steps(units)
    assert steps == int(np.ceil(epochs * np.ceil(units / 8)))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=recipe.learning_rate)
    schedule = get_linear_schedule_with_warmup(optimizer, int(np.ceil(warmup * steps)) if warmup < 1 else warmup, steps)
    for step in range(steps):
        assert recipe.rate(step, steps) == pytest.approx(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize(("units", "epochs"), [(40, 2), (41, 3), (5, 2), (20, 1.5)])
def test_every_epoch_sees_every_unit_once(units, epochs):
    recipe = recipe_of("test", {**BASE, "epochs": epochs}, "span")
    seen = list(batches(units, recipe, seed=1, task="t"))
    assert len(seen) == recipe.steps(units)
    assert all(len(batch) == 8 for _, batch in seen if len(batch) != units % 8)
    for epoch in range(int(epochs)):
        assert sorted(np.concatenate([batch for number, batch in seen if number == epoch])) == list(range(units))
    again = list(batches(units, recipe, seed=1, task="t"))
    assert all((a == b).all() for (_, a), (_, b) in zip(seen, again, strict=True))
    for other in (batches(units, recipe, seed=2, task="t"), batches(units, recipe, seed=1, task="u")):
        assert not all((a == b).all() for (_, a), (_, b) in zip(seen, other, strict=True))
    first = [batch for number, batch in seen if number == 0]
    assert not all((a == b).all() for a, (number, b) in zip(first, seen[len(first) :], strict=False) if number == 1)


def test_parts_hold_all_units_within_the_budget():
    random = np.random.default_rng(0)
    lengths = random.integers(1, 50, 200)
    lengths[7] = 900
    parts = split(np.arange(200), lengths, 100)
    assert sorted(np.concatenate(parts)) == list(range(200))
    assert all(lengths[part].sum() <= 100 or len(part) == 1 for part in parts)
    assert (np.diff(lengths[np.concatenate(parts)]) <= 0).all()


def test_decay_spares_biases_and_norms_as_the_trainer_does(world, checkpoint):
    method = METHODS["classification"](["no", "yes"], Recipe(1e-3, 8, 1, 64, weight_decay=0.01))
    network = checkpoint.network(method, 0)
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    (decayed, decay, *_), (spared, none, *_) = optimizer_of(network, method.recipe).groups
    assert (decay, none) == (0.01, 0.0)
    assert {id(p) for p in decayed + spared} == names.keys()
    spared_names = [names[id(p)] for p in spared]
    norms = [name for name, module in network.named_modules() if isinstance(module, torch.nn.LayerNorm)]
    expected = {name for name in names.values() if name.endswith("bias") or name.rpartition(".")[0] in norms}
    assert set(spared_names) == expected and len(norms) == 5


def test_the_optimizer_is_that_of_pytorch():
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(size)) for size in ((5, 3), (7,), (2, 2))]
    theirs = [torch.nn.Parameter(parameter.detach().clone()) for parameter in ours]
    groups = [{"params": theirs[:2], "weight_decay": 0.1}, {"params": theirs[2:], "weight_decay": 0.0}]
    reference = torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-6, fused=True)
    optimizer = AdamW([(ours[:2], 0.1), (ours[2:], 0.0)], (0.9, 0.98), 1e-6)
    for step in range(5):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn_like(mine)
            other.grad = mine.grad.clone()
        for group in reference.param_groups:
            group["lr"] = 0.01 / (step + 1)
        reference.step()
        optimizer.step(0.01 / (step + 1))
        assert all(torch.equal(mine, other) for mine, other in zip(ours, theirs, strict=True))
        assert all(mine.grad is None for mine in ours)
    with pytest.raises(RuntimeError, match="has no gradient"):
        optimizer.step(0.1)


def test_dropout_is_drawn_for_each_seed_task_epoch_and_input(world, checkpoint, monkeypatch):
    random = np.random.default_rng(4)
    examples = [world.makers["classification"][0](random, str(i)) for i in range(20)]
    method = METHODS["classification"](["no", "yes"], recipe_of("test", {**BASE, "epochs": 2}, "classification"))
    features = method.features(examples, checkpoint.tokenizer)
    drawn: list[bytes] = []
    real = method.inputs

    def inputs(features, units, keys):
        assert len(np.unique(keys)) == len(keys) == 20
        drawn.append(keys.tobytes())
        return real(features, units, keys)

    monkeypatch.setattr(method, "inputs", inputs)
    for seed, task in ((0, "one"), (1, "one"), (0, "other")):
        train(checkpoint.network(method, seed), method, features, seed, task, CPU)
    assert len(drawn) == 3 * 6 and len(set(drawn)) == 3 * 2


def test_dropout_is_on_in_training_and_off_in_prediction(world, checkpoint, monkeypatch):
    def loss() -> float:
        return tuned(world, checkpoint, "classification", epochs=1, batch_size=40, learning_rate=1e-12)[0]

    with_dropout, config = loss(), checkpoint.encoder.config
    monkeypatch.setattr(checkpoint.encoder, "config", replace(config, dropout=0.0, attention_dropout=0.0))
    assert abs(loss() - with_dropout) > 1e-3
    training = []
    hook = checkpoint.encoder.register_forward_hook(lambda encoder, *_: training.append(encoder.training))
    tuned(world, checkpoint, "classification", epochs=1, batch_size=40)
    hook.remove()
    assert training == [True, False]


def test_two_steps_are_the_steps_of_a_plain_loop(world, checkpoint):
    """Loss, clipping, rate and AdamW of one batch twice, against PyTorch written out with Hugging Face's model."""
    from transformers import BertForSequenceClassification

    random = np.random.default_rng(4)
    examples = [world.makers["classification"][0](random, str(i)) for i in range(8)]
    settings = {**BASE, "epochs": 2, "weight_decay": 0.1, "clip": 0.5}
    method = METHODS["classification"](["no", "yes"], recipe_of("test", settings, "classification"))
    features = method.features(examples, checkpoint.tokenizer)
    network = checkpoint.network(method, 3)
    theirs = BertForSequenceClassification.from_pretrained(world.model, num_labels=2)
    theirs.classifier.load_state_dict(network.head.state_dict())
    theirs.eval()
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for n, p in theirs.named_parameters() if "bias" not in n and "LayerNorm" not in n]},
            {
                "params": [p for n, p in theirs.named_parameters() if "bias" in n or "LayerNorm" in n],
                "weight_decay": 0.0,
            },
        ],
        lr=2e-3,
        eps=1e-8,
        weight_decay=0.1,
    )
    rows = [features.pack(np.array([row])) for row in range(8)]
    batch = {
        "input_ids": [row.tokens for row in rows],
        "token_type_ids": [row.segments for row in rows],
        "attention_mask": [torch.ones_like(row.tokens) for row in rows],
    }
    batch = {name: torch.nn.utils.rnn.pad_sequence(values, batch_first=True) for name, values in batch.items()}
    norms, losses = [], []
    for rate in (2e-3, 1e-3):
        optimizer.zero_grad()
        loss = theirs(**batch, labels=torch.from_numpy(features.targets["target"])).loss
        loss.backward()
        losses.append(loss.item())
        # Adam divides by the size of the gradient: only from the second step on does clipping show in the weights.
        norms.append(float(torch.nn.utils.clip_grad_norm_(theirs.parameters(), 0.5)))
        optimizer.param_groups[0]["lr"] = optimizer.param_groups[1]["lr"] = rate
        optimizer.step()
    assert min(norms) > 0.5 and abs(norms[0] / norms[1] - 1) > 0.05
    # The same without dropout.
    config = network.encoder.config
    network.encoder.config = replace(config, dropout=0.0, attention_dropout=0.0)
    assert train(network, method, features, 3, "task", CPU) == pytest.approx(sum(losses) / 2, rel=1e-4)
    network.encoder.config = config
    assert torch.allclose(network.head.weight, theirs.classifier.weight, atol=1e-4)
    ours = network.encoder.layers[0].up.weight
    change = (ours - theirs.bert.encoder.layer[0].intermediate.dense.weight).abs()
    # Adam's first step is the sign of the gradient: only where that is nearly 0 may rounding flip it.
    assert (change < 1e-4).float().mean() > 0.99


def test_same_seed_same_predictions_whatever_came_before(world, checkpoint):
    first = tuned(world, checkpoint, "classification", seed=3)
    tuned(world, checkpoint, "span", seed=9, number=10)
    second = tuned(world, checkpoint, "classification", seed=3)
    other = tuned(world, checkpoint, "classification", seed=4)
    assert first[0] == second[0] and first[1] == second[1]
    assert all(torch.equal(first[3][name], second[3][name]) for name in first[3])
    assert first[1].scores != other[1].scores


def test_a_missing_pooler_is_drawn_by_the_seed(world, tmp_path, caplog):
    """Some models are released without one."""
    from transformers import BertModel

    BertModel.from_pretrained(world.model, add_pooling_layer=False).save_pretrained(tmp_path)
    for name in ("tokenizer.json", "vocab.txt", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((world.model / name).read_bytes())

    def pooler(seed, disturbance):
        torch.manual_seed(disturbance)
        without = Checkpoint(tmp_path, CPU)
        method = METHODS["classification"](["no", "yes"], Recipe(1e-3, 8, 1, 64))
        return without.network(method, seed).pooler.dense.weight.detach().clone()

    assert torch.equal(pooler(0, 1), pooler(0, 2))
    assert not torch.equal(pooler(0, 1), pooler(1, 1))
    assert "has no pooler" in caplog.text


def test_outputs_are_not_rounded_to_half_precision(world, checkpoint):
    method = METHODS["regression"]([], Recipe(1e-3, 8, 1, 64))
    random = np.random.default_rng(4)
    examples = [world.makers["regression"][0](random, str(number)) for number in range(40)]
    features = method.features(examples, checkpoint.tokenizer)
    network = checkpoint.network(method, 0).eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        outputs = network(method.inputs(features, np.arange(40)))
    assert outputs.dtype == torch.float32
    assert (outputs != outputs.bfloat16().float()).float().mean() > 0.9


@pytest.mark.parametrize("kind", ["span", "tagging", "choice", "multilabel"])
def test_micro_batches_change_only_rounding(world, checkpoint, monkeypatch, kind):
    whole = tuned(world, checkpoint, kind, epochs=1, learning_rate=1e-4)
    monkeypatch.setitem(loop.TRAINING_TOKENS, "cpu", 70)
    parts = tuned(world, checkpoint, kind, epochs=1, learning_rate=1e-4)
    assert whole[0] == pytest.approx(parts[0], rel=1e-4)


@pytest.mark.parametrize("kind", ["classification", "multilabel", "regression", "tagging"])
def test_a_small_model_learns_a_plain_rule(world, checkpoint, kind):
    _, predictions, examples, _ = tuned(world, checkpoint, kind, number=48, epochs=16, learning_rate=6e-3)
    field = {"multilabel": "labels", "tagging": "tags"}.get(kind, "label")
    if kind == "regression":
        golds = [example[field] for example in examples]
        assert np.corrcoef(golds, list(predictions.values.values()))[0, 1] > 0.9
    else:
        values = [predictions.values[example["id"]] for example in examples]
        golds = [example[field] for example in examples]
        pairs = [(g, v) for g, v in zip(golds, values, strict=True)]
        if kind == "tagging":
            pairs = [pair for g, v in pairs for pair in zip(g, v, strict=False) if pair != ("O", "O")]
        assert np.mean([g == v for g, v in pairs]) > 0.9


def test_a_diverged_run_still_says_something_and_counts_it(world, checkpoint):
    random = np.random.default_rng(4)
    examples = [world.makers["regression"][0](random, str(i)) for i in range(4)]
    method = METHODS["regression"]([], recipe_of("test", BASE, "regression"))
    features = method.features(examples, checkpoint.tokenizer)
    network = checkpoint.network(method, 0)
    with torch.no_grad():
        network.head.bias.fill_(torch.nan)
    predictions = predict(network, method, features, examples, CPU)
    assert set(predictions.values.values()) == {0.0} and predictions.counts == {"not_finite": 4}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"learning_rat": 1}, "unknown setting of a recipe 'learning_rat'.*Did you mean 'learning_rate'"),
        ({"batch_size": 8, "epochs": 1}, "does not say 'learning_rate'"),
        ({**BASE, "batch_size": 2.5}, "batch_size is 2.5; it must be a whole number"),
        ({**BASE, "epochs": 0}, "epochs is 0.0; it must be above 0"),
        ({**BASE, "warmup": -1}, "warmup is -1.0; it must not be below 0"),
        ({**BASE, "betas": [0.9]}, "it must be two numbers"),
        ({**BASE, "learning_rate": "fast"}, "learning_rate is 'fast'; it must be a number"),
        ({**BASE, "length": 4}, "at least 8 tokens"),
    ],
)
def test_bad_recipes_are_named(settings, sentence):
    with pytest.raises(UserError, match=sentence):
        recipe_of("runs of 'x'", settings, "span")


def test_defaults_of_a_recipe():
    settings = {"learning_rate": 1e-4, "batch_size": 8, "epochs": 2}
    span, other = recipe_of("test", settings, "span"), recipe_of("test", settings, "choice")
    assert (span.length, span.stride, other.length) == (384, 128, 512)
    assert recipe_of("test", {**settings, "length": 96}, "span").stride == 32
    assert span.point == recipe_of("test", {**settings, "epsilon": 1e-8, "warmup": None}, "span").point
    assert span.point != other.point
