import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkbert.pretraining.masking import CHOOSE, Masking, Vocabulary, choose, hidden_counts, replace
from linkbert.rng import mix

SIZE = 100
SPECIAL = np.arange(SIZE) < 5
VOCABULARY = Vocabulary(SIZE, 2, 3, 4, SPECIAL, np.arange(SIZE) % 3 == 2)


def batch(lengths, seed):
    draws = np.random.default_rng(seed)
    tokens, sequence, counters = [], [], []
    for number, length in enumerate(lengths):
        inner = draws.integers(0, SIZE, length)
        tokens.append(np.concatenate([[2], inner, [3]]))
        sequence.append(np.full(length + 2, number))
        key = draws.integers(0, 2**63, dtype=np.uint64)
        counters.append(key + np.arange(length + 2, dtype=np.uint64))
    return tuple(np.concatenate(parts) for parts in (tokens, sequence, counters))


def test_counts_round_half_up_with_one_at_least():
    assert hidden_counts(np.array([0, 1, 2, 9, 10, 509]), 0.15).tolist() == [0, 1, 1, 1, 2, 76]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=30), st.integers(0, 10_000))
def test_each_sequence_hides_its_quota_and_no_special(lengths, seed):
    tokens, sequence, counters = batch(lengths, seed)
    hidden = choose(tokens, sequence, counters, VOCABULARY, Masking())
    assert not SPECIAL[tokens[hidden]].any()
    assert (np.diff(hidden) > 0).all()
    candidates = np.bincount(sequence[~SPECIAL[tokens]], minlength=len(lengths))
    found = np.bincount(sequence[hidden], minlength=len(lengths))
    assert found.tolist() == hidden_counts(candidates, 0.15).tolist()


@pytest.mark.parametrize("whole_word", [False, True])
def test_masks_do_not_depend_on_the_batch(whole_word):
    masking = Masking(whole_word=whole_word)
    tokens, sequence, counters = batch([50, 30, 64, 7], 1)
    hidden = choose(tokens, sequence, counters, VOCABULARY, masking)
    seen = replace(tokens, hidden, counters, VOCABULARY, masking)
    for number in range(4):
        mine = sequence == number
        part = tokens[mine], np.zeros(mine.sum(), np.int64), counters[mine]
        alone = choose(*part, VOCABULARY, masking)
        assert alone.tolist() == (hidden[sequence[hidden] == number] - np.flatnonzero(mine)[0]).tolist()
        assert replace(part[0], alone, part[2], VOCABULARY, masking).tolist() == seen[mine].tolist()


def test_many_sequences_and_few_agree():
    """The quick sort holds 16,384 sequences; beyond it an ordinary one must choose the same."""
    tokens, sequence, counters = batch([6] * 20_000, 2)
    hidden = choose(tokens, sequence, counters, VOCABULARY, Masking(0.3))
    first = sequence < 10_000
    half = choose(tokens[first], sequence[first], counters[first], VOCABULARY, Masking(0.3))
    assert hidden[sequence[hidden] < 10_000].tolist() == half.tolist()


def test_replacement_shares():
    tokens, sequence, counters = batch([500] * 200, 3)
    hidden = choose(tokens, sequence, counters, VOCABULARY, Masking())
    seen = replace(tokens, hidden, counters, VOCABULARY, Masking())
    kept = np.ones(len(tokens), bool)
    kept[hidden] = False
    assert (seen[kept] == tokens[kept]).all()
    masked = (seen[hidden] == 4).mean()
    same = (seen[hidden] == tokens[hidden]).mean()
    assert masked == pytest.approx(0.8, abs=0.01)
    assert same == pytest.approx(0.1 + 0.1 / 95, abs=0.01)
    random = seen[hidden][(seen[hidden] != 4) & (seen[hidden] != tokens[hidden])]
    assert not SPECIAL[random].any()
    assert len(np.unique(random)) == 95


def test_positions_are_hidden_equally_often():
    times = np.zeros(42)
    for seed in range(60):
        tokens, sequence, counters = batch([40] * 50, seed)
        tokens = np.where((tokens == 2) | (tokens == 3), tokens, 50)
        hidden = choose(tokens, sequence, counters, VOCABULARY, Masking())
        times += np.bincount((hidden % 42), minlength=42)
    shares = times[1:41] / times.sum() * 40
    assert shares.min() > 0.85
    assert shares.max() < 1.15


def greedy(tokens, counters, probability):
    """BERT's whole-word rule, one word at a time."""
    words = []
    for position, token in enumerate(tokens):
        if SPECIAL[token]:
            continue
        if words and VOCABULARY.continues[token] and words[-1][-1] == position - 1:
            words[-1].append(position)
        else:
            words.append([position])
    if not words:
        return []
    left = int(hidden_counts(np.array([sum(map(len, words))]), probability)[0])
    draws = mix(CHOOSE, counters[[word[0] for word in words]]) >> np.uint64(36)
    taken = []
    for index in np.argsort(draws, kind="stable"):
        if len(words[index]) <= left:
            taken += words[index]
            left -= len(words[index])
    return sorted(taken)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=1, max_size=10), st.integers(0, 10_000), st.sampled_from([0.15, 0.4]))
def test_whole_words_follow_the_greedy_rule(lengths, seed, probability):
    tokens, sequence, counters = batch(lengths, seed)
    hidden = choose(tokens, sequence, counters, VOCABULARY, Masking(probability, whole_word=True))
    expected, first = [], 0
    for length in lengths:
        end = first + length + 2
        expected += [first + place for place in greedy(tokens[first:end], counters[first:end], probability)]
        first = end
    assert hidden.tolist() == expected
