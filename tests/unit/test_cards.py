"""Model cards: folders that load as BERT, with a header that the Hub reads and our own scores."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from linkbert.cards.card import make_card, parameters
from linkbert.cards.wanted import Cards
from linkbert.declarations import CONFIGURATION, load_configuration
from linkbert.errors import UserError
from linkbert.evidence.wanted import Wanted
from linkbert.files import write_json, write_meta
from linkbert.model.bert import BertForPreTraining
from linkbert.model.config import ModelConfig
from linkbert.model.folder import write_model
from linkbert.planning.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", ",", "my", "dog", "is", "cute"]


def cards_of(*extra, **more):
    configuration = load_configuration(ROOT / name for name in (*CONFIGURATION, *extra)) | more
    plan = Plan(configuration, ROOT)
    return Cards(plan, Wanted(plan))


def said(model, *extra, **more):
    return json.loads(cards_of(*extra, **more).card_json(SimpleNamespace(model=model)))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A small model as a pretraining leaves it."""
    from transformers import BertTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "linkbert-tiny"
    (folder.parent / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    BertTokenizerFast(str(folder.parent / "vocab.txt")).save_pretrained(folder.parent / "tokenizer")
    torch.manual_seed(0)
    folder.mkdir()
    shape = ModelConfig(len(WORDS), 16, 2, 2, 32, 24)
    digest = write_model(folder, BertForPreTraining(shape, 3), folder.parent / "tokenizer", {"objective": "mlm_drp"})
    recipe = {"objective": "mlm_drp", "learning_rate": 5e-3, "batch_size": 2048, "length": 512, "seed": 0}
    measured = {"steps": 10_000, "tokens": 10**10, "seconds": 7200, "device": "NVIDIA X", "processes": 4}
    write_json(folder / "training.json", {"recipe": recipe, **measured})
    write_meta(folder, "pretrain", weights_sha256=digest)
    return folder


LINEAGE = {
    "stages": [
        {"folder": "documents/enwiki/0000", "meta": {"counts": {"documents": 1000}}},
        {"folder": "documents/enwiki/0001", "meta": {"counts": {"documents": 234}}},
        {"folder": "tokens/enwiki/bert_uncased", "meta": {"counts": {"tokens": 5_000_000}}},
        {"folder": "graphs/enwiki/hyperlink", "meta": {"counts": {"edges": 98765}}},
        {"folder": "instances/enwiki/bert_uncased/hyperlink", "meta": None},
    ]
}


@pytest.fixture
def scores(tmp_path):
    runs = [
        {
            **{"task": "hotpotqa", "seed": seed, "recipe": {}, "point": "p", "metric": "f1"},
            **{"dev": {"f1": 50.0}, "test": {"f1": test}},
        }
        for seed, test in enumerate((41.0, 43.0))
    ]
    path = tmp_path / "scores" / "mrqa-0.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"model": "linkbert-tiny", "batch": "mrqa-0", "runs": runs}))
    return [path]


def card_of(folder):
    _, header, text = (folder / "README.md").read_text().split("---\n", 2)
    return yaml.safe_load(header), text


def test_the_folder_loads_as_bert_and_computes_what_the_model_does(model, scores, tmp_path):
    from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer

    output = tmp_path / "card"
    make_card(model, said("linkbert-tiny"), scores, LINEAGE, output)
    found, report = AutoModel.from_pretrained(output, output_loading_info=True)
    assert not report["missing_keys"] and not report["mismatched_keys"]
    assert not AutoModelForMaskedLM.from_pretrained(output, output_loading_info=True)[1]["missing_keys"]
    text = AutoTokenizer.from_pretrained(output)("Hello, my dog is cute", return_tensors="pt")
    assert text["input_ids"].tolist() == [[2, 5, 6, 7, 8, 9, 10, 3]]
    with torch.inference_mode():
        original = AutoModel.from_pretrained(model).eval()(**text).last_hidden_state
        assert torch.equal(found.eval()(**text).last_hidden_state, original)
    encoder = sum(tensor.numel() for tensor in found.parameters())
    assert parameters(output / "model.safetensors") == encoder


def test_the_header_is_what_the_hub_reads(model, scores, tmp_path):
    from huggingface_hub import ModelCard

    make_card(model, said("linkbert-tiny"), scores, LINEAGE, tmp_path / "card")
    header, _ = card_of(tmp_path / "card")
    assert header["license"] == "apache-2.0" and header["language"] == "en" and header["pipeline_tag"] == "fill-mask"
    assert header["datasets"] == ["wikipedia", "bookcorpus"] and header["metrics"] == ["f1"]
    assert "base_model" not in header and "linkbert" in header["tags"]
    data = ModelCard.load(tmp_path / "card" / "README.md").data
    (result,) = data.eval_results
    assert (result.task_type, result.dataset_name) == ("question-answering", "HotpotQA")
    assert (result.metric_type, result.metric_value) == ("f1", 42.0)


def test_the_card_says_data_recipe_results_limits_and_whom_to_cite(model, scores, tmp_path):
    make_card(model, said("linkbert-tiny"), scores, LINEAGE, tmp_path / "card")
    _, text = card_of(tmp_path / "card")
    for part in ("1,234", "5,000,000", "98,765 hyperlink", "10,000 steps", "4 × NVIDIA X (8 device-hours)"):
        assert part in text, part
    assert "42.00" in text and "1.41" in text, "mean and spread of our own seeds"
    published = [line.split("\t") for line in (ROOT / "config/published.tsv").read_text().splitlines()]
    papers = [row[4] for row in published if row[0] == "table1_mrqa" and row[1:3] == ["linkbert-tiny", "hotpotqa"]]
    assert papers and papers[0] not in text, "the paper's number is not ours"
    assert "prejudices" in text and "clinical" in text and "24 word pieces" in text and "@inproceedings" in text


def test_a_score_on_the_development_set_is_no_test_score_on_the_card(model, scores, tmp_path):
    content = json.loads(scores[0].read_text())
    other = [{**run, "task": "rte", "test_is_dev": True} for run in content["runs"]]
    scores[0].write_text(json.dumps({**content, "runs": [*content["runs"], *other]}))
    make_card(model, said("linkbert-tiny"), scores, LINEAGE, tmp_path / "card")
    header, text = card_of(tmp_path / "card")
    splits = {one["dataset"]["name"]: one["dataset"].get("split") for one in header["model-index"][0]["results"]}
    assert splits == {"HotpotQA": None, "RTE": "validation"}
    assert "| RTE† " in text and "| HotpotQA " in text and "† tested on the development set" in text


def test_a_generated_world_takes_the_claims_to_real_data_away(model, scores, tmp_path):
    make_card(model, said("linkbert-tiny", "config/demo.yaml"), scores, LINEAGE, tmp_path / "card")
    header, text = card_of(tmp_path / "card")
    assert "datasets" not in header and "model-index" not in header and "small generated world" in text
    assert "CC BY-SA" not in text
    make_card(model, said("linkbert-base", "config/demo.yaml"), scores, LINEAGE, tmp_path / "continued")
    header, text = card_of(tmp_path / "continued")
    assert "base_model" not in header and "stand-in for google-bert/bert-base-cased" in text


def test_a_continued_model_names_its_base_and_a_model_without_scores_says_so(model, tmp_path):
    make_card(model, said("linkbert-base"), [], LINEAGE, tmp_path / "card")
    header, text = card_of(tmp_path / "card")
    assert header["base_model"] == "google-bert/bert-base-cased"
    assert "not fine-tuned yet" in text and "metrics" not in header


def test_cards_are_for_models_that_are_trained_here(model, tmp_path):
    names = cards_of().models()
    assert "linkbert-tiny" in names and "pubmedbert-base" not in names and not any("released" in n for n in names)
    write_meta(tmp_path, "pretrain")
    with pytest.raises(UserError, match="was not trained here"):
        make_card(tmp_path, said("linkbert-tiny"), [], LINEAGE, tmp_path / "card")
    assert not (tmp_path / "card").exists()
    with pytest.raises(UserError, match=r"config: cards: unknown key 'license'.*Did you mean 'licence'"):
        cards_of(cards={"license": "mit"})


def test_a_card_waits_for_scores_only_where_there_is_none(tmp_path):
    configuration = load_configuration(ROOT / name for name in (*CONFIGURATION, "config/demo.yaml"))
    plan = Plan(configuration, ROOT)
    plan.root = tmp_path  # empty, whatever the repository's results hold
    cards, wild = Cards(plan, Wanted(plan)), SimpleNamespace(model="linkbert-tiny")
    assert cards.scores(wild) == plan.score_files("linkbert-tiny") and len(cards.scores(wild)) > 1
    first = tmp_path / plan.score_files("linkbert-tiny")[0]
    write_json(first, {})
    assert cards.scores(wild) == [str(first.relative_to(tmp_path))]
