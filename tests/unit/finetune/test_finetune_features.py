"""Inputs equal to those of Hugging Face's fast tokenizers."""

import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from linkbert.errors import UserError
from linkbert.finetune.features import NONE, PieceTokenizer, distinct, ranges, truncate_longest_first
from linkbert.finetune.methods import METHODS
from linkbert.finetune.recipe import recipe_of
from linkbert.finetune.spans import windows

TEXTS = [
    "The keeper built a small bridge.",
    "",
    "   ",
    "Überall naïve cafés, ½ ﬁne 北京 \u200b\x07 lamps!",
    "don't stop-gap A.B.C. 3.14159",
    "[SEP] in the text [MASK]",
    "e\u0301clair I\u0307stanbul ǅ ß",
    "word " * 120,
    "x" * 150,
]


@pytest.fixture(scope="module")
def reference(model) -> Tokenizer:
    return Tokenizer.from_file(str(model / "tokenizer.json"))


@pytest.fixture(scope="module")
def pieces(model) -> PieceTokenizer:
    return PieceTokenizer(model)


def recipe(kind: str, **more):
    return recipe_of("test", {"learning_rate": 1e-3, "batch_size": 4, "epochs": 1, "length": 64, **more}, kind)


def packed(features, row: int) -> tuple[list[int], list[int], list[int]]:
    batch = features.pack(np.array([row]))
    return batch.tokens.tolist(), batch.segments.tolist(), batch.positions.tolist()


def test_ranges_and_distinct():
    assert ranges(np.array([5, 0, 9]), np.array([2, 0, 1])).tolist() == [5, 6, 9]
    texts, index = distinct(["b", "a", "b"])
    assert texts == ["b", "a"] and index.tolist() == [0, 1, 0]


@given(a=st.integers(0, 80), b=st.integers(0, 80), room=st.integers(2, 60))
@settings(max_examples=300, deadline=None)
def test_truncation_is_the_library_longest_first(reference, a, b, room):
    reference.enable_truncation(room + 3, strategy="longest_first")
    encoded = reference.encode(" ".join(["lake"] * a), " ".join(["town"] * b))
    reference.no_truncation()
    types = np.array(encoded.type_ids)
    cut_a, cut_b = truncate_longest_first(np.array([a]), np.array([b]), room)
    assert (cut_a[0] + 2, cut_b[0] + 1) == ((types == 0).sum(), (types == 1).sum())


def test_single_texts_and_pairs_equal_hugging_face(model, pieces):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    pairs = [(a, b) for a in TEXTS for b in [None, *TEXTS]]
    method = METHODS["classification"](["x"], recipe("classification"))
    examples = [
        {"id": str(i), "text_a": a, "label": "x"} | ({} if b is None else {"text_b": b})
        for i, (a, b) in enumerate(pairs)
    ]
    features = method.features(examples, pieces)
    assert features.counts["truncated"] > 0
    for row, (a, b) in enumerate(pairs):
        # In a batch, as their scripts call it, an empty second text is one; alone it would be none.
        expected = tokenizer([a], None if b is None else [b], truncation=True, max_length=64)
        tokens, segments, positions = packed(features, row)
        assert (tokens, segments) == (expected["input_ids"][0], expected["token_type_ids"][0]), (a, b)
        assert positions == list(range(len(tokens)))


def test_batches_are_their_rows_one_after_the_other(pieces):
    method = METHODS["classification"](["x"], recipe("classification"))
    features = method.features([{"id": t, "text_a": t, "text_b": t, "label": "x"} for t in TEXTS], pieces)
    rows = np.array([4, 0, 7, 4])
    batch = features.pack(rows, keys=np.arange(4))
    parts = [packed(features, row) for row in rows]
    assert batch.tokens.tolist() == [token for part in parts for token in part[0]]
    assert batch.segments.tolist() == [segment for part in parts for segment in part[1]]
    assert batch.cu_seqlens.diff().tolist() == features.lengths[rows].tolist()
    assert batch.keys.tolist() == [0, 1, 2, 3]


def test_choices_are_units_of_pairs(pieces, reference):
    method = METHODS["choice"]([], recipe("choice"))
    examples = [
        {"id": "a", "question": "where", "choices": ["lake", "town", "mill"], "label": 1},
        {"id": "b", "question": "who", "choices": ["the keeper", ""], "label": 0},
    ]
    features = method.features(examples, pieces)
    assert features.units.tolist() == [0, 3, 5] and len(features) == 2
    assert features.rows(np.array([1, 0])).tolist() == [3, 4, 0, 1, 2]
    assert packed(features, 3)[0] == reference.encode("who", "the keeper").ids
    assert packed(features, 4)[0] == reference.encode("who", "").ids
    assert features.unit_lengths.tolist() == [features.lengths[:3].sum(), features.lengths[3:].sum()]


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 200)), min_size=1, max_size=8), st.integers(24, 64))
@settings(max_examples=200, deadline=None)
def test_windows_are_those_of_the_library(reference, sizes, length):
    stride = length // 3
    question, context = (np.array(column) for column in zip(*sizes, strict=True))
    kept, example, first, count = windows(question, context, length, stride)
    for number, (q, c) in enumerate(sizes):
        ours = list(zip(first[example == number], count[example == number], strict=True))
        assert ours[0][0] == 0 and ours[-1][0] + ours[-1][1] == c  # the whole context is covered
        if q + c > length - 3 and length - 3 - q <= stride:
            assert kept[number] == min(q, 64, length // 2)  # the library stops with an error here
            continue
        reference.enable_truncation(length, stride=stride, strategy="only_second")
        encoded = reference.encode(" ".join(["lake"] * q), " ".join(["town"] * c))
        reference.no_truncation()
        theirs = []
        for window in [encoded, *encoded.overflowing]:
            second = [
                span
                for span, kind, special in zip(window.offsets, window.type_ids, window.special_tokens_mask, strict=True)
                if kind and not special
            ]
            theirs.append((second[0][0] // 5 if second else 0, len(second)))
        assert ours == theirs


def reference_targets(encoded, answer: dict, length: int) -> list[tuple[int, int]]:
    """The labels of Hugging Face's question answering example, with its slip mended.

    Its search for the start runs past the window where the answer begins with the window's last token.
    """
    labels = []
    begin, end = answer["start"], answer["start"] + len(answer["text"])
    for window in [encoded, *encoded.overflowing]:
        context = [
            place
            for place, (kind, special) in enumerate(zip(window.type_ids, window.special_tokens_mask, strict=True))
            if kind and not special
        ]
        offsets = window.offsets
        if not context or offsets[context[0]][0] > begin or offsets[context[-1]][1] < end:
            labels.append((0, 0))
            continue
        first, last = context[0], context[-1]
        while first <= context[-1] and offsets[first][0] <= begin:
            first += 1
        while offsets[last][1] >= end:
            last -= 1
        labels.append((first - 1, last + 1))
    return labels


def check_span_features(examples, reference, pieces, length, stride):
    method = METHODS["span"]([], recipe("span", length=length, stride=stride))
    features = method.features(examples, pieces)
    reference.enable_truncation(length, stride=stride, strategy="only_second")
    row = 0
    for number, example in enumerate(examples):
        encoded = reference.encode(example["question"], example["context"])
        labels = reference_targets(encoded, example["answers"][0], length) if example["answers"] else None
        for place, window in enumerate([encoded, *encoded.overflowing]):
            assert packed(features, row)[:2] == (window.ids, window.type_ids)
            assert features.targets["example"][row] == number
            starts, ends = features.targets["characters"]
            begin = features.b_start[row]
            count = features.b_length[row]
            offsets = [
                pair
                for pair, kind, special in zip(window.offsets, window.type_ids, window.special_tokens_mask, strict=True)
                if kind and not special
            ]
            assert list(zip(starts[begin : begin + count], ends[begin : begin + count], strict=True)) == offsets
            expected = labels[place] if labels else (0, 0)
            assert (features.targets["start"][row], features.targets["end"][row]) == expected
            row += 1
    reference.no_truncation()
    assert row == len(features)
    return features


def test_span_features_equal_hugging_face(world, pieces, reference):
    random = np.random.default_rng(3)
    examples = [world.makers["span"][0](random, str(number)) for number in range(60)]
    odd = "Überall naïve cafés; ½ ﬁne 北京 e\u0301clair lamps. " * 4
    for text in ("½", "naïve cafés", "北", "lamps.", "e\u0301clair", "ﬁne"):
        examples.append(
            {
                "id": text,
                "question": "Où est-ce?",
                "context": odd,
                "golds": [text],
                "answers": [{"text": text, "start": odd.rindex(text)}],
            }
        )
    examples.append({"id": "none", "question": "who?", "context": odd, "answers": [], "golds": ["x"]})
    features = check_span_features(examples, reference, pieces, 64, 20)
    assert features.counts["windows"] == len(features) > len(examples)
    assert features.counts["windows_with_answer"] == int((features.targets["start"] > 0).sum())


@pytest.mark.real
def test_span_features_equal_on_real_questions(real, tmp_path):
    (tmp_path / "vocab.txt").write_bytes((real / "vocab" / "bert-base-uncased-vocab.txt").read_bytes())
    pieces = PieceTokenizer(tmp_path)
    with gzip.open(real / "qa" / "squadshifts_amazon.json.gz", "rt", encoding="utf-8") as file:
        paragraphs = [part for article in json.load(file)["data"] for part in article["paragraphs"]][:40]
    examples = [
        {
            "id": qa["id"],
            "question": qa["question"],
            "context": part["context"],
            "answers": [{"text": qa["answers"][0]["text"], "start": qa["answers"][0]["answer_start"]}],
            "golds": [],
        }
        for part in paragraphs
        for qa in part["qas"]
    ]
    from tokenizers.processors import BertProcessing

    reference = Tokenizer.from_str(pieces.tokenizer.to_str())
    reference.post_processor = BertProcessing(("[SEP]", pieces.sep), ("[CLS]", pieces.cls))
    features = check_span_features(examples, reference, pieces, 128, 42)
    assert features.counts["windows_with_answer"] >= 0.95 * len(examples)


def test_a_long_question_is_cut_and_counted_and_a_long_context_covered(pieces):
    method = METHODS["span"]([], recipe("span"))
    long = {"id": "q", "question": "where " * 500, "context": "the lake " * 200, "answers": [], "golds": [""]}
    wide = {"id": "c", "question": "where?", "context": "lake " * 50_000, "answers": [], "golds": [""]}
    features = method.features([long, wide], pieces)
    assert features.counts["questions_cut"] == 1
    assert features.lengths.max() <= 64
    last = np.flatnonzero(features.targets["example"] == 1)[-1]
    assert features.b_start[last] + features.b_length[last] == len(features.pieces) - 2


def test_tags_stand_on_first_pieces_as_in_hugging_face(model, pieces):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model)
    sentences = [
        ["The", "lamplighters", "'", "bell", "-ringing", "3.5"],
        ["\u200b", "lake", "\x07", "北京", "town"],
        ["extraordinarily"] * 30,
        ["\x07"],
    ]
    examples = [{"id": str(i), "tokens": s, "tags": ["O"] * len(s)} for i, s in enumerate(sentences)]
    method = METHODS["tagging"](["B", "O"], recipe("tagging"))
    features = method.features(examples, pieces)
    words = features.targets["words"]
    for row, sentence in enumerate(sentences):
        expected = tokenizer(sentence, is_split_into_words=True, truncation=True, max_length=64)
        assert packed(features, row)[0] == expected["input_ids"]
        numbers = expected.word_ids()
        first = [p for p, n in enumerate(numbers) if n is not None and n != numbers[p - 1]]
        assert features.targets["place"][words[row] : words[row + 1]].tolist() == first
    assert features.counts == {"words_cut": 25, "words_without_pieces": 3}
    assert (features.b_length == NONE).all()
    # Predictions: cut words are missing at the end, words without pieces are O where they stand.
    kept = np.zeros((words[-1], 1), np.int64)
    values = method.decode(kept, features, examples).values
    assert values["0"] == ["B"] * 6
    assert values["1"] == ["O", "B", "O", "B", "B"]
    assert values["2"] == ["B"] * 5
    assert values["3"] == ["O"]


def test_a_batch_with_a_sentence_without_words(model, pieces):
    method = METHODS["tagging"](["B", "O"], recipe("tagging"))
    examples = [{"id": "a", "tokens": ["\x07"], "tags": ["O"]}, {"id": "b", "tokens": ["lake"], "tags": ["B"]}]
    features = method.features(examples, pieces)
    assert not method.inputs(features, np.array([0, 1])).everywhere
    assert method.inputs(features, np.array([1])).everywhere
    assert method.weight(features, np.array([0])) == 1


def test_old_folders_have_only_a_vocabulary(model, tmp_path, pieces):
    for name in ("vocab.txt", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((model / name).read_bytes())
    old = PieceTokenizer(tmp_path)
    texts = [text for text in TEXTS if "[" not in text]
    assert old.encode(texts).ids.tolist() == pieces.encode(texts).ids.tolist()
    assert old.size == pieces.size


def test_the_size_of_a_tokenizer_is_its_largest_number(model, tmp_path):
    content = json.loads((model / "tokenizer.json").read_text())
    content["model"]["vocab"]["faraway"] = 70_000
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    sparse = PieceTokenizer(tmp_path)
    assert sparse.size == 70_001
    assert sparse.encode(["faraway"]).ids.tolist() == [70_000], "uint16 would not hold it"


def test_a_folder_without_tokenizer_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"neither tokenizer\.json nor vocab\.txt"):
        PieceTokenizer(tmp_path)
