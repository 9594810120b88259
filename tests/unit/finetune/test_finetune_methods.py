"""Logits, losses and decoding equal to Hugging Face's, with the same weights."""

import collections

import numpy as np
import pytest
import torch

from linkbert.finetune.loop import predict, split
from linkbert.finetune.method import pad, pad_index, rounded
from linkbert.finetune.methods import METHODS
from linkbert.finetune.network import Checkpoint
from linkbert.finetune.recipe import recipe_of
from linkbert.finetune.spans import best_spans

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def checkpoint(model) -> Checkpoint:
    return Checkpoint(model, CPU)


def method_of(kind: str, labels: list[str], **more):
    settings = {"learning_rate": 1e-3, "batch_size": 4, "epochs": 1, "length": 64, **more}
    return METHODS[kind](labels, recipe_of("test", settings, kind))


def examples_of(world, kind: str, number: int = 9) -> list[dict]:
    random = np.random.default_rng(11)
    return [world.makers[kind][0](random, str(i)) for i in range(number)]


CASES = {
    "span": ("BertForQuestionAnswering", "qa_outputs", {}),
    "classification": ("BertForSequenceClassification", "classifier", {"num_labels": 2}),
    "multilabel": ("BertForSequenceClassification", "classifier", {"num_labels": 3}),
    "regression": ("BertForSequenceClassification", "classifier", {"num_labels": 1}),
    "tagging": ("BertForTokenClassification", "classifier", {"num_labels": 2}),
    "choice": ("BertForMultipleChoice", "classifier", {}),
}


@pytest.fixture(params=CASES)
def case(request, world, checkpoint):
    """A method with features, our network, and Hugging Face's model with the same weights."""
    import transformers

    kind = request.param
    name, head, settings = CASES[kind]
    method = method_of(kind, world.makers[kind][1])
    examples = examples_of(world, kind)
    features = method.features(examples, checkpoint.tokenizer)
    network = checkpoint.network(method, seed=1).eval()
    theirs = getattr(transformers, name).from_pretrained(world.model, **settings).eval()
    layer = getattr(theirs, head)
    layer.load_state_dict(network.head.state_dict())
    return kind, method, examples, features, network, theirs


def padded(features, units: np.ndarray) -> dict[str, torch.Tensor]:
    """The inputs of some units as Hugging Face pads them."""
    rows = [features.pack(np.array([row])) for row in features.rows(units)]
    columns = {
        "input_ids": [row.tokens for row in rows],
        "token_type_ids": [row.segments for row in rows],
        "attention_mask": [torch.ones_like(row.tokens) for row in rows],
    }
    return {name: torch.nn.utils.rnn.pad_sequence(values, batch_first=True) for name, values in columns.items()}


@torch.inference_mode()
def test_logits_and_losses(case):
    kind, method, examples, features, network, theirs = case
    for units in np.array_split(np.arange(len(features)), 3):
        if kind == "choice":  # Hugging Face's model wants as many choices for each question of a batch
            for unit in units:
                inputs = method.inputs(features, np.array([unit]))
                wanted = {name: value[None] for name, value in padded(features, np.array([unit])).items()}
                label = torch.tensor([examples[unit]["label"]])
                output = theirs(**wanted, labels=label)
                logits = network(inputs)
                assert torch.allclose(logits[:, 0], output.logits[0], atol=1e-4)
                assert torch.allclose(method.loss(logits, inputs), output.loss, atol=1e-4)
            continue
        inputs = method.inputs(features, units)
        logits = network(inputs)
        wanted = padded(features, units)
        mask = wanted["attention_mask"].bool()
        loss = method.loss(logits, inputs) / method.weight(features, units)
        if kind == "span":
            output = theirs(**wanted)
            expected = torch.stack([output.start_logits[mask], output.end_logits[mask]], 1)
            # Their softmax takes in padding where a batch has any: each window alone has none.
            losses = []
            for unit in units:
                alone = padded(features, np.array([unit]))
                place = {f"{side}_positions": torch.tensor([features.targets[side][unit]]) for side in ("start", "end")}
                losses.append(theirs(**alone, **place).loss)
            expected_loss = torch.stack(losses).mean()
        elif kind == "tagging":
            labels = torch.full_like(wanted["input_ids"], -100)
            row_of = np.cumsum(features.lengths[units]) - features.lengths[units]
            rows = inputs.rows.numpy()
            sequence = np.searchsorted(row_of, rows, side="right") - 1
            places = (torch.from_numpy(sequence), torch.from_numpy(rows - row_of[sequence]))
            labels[places] = inputs.targets["tag"]
            output = theirs(**wanted, labels=labels)
            expected, expected_loss = output.logits[places], output.loss
        else:
            theirs.config.problem_type = {
                "classification": "single_label_classification",
                "multilabel": "multi_label_classification",
                "regression": "regression",
            }[kind]
            output = theirs(**wanted, labels=inputs.targets["target"])
            expected, expected_loss = output.logits, output.loss
        assert logits.shape == expected.shape
        assert torch.allclose(logits, expected, atol=1e-4)
        assert torch.allclose(loss, expected_loss, atol=1e-4)


def test_predictions_do_not_depend_on_batches(case, monkeypatch):
    kind, method, examples, features, network, _ = case
    whole = predict(network, method, features, examples, CPU)
    monkeypatch.setitem(__import__("linkbert.finetune.loop", fromlist=["x"]).EVALUATION_TOKENS, "cpu", 1)
    alone = predict(network, method, features, examples, CPU)
    assert list(whole.values) == [example["id"] for example in examples]
    if kind == "regression":
        assert np.allclose(list(whole.values.values()), list(alone.values.values()), atol=1e-4)
    else:
        assert whole.values == alone.values


def reference_answer(example: dict, features: list[dict], n_best: int, longest: int) -> str:
    """The answer as the usual SQuAD post-processing of Hugging Face's examples chooses it."""
    found = []
    for feature in features:
        start_order = np.argsort(feature["start"])[-1 : -n_best - 1 : -1].tolist()
        end_order = np.argsort(feature["end"])[-1 : -n_best - 1 : -1].tolist()
        for start in start_order:
            for end in end_order:
                if feature["offsets"][start] is None or feature["offsets"][end] is None:
                    continue
                if end < start or end - start + 1 > longest:
                    continue
                span = (feature["offsets"][start][0], feature["offsets"][end][1])
                found.append((feature["start"][start] + feature["end"][end], span))
    if not found:
        return ""
    best = sorted(found, key=lambda one: one[0], reverse=True)[0][1]
    return example["context"][best[0] : best[1]]


@pytest.mark.parametrize(("n_best", "longest", "scale"), [(20, 30, 1.0), (5, 3, 1.0), (1, 30, 1.0), (20, 30, 0.0)])
def test_span_decoding(world, checkpoint, n_best, longest, scale):
    method = method_of("span", [], n_best=n_best, max_answer_length=longest)
    examples = examples_of(world, "span", 120)
    features = method.features(examples, checkpoint.tokenizer)
    random = torch.Generator().manual_seed(2)
    flat = torch.randn(int(features.lengths.sum()), 2, generator=random)
    # Without ties there is one right answer; a tilt stands in for a trained model's preference.
    flat = flat * (1 if scale else 0) + torch.rand(flat.shape, generator=random) * 5
    begins = features.lengths.cumsum() - features.lengths
    kept, index = [], []
    for part in split(np.arange(len(features)), features.lengths, 700):
        inputs = method.inputs(features, part)
        logits = torch.cat([flat[begins[row] : begins[row] + features.lengths[row]] for row in part])
        kept.append(method.keep(logits, inputs))
        index.append(inputs.index)
    ordered = np.empty((len(features), 3), np.float32)
    ordered[np.concatenate(index)] = torch.cat(kept).numpy()
    predictions = method.decode(ordered, features, examples)
    by_example = collections.defaultdict(list)
    starts, ends = features.targets["characters"]
    for row in range(len(features)):
        first, count = features.targets["first"][row], features.b_length[row]
        base = features.b_start[row] - first
        rows = flat[begins[row] : begins[row] + features.lengths[row]].numpy()
        offsets = [
            (starts[base + place], ends[base + place]) if first <= place < first + count else None
            for place in range(len(rows))
        ]
        feature = {"start": rows[:, 0], "end": rows[:, 1], "offsets": offsets}
        by_example[features.targets["example"][row]].append(feature)
    expected = [reference_answer(e, by_example[i], n_best, longest) for i, e in enumerate(examples)]
    assert list(predictions.values.values()) == expected
    assert predictions.counts.get("without_span", 0) == sum(answer == "" for answer in expected)


def test_best_span_of_hand_made_logits():
    logits = torch.full((1, 6, 2), -5.0)
    logits[0, 0] = 9.0  # [CLS] is no answer
    logits[0, 4, 0], logits[0, 3, 1] = 8.0, 8.0  # an end before its start is none
    logits[0, 2, 0] = 3.0
    best = best_spans(logits, torch.tensor([2]), torch.tensor([5]), n_best=20, longest=30)
    assert best.tolist() == [[11.0, 2.0, 3.0]]
    nothing = best_spans(logits, torch.tensor([2]), torch.tensor([2]), n_best=20, longest=30)
    assert nothing[0, 0] == -torch.inf


def test_the_first_of_equal_windows_gives_the_answer(world, checkpoint):
    method = method_of("span", [])
    examples = [{"id": "x", "question": "who", "context": "town lake river " * 60, "answers": [], "golds": []}]
    features = method.features(examples, checkpoint.tokenizer)
    windows, first = len(features), int(features.targets["first"][0])
    assert windows > 3
    # The first piece of the second window, the second of the third: equal and best.
    kept = np.tile([1.0, first, first], (windows, 1))
    kept[1:3, 0] = 5.0
    kept[2, 1:] += 1
    piece = features.b_start[1]
    starts, ends = features.targets["characters"]
    expected = examples[0]["context"][starts[piece] : ends[piece]]
    assert method.decode(kept, features, examples).values == {"x": expected}
    third = features.b_start[2] + 1
    assert expected != examples[0]["context"][starts[third] : ends[third]], "the test tells them apart"


def test_padding_of_packed_values():
    index = pad_index(np.array([1, 3]))
    block = pad(torch.tensor([[1.0], [2.0], [3.0], [4.0]]), index)
    assert block[..., 0].tolist() == [[1.0, -torch.inf, -torch.inf], [2.0, 3.0, 4.0]]


def test_choices_may_differ_in_number(world, checkpoint):
    method = method_of("choice", [])
    examples = [
        {"id": "a", "question": "q", "choices": ["x", "y"], "label": 1},
        {"id": "b", "question": "q", "choices": ["x", "y", "z"], "label": 2},
    ]
    features = method.features(examples, checkpoint.tokenizer)
    inputs = method.inputs(features, np.array([0, 1]))
    logits = torch.tensor([[0.0], [1.0], [5.0], [4.0], [7.0]])
    expected = -torch.log_softmax(logits[:2, 0], 0)[1] - torch.log_softmax(logits[2:, 0], 0)[2]
    assert torch.allclose(method.loss(logits, inputs), expected)
    predictions = method.decode(logits.numpy(), features, examples)
    assert predictions.values == {"a": 1, "b": 2}
    assert predictions.scores == {"a": [0.0, 1.0], "b": [5.0, 4.0, 7.0]}


def test_labels_above_zero(world, checkpoint):
    method = method_of("multilabel", ["cold", "green", "old"])
    examples = [{"id": "a", "text_a": "lake", "labels": ["old"]}]
    features = method.features(examples, checkpoint.tokenizer)
    predictions = method.decode(np.array([[0.2, 0.0, -1.0]], np.float32), features, examples)
    assert predictions.values == {"a": ["cold"]}
    assert method.weight(features, np.array([0])) == 3


def test_numbers_are_rounded_to_four_digits():
    assert rounded(np.array([[1.23456, -0.000123456]], np.float32)) == [[1.235, -0.0001235]]
