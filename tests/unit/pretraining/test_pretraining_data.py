from pathlib import Path

import numpy as np
import pytest

from linkbert.errors import UserError
from linkbert.pretraining.data import (
    Corpus,
    Source,
    assemble,
    cut,
    heldout_rows,
    micro_batches,
    open_source,
    permute,
    pieces,
)
from linkbert.pretraining.masking import Masking
from linkbert.pretraining.synthetic import INSTANCE, sample_instances, write_instances, write_tokenizer, write_tokens
from linkbert.text.vocabulary import read_vocabulary

WORDS, TOKENS, LENGTH = 90, 4000, 40


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_tokenizer(folder / "tokenizer", WORDS)
    for name, counts in (("one", [30, 20]), ("two", [7])):
        write_tokens(folder / name / "tokens", WORDS, TOKENS, seed=len(name))
        write_instances(folder / name / "instances", counts, TOKENS, LENGTH, seed=3, full=0.5, heldout=11)
    return folder


@pytest.fixture(scope="module")
def vocabulary(folders):
    return read_vocabulary(folders / "tokenizer")


@pytest.fixture(scope="module")
def corpus(folders, vocabulary) -> Corpus:
    sources = []
    for name in ("one", "two"):
        files = sorted((folders / name / "instances").glob("epoch-*.npy"))
        sources.append(open_source(folders / name / "tokens", files, vocabulary, LENGTH, 3))
    return Corpus(sources, seed=5)


@pytest.mark.parametrize("size", [1, 2, 3, 17, 64, 1000, 4097])
def test_permutation_is_a_bijection(size):
    order = permute(9, np.arange(size), size)
    assert sorted(order.tolist()) == list(range(size))
    assert permute(9, np.arange(size)[::-1], size).tolist() == order[::-1].tolist()
    if size > 16:
        assert order.tolist() != list(range(size))
        assert order.tolist() != permute(10, np.arange(size), size).tolist()


def test_each_pass_meets_every_instance_once(corpus):
    """Passes of 37, 27, 37, … instances: the first source alternates between its two draws."""
    ends = np.cumsum([0, 37, 27, 37, 27])
    for number in range(4):
        rows = corpus.samples(int(ends[number]), int(ends[number + 1]))
        for which, source in enumerate(corpus.sources):
            epoch = source.epochs[number % len(source.epochs)]
            mine = rows.source == which
            assert sorted(rows.a_start[mine].tolist()) == sorted(epoch["a_start"].tolist())
    first, third = corpus.samples(0, 37), corpus.samples(64, 101)
    assert first.a_start.tolist() != third.a_start.tolist()


def test_samples_do_not_depend_on_how_they_are_asked_for(corpus):
    whole = corpus.samples(10, 130)
    for middle in (11, 37, 64, 100):
        left, right = Corpus(corpus.sources, 5).samples(10, middle), Corpus(corpus.sources, 5).samples(middle, 130)
        for name, array in vars(whole).items():
            assert array.tolist() == [*getattr(left, name).tolist(), *getattr(right, name).tolist()], name


def test_keys_differ_between_samples_passes_and_seeds(corpus):
    rows = corpus.samples(0, 128)
    assert len(np.unique(rows.mask_keys)) == len(np.unique(rows.sample)) == 128
    other = Corpus(corpus.sources, 6).samples(0, 128)
    assert not np.isin(rows.mask_keys, other.mask_keys).any()


def test_input_is_cls_a_sep_b_sep(corpus, vocabulary):
    rows = corpus.samples(0, 50)
    micro = assemble(rows, corpus.sources, vocabulary, Masking())
    original = micro.batch.tokens.numpy().copy()
    original[micro.rows.numpy()[micro.hidden.numpy()]] = micro.labels.numpy()
    first = 0
    for number in range(50):
        tokens = corpus.sources[rows.source[number]].tokens.astype(int)
        a = tokens[rows.a_start[number] :][: rows.a_length[number]].tolist()
        b = tokens[rows.b_start[number] :][: rows.b_length[number]].tolist()
        expected = [vocabulary.cls, *a, vocabulary.sep, *b, vocabulary.sep]
        end = first + len(expected)
        assert original[first:end].tolist() == expected
        assert micro.batch.segments[first:end].tolist() == [0] * (len(a) + 2) + [1] * (len(b) + 1)
        assert micro.batch.cu_seqlens[number] == first
        first = end
    assert micro.rows[micro.cls].tolist() == micro.batch.cls_rows.tolist()
    assert (np.diff(micro.rows) > 0).all()
    assert micro.relations.tolist() == rows.relation.tolist()


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_ranks_and_micro_batches_share_a_step(corpus, vocabulary, world):
    rows = corpus.samples(0, 32)
    whole = assemble(rows, corpus.sources, vocabulary, Masking(), 5)
    hidden, seen = [], []
    for one in cut(rows, world):
        for part in micro_batches(one, 100):
            micro = assemble(part, corpus.sources, vocabulary, Masking(), 5)
            assert micro.batch.cu_seqlens[-1] <= 100
            hidden += micro.labels.tolist()
            seen += micro.batch.keys.tolist()
            assert micro.batch.seed == 5
            assert part.sample.tolist() == list(range(micro.batch.first, micro.batch.first + len(part)))
    assert hidden == whole.labels.tolist()
    assert seen == whole.batch.keys.tolist()
    sizes = [part.lengths.sum() for part in cut(rows, world)]
    assert max(sizes) - min(sizes) <= LENGTH


def test_a_step_of_few_instances_leaves_ranks_without_work(corpus):
    assert sorted(len(part) for part in cut(corpus.samples(7, 9), 4)) == [0, 0, 1, 1]


def test_ranks_compute_the_same_micro_batches_however_many_each():
    assert [pieces(1000, limit, 1) for limit in (1000, 999, 500, 300, 1)] == [1, 2, 2, 4, 1024]
    assert {pieces(1_048_576, 131_072, world) for world in (1, 2, 4, 8)} == {8}
    assert pieces(1_048_576, 131_072, 3) == 9


def test_a_long_instance_is_its_own_micro_batch(corpus):
    rows = corpus.samples(0, 10)
    assert [len(part.source) for part in micro_batches(rows, 1)] == [1] * 10


def test_heldout_masks_depend_on_the_row_alone(corpus, folders, vocabulary):
    held = [
        open_source(folders / name / "tokens", [folders / name / "instances" / "heldout.npy"], vocabulary, LENGTH, 3)
        for name in ("one", "two")
    ]
    rows = heldout_rows(held)
    assert len(rows.source) == 22
    some = heldout_rows(held, 5)
    assert set(some.mask_keys.tolist()) < set(rows.mask_keys.tolist())
    assert len(some.source) == 5


def test_mistakes_are_sentences(folders, vocabulary, tmp_path):
    tokens = folders / "one" / "tokens"
    good = sample_instances(5, TOKENS, LENGTH, 3, 0)

    def opened(rows, length=LENGTH, relations=3):
        np.save(tmp_path / "rows.npy", rows)
        return open_source(tokens, [tmp_path / "rows.npy"], vocabulary, length, relations)

    assert isinstance(opened(good), Source)
    with pytest.raises(UserError, match="no such file"):
        open_source(tmp_path, [], vocabulary, LENGTH, 3)
    with pytest.raises(UserError, match="holds no instance"):
        opened(np.zeros(0, INSTANCE))
    with pytest.raises(UserError, match="not an instance file"):
        opened(np.zeros(3))
    with pytest.raises(UserError, match="length is 39"):
        opened(good, length=39)
    outside = good.copy()
    outside["b_start"][2] = TOKENS
    with pytest.raises(UserError, match="outside the 4000 tokens"):
        opened(outside)
    good["relation"][0] = 2
    with pytest.raises(UserError, match="holds relation 2"):
        opened(good, relations=2)
    write_tokenizer(tmp_path / "small", 60)
    with pytest.raises(UserError, match="the tokenizer has 60 words"):
        open_source(tokens, [], read_vocabulary(tmp_path / "small"), LENGTH, 3)
