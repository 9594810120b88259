import json
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoModelForMaskedLM, AutoModelForPreTraining, BertConfig, BertForPreTraining

from linkbert.errors import UserError
from linkbert.model.bert import BertEncoder, compile_rows
from linkbert.model.bert import BertForPreTraining as Ours
from linkbert.model.config import ModelConfig
from linkbert.model.dropout import Dropout
from linkbert.model.folder import write_model
from linkbert.model.hf import LinkBertForPreTraining
from linkbert.model.packing import pack
from linkbert.model.weights import load_encoder, load_into, read_weights
from linkbert.pretraining import loss as loss_module
from linkbert.pretraining.data import MicroBatch
from linkbert.pretraining.loss import cross_entropy_sum
from linkbert.pretraining.masking import Vocabulary
from linkbert.pretraining.objective import Techniques, losses
from linkbert.text.vocabulary import read_vocabulary

SHAPE = ModelConfig(200, 32, 3, 4, 64, 64, dropout=0.0, attention_dropout=0.0)
LENGTHS = (3, 40, 40, 17, 39, 64, 2)


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """A random Hugging Face model with a two-way head, and its folder."""
    torch.manual_seed(0)
    model = BertForPreTraining(BertConfig(**SHAPE.to_hf()))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.1)
    folder = tmp_path_factory.mktemp("reference")
    model.save_pretrained(folder)
    return model.eval(), folder


@pytest.fixture
def sequences():
    draws = np.random.default_rng(0)
    tokens = [draws.integers(0, 200, n).tolist() for n in LENGTHS]
    segments = [[0] * (n // 2) + [1] * (n - n // 2) for n in LENGTHS]
    return tokens, segments


def micro_batch(sequences, draws):
    tokens, segments = sequences
    batch = pack(tokens, segments)
    hidden = np.sort(draws.choice(np.setdiff1d(np.arange(sum(LENGTHS)), batch.cls_rows.numpy()), 30, replace=False))
    rows = np.sort(np.concatenate([batch.cls_rows.numpy(), hidden]))
    places = np.searchsorted(rows, np.concatenate([batch.cls_rows.numpy(), hidden]))
    parts = [torch.from_numpy(array) for array in (rows.astype(np.int64), places, np.argsort(places))]
    labels, relations = torch.from_numpy(draws.integers(0, 200, 30)), torch.from_numpy(draws.integers(0, 2, 7))
    return MicroBatch(batch, *parts, labels, relations), hidden


def from_folder(folder, relations=2):
    model = Ours(SHAPE, relations)
    weights = read_weights(folder)
    load_into(model, weights, "", str(folder))
    return model


def as_theirs(sequences, micro, hidden):
    """The micro-batch as Hugging Face's model takes it: padded, with the labels of the hidden tokens."""
    width = max(LENGTHS)
    tokens, segments = (torch.tensor([row + [0] * (width - len(row)) for row in rows]) for rows in sequences)
    mask = torch.tensor([[1] * n + [0] * (width - n) for n in LENGTHS])
    labels = torch.full((len(LENGTHS), width), -100)
    starts = np.cumsum(LENGTHS) - LENGTHS
    owner = np.searchsorted(starts, hidden, side="right") - 1
    labels[owner, hidden - starts[owner]] = micro.labels
    return {
        **{"input_ids": tokens, "attention_mask": mask, "token_type_ids": segments},
        **{"labels": labels, "next_sentence_label": micro.relations},
    }


@pytest.mark.parametrize(
    "techniques",
    [
        Techniques(),
        Techniques(packed=False),
        Techniques(masked_only=False),
        Techniques(last_layer_subset=False),
        Techniques(chunked_loss=False),
        Techniques(packed=False, masked_only=False),
    ],
    ids=str,
)
def test_loss_and_gradients_equal_hugging_face(reference, sequences, techniques):
    theirs, folder = reference
    ours = from_folder(folder).train()
    micro, hidden = micro_batch(sequences, np.random.default_rng(1))

    theirs.zero_grad()
    expected = theirs(**as_theirs(sequences, micro, hidden))
    expected.loss.backward()

    mlm, relation = losses(ours, micro, techniques, relations=True, width=64)
    loss = mlm / len(micro.labels) + relation / len(LENGTHS)
    loss.backward()
    assert loss.item() == pytest.approx(expected.loss.item(), abs=1e-5)

    theirs_by_name = dict(theirs.named_parameters())
    thirds = [
        theirs_by_name[f"bert.encoder.layer.1.attention.self.{part}.weight"].grad for part in ("query", "key", "value")
    ]
    pairs = [
        (ours.encoder.words.weight.grad[:200], theirs_by_name["bert.embeddings.word_embeddings.weight"].grad),
        (ours.encoder.positions.weight.grad, theirs_by_name["bert.embeddings.position_embeddings.weight"].grad),
        (ours.encoder.layers[1].qkv.weight.grad, torch.cat(thirds)),
        (ours.encoder.layers[2].up.weight.grad, theirs_by_name["bert.encoder.layer.2.intermediate.dense.weight"].grad),
        (ours.encoder.norm.weight.grad, theirs_by_name["bert.embeddings.LayerNorm.weight"].grad),
        (ours.mlm.bias.grad[:200], theirs_by_name["cls.predictions.bias"].grad),
        (ours.mlm.dense.weight.grad, theirs_by_name["cls.predictions.transform.dense.weight"].grad),
        (ours.pooler.dense.weight.grad, theirs_by_name["bert.pooler.dense.weight"].grad),
        (ours.relation.weight.grad, theirs_by_name["cls.seq_relationship.weight"].grad),
    ]
    for got, wanted in pairs:
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)
    assert not ours.encoder.words.weight.grad[200:].any()


def test_half_precision_is_as_near_as_hugging_faces(reference, sequences):
    """Theirs keeps what lies between matrix products in fp32, ours in bf16."""
    theirs, folder = reference
    ours = from_folder(folder).train()
    micro, hidden = micro_batch(sequences, np.random.default_rng(1))
    batch = as_theirs(sequences, micro, hidden)

    def gradients(model, half):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            if model is ours:
                mlm, relation = losses(ours, micro, Techniques(compiled=False), relations=True, width=64)
                loss = mlm / len(micro.labels) + relation / len(LENGTHS)
            else:
                loss = theirs(**batch).loss
        loss.backward()
        return torch.cat([parameter.grad.flatten().double() for parameter in model.parameters()])

    errors = []
    for model in (ours, theirs):
        exact = gradients(model, False)
        errors.append((gradients(model, True) - exact).norm() / exact.norm())
    assert 1e-4 < errors[0] < 1.5 * errors[1]
    assert errors[0] < 0.05


def test_between_layers_states_are_in_half_precision(reference, sequences):
    encoder, _ = load_encoder(reference[1], dropout=0.1)
    kinds = []
    for layer in encoder.layers:
        layer.register_forward_pre_hook(lambda layer, inputs: kinds.append(inputs[0].dtype))
    for training in (True, False):
        with torch.autocast("cpu", torch.bfloat16):
            assert encoder.train(training)(pack(*sequences)).dtype == torch.float32  # heads score with it
    assert kinds == [torch.bfloat16] * 6


def test_rows_are_those_of_the_whole(reference, sequences):
    encoder, _ = load_encoder(reference[1])
    batch = pack(*sequences)
    rows = torch.tensor([0, 1, 3, 60, 99, 204])
    torch.testing.assert_close(encoder(batch, rows), encoder(batch)[rows])


def test_pooler_and_states_equal_hugging_face(reference, sequences):
    encoder, pooler = load_encoder(reference[1])
    batch = pack(*sequences)
    states = encoder(batch)
    pooled = pooler(states[batch.cls_rows.long()])
    for number, (tokens, segments) in enumerate(zip(*sequences, strict=True)):
        expected = reference[0].bert(torch.tensor([tokens]), token_type_ids=torch.tensor([segments]))
        first = int(batch.cu_seqlens[number])
        torch.testing.assert_close(states[first : first + len(tokens)], expected.last_hidden_state[0])
        torch.testing.assert_close(pooled[number], expected.pooler_output[0])


def test_tiny_has_the_known_number_of_parameters():
    config = ModelConfig(30_522, 128, 2, 2, 512, vocabulary_multiple=1)
    model = Ours(config)
    number = sum(parameter.numel() for part in (model.encoder, model.pooler) for parameter in part.parameters())
    assert number == 4_385_920


def test_files_of_older_generations(reference, tmp_path, sequences):
    theirs, folder = reference
    old = {
        name.removeprefix("bert.")
        .replace("LayerNorm.weight", "LayerNorm.gamma")
        .replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in theirs.state_dict().items()
        if name.startswith("bert.")
    }
    torch.save(old, tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    batch = pack(*sequences)
    torch.testing.assert_close(load_encoder(tmp_path)[0](batch), load_encoder(folder)[0](batch))


def test_mistakes_are_sentences(reference, tmp_path):
    config = json.loads((reference[1] / "config.json").read_text())
    with pytest.raises(UserError, match="neither"):
        (tmp_path / "config.json").write_text(json.dumps(config))
        load_encoder(tmp_path)
    torch.save({}, tmp_path / "pytorch_model.bin")
    with pytest.raises(UserError, match="lack encoder"):
        load_encoder(tmp_path)
    with pytest.raises(UserError, match="hidden_act"):
        ModelConfig.from_hf(config | {"hidden_act": "relu"})
    with pytest.raises(UserError, match="multiple"):
        ModelConfig(10, 30, 1, 4, 10)
    with pytest.raises(UserError, match="64 positions"):
        load_encoder(reference[1])[0](pack([[1] * 65]))


@pytest.mark.parametrize(("hidden", "attention"), [(0.3, 0.0), (0.0, 0.3), (0.3, 0.3)])
def test_dropout_follows_keys_and_not_the_batch(reference, sequences, hidden, attention):
    encoder, _ = load_encoder(reference[1], dropout=hidden, attention_dropout=attention)
    encoder.train()
    keys = torch.arange(100, 107)
    whole = pack(*sequences)
    whole.keys = keys
    states = encoder(whole)
    alone = pack(sequences[0][4:5], sequences[1][4:5])
    alone.keys = keys[4:5]
    first = sum(LENGTHS[:4])
    torch.testing.assert_close(states[first : first + LENGTHS[4]], encoder(alone))
    rows = torch.tensor([5, first + 2, first + 3])
    torch.testing.assert_close(encoder(whole, rows), states[rows])
    alone.keys = keys[5:6]
    assert not torch.allclose(states[first : first + LENGTHS[4]], encoder(alone))
    encoder.eval()
    assert not torch.allclose(states, encoder(whole))


# What the compiler makes for CPUs is compiled by another one.
INDUCTOR = pytest.param("inductor", marks=pytest.mark.skipif(not shutil.which("g++"), reason="there is no g++"))


@pytest.mark.parametrize("backend", ["aot_eager", INDUCTOR])
def test_compiled_parts_compute_the_same(reference, sequences, backend):
    plain, _ = load_encoder(reference[1], dropout=0.2, attention_dropout=0.2)
    compiled, _ = load_encoder(reference[1], dropout=0.2, attention_dropout=0.2)
    compile_rows(compiled, backend)
    results = []
    for encoder in (plain.train(), compiled.train()):
        batch = pack(*sequences)
        batch.keys = torch.arange(7)
        states = encoder(batch)
        states.sum().backward()
        results.append([states.detach(), *(parameter.grad for parameter in encoder.parameters())])
    torch.testing.assert_close(*results)


def test_one_graph_serves_all_layers_and_lengths():
    """The compiler gives up silently beyond the eighth version of a function."""
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    encoder = BertEncoder(ModelConfig(60, 16, 12, 2, 32, 32)).train()
    compile_rows(encoder, backend)
    for count in (5, 7, 9):
        batch = pack([[1] * length for length in range(3, 3 + count)])
        rows = torch.arange(0, len(batch.tokens), 3)
        encoder(batch, rows).sum().backward()
    assert len(graphs) == 3  # after the embeddings, after attention, after that of the last layer


def test_dropout_keeps_the_declared_share():
    masks = Dropout(torch.arange(4000) * 7919).mask(0.25, 3, 128, torch.zeros(()))
    assert masks.unique().tolist() == pytest.approx([0, 4 / 3])
    assert (masks == 0).float().mean().item() == pytest.approx(0.25, abs=0.005)
    other = Dropout(torch.arange(4000) * 7919).mask(0.25, 4, 128, torch.zeros(()))
    agreement = ((masks == 0) == (other == 0)).float().mean().item()
    assert agreement == pytest.approx(0.25**2 + 0.75**2, abs=0.005)


def test_fresh_keys_come_from_the_seed(reference, sequences):
    encoder, _ = load_encoder(reference[1], dropout=0.1)
    encoder.train()
    batch = pack(*sequences)
    torch.manual_seed(3)
    first = encoder(batch)
    torch.manual_seed(3)
    assert torch.equal(first, encoder(batch))
    assert not torch.equal(first, encoder(batch))


@pytest.mark.parametrize("chunk", [1, 7, 30, 128])
def test_chunked_cross_entropy(chunk):
    torch.manual_seed(1)
    states, weight, bias = torch.randn(30, 8), torch.randn(50, 8) * 3, torch.randn(50)
    labels = torch.randint(50, (30,))
    grads = []
    for size in (chunk, None):
        leaves = [tensor.clone().requires_grad_() for tensor in (states, weight, bias)]
        loss = cross_entropy_sum(*leaves, labels, size)
        (loss / 3).backward()
        grads.append([loss.detach(), *(leaf.grad for leaf in leaves)])
    for got, wanted in zip(*grads, strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("backend", [None, "aot_eager", INDUCTOR])
def test_cross_entropy_in_half_precision(monkeypatch, backend):
    """As near to fp32 as autocast is, which has all logits at once."""
    monkeypatch.setattr(loss_module, "_compiled", partial(loss_module._compiled, backend))
    torch.manual_seed(1)
    leaves = [torch.randn(300, 32), torch.randn(500, 32) * 0.4, torch.randn(500)]
    labels = torch.randint(500, (300,))

    def loss_and_gradients(**how):
        copies = [leaf.clone().requires_grad_() for leaf in leaves]
        loss = cross_entropy_sum(*copies, labels, **how)
        (loss / 300).backward()
        return [loss.detach(), *(copy.grad for copy in copies)]

    wanted = loss_and_gradients()
    with torch.autocast("cpu", torch.bfloat16):
        usual = loss_and_gradients()
        ours = loss_and_gradients(chunk=128, half=True, compiled=backend is not None)
    for exact, half, got in zip(wanted, usual, ours, strict=True):
        assert got.dtype == torch.float32
        assert (got - exact).norm() <= 1.2 * (half - exact).norm() + 1e-6 * exact.norm()


def test_folder_loads_in_hugging_face_with_nothing_missing(tmp_path, sequences):
    torch.manual_seed(5)
    model = Ours(SHAPE, 3).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 and "words" not in name:
                parameter.normal_(0, 0.2)
    (tmp_path / "model").mkdir()
    write_model(tmp_path / "model", model, tmp_path, {"objective": "mlm_drp"})
    tokens, segments = (torch.tensor([rows[5]]) for rows in sequences)
    batch = pack(sequences[0][5:6], sequences[1][5:6])
    states = model.encoder(batch)
    words, relations = model.logits(states)[:, :200], model.relation_logits(states[:1])
    for kind in (AutoModel, AutoModelForMaskedLM, AutoModelForPreTraining, LinkBertForPreTraining):
        loaded, report = kind.from_pretrained(tmp_path / "model", output_loading_info=True)
        assert not report["missing_keys"]
        assert not report["mismatched_keys"]
        output = loaded.eval()(tokens, token_type_ids=segments)
        if kind is AutoModel:
            torch.testing.assert_close(output.last_hidden_state[0], states, atol=1e-5, rtol=1e-5)
        if kind is AutoModelForMaskedLM:
            torch.testing.assert_close(output.logits[0], words, atol=1e-5, rtol=1e-5)
        if kind is AutoModelForPreTraining:
            torch.testing.assert_close(output.seq_relationship_logits, relations[:, :2], atol=1e-5, rtol=1e-5)
        if kind is LinkBertForPreTraining:
            assert not report["unexpected_keys"]
            torch.testing.assert_close(output.prediction_logits[0], words, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(output.relation_logits, relations, atol=1e-5, rtol=1e-5)
    again = from_folder(tmp_path / "model", 3)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def test_vocabulary_marks_specials_and_continuations(tmp_path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "plum", "##s"]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    found = read_vocabulary(tmp_path)
    assert isinstance(found, Vocabulary)
    assert (found.size, found.cls, found.sep, found.mask) == (7, 2, 3, 4)
    assert found.words.tolist() == [5, 6]
    assert found.continues.nonzero()[0].tolist() == [6]
    (tmp_path / "vocab.txt").write_text("plum\n")
    with pytest.raises(UserError, match="lacks"):
        read_vocabulary(tmp_path)
