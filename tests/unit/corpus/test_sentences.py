"""Sentences: known hard cases by hand, and properties that hold for any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkbert.text.sentences import split_sentences


def split(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["It rained.", "We left."],
        ["Dr. Smith met Mrs. J. K. Brown.", "They spoke."],
        ["It costs 3.50 dollars, approx. 2.10 pounds.", "Cheap!"],
        ['She said "Stop."', "Then she left."],
        ["“Why?” she asked.", "Nobody knew."],
        ["Is it so?", "Yes!", "Good."],
        ["See Fig. 3 and Eqs. 4 in vol. 2, p. 12.", "He said no.", "The end."],
        ["He lives in the U.S. Senate building.", "Fine."],
        ["He lives in the U.S.", "The building is old."],
        ["Use fruit, e.g. Apples.", "Or pears, etc.", "They keep."],
        ["Apples, pears, etc. Smith sold."],
        ["It was founded in 1990.", "In 1991 it closed."],
        ["1. Introduction to the matter.", "2. Methods."],
        ["Wait ... what?", "No."],
        ["And then...", "Nothing."],
        ["He was born in St. Louis (Missouri).", "(He died there.)", "So it goes."],
        ["The file is a.txt in www.example.org today.", "Good."],
        ["Escherichia coli (E. coli) grows.", "It is fast."],
        ["The gene p53.", "It acts."],
        ["What a day!!", "Indeed?!", "Yes."],
        ["Smith et al. Found nothing; Jones et al. (2001) did."],
    ],
)
def test_hard_cases(sentences: list[str]) -> None:
    assert split(" ".join(sentences)) == sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["私は学生です。", "彼は「来た。」", "と言った！", "本当？"],
        ["यह एक वाक्य है।", "यह दूसरा है॥"],
        ["هل أنت بخير؟", "نعم"],
        ["ይህ ዓረፍተ ነገር ነው።", "ሌላ"],
    ],
)
def test_full_stops_of_other_scripts_need_no_space(sentences: list[str]) -> None:
    assert split("".join(sentences)) == sentences


def test_a_blank_line_ends_a_sentence() -> None:
    assert split("A heading\n\nThe text of Dr.\n \nSmith goes on\nhere") == [
        "A heading",
        "The text of Dr.",
        "Smith goes on\nhere",
    ]


@pytest.mark.parametrize("text", ["", " ", "\n\n \n\n", "\u3000"])
def test_nothing_gives_nothing(text: str) -> None:
    assert split_sentences(text) == []


def test_long_text_without_any_stop_is_one_sentence() -> None:
    text = "word " * 20_000
    assert split_sentences(text) == [(0, len(text) - 1)]


@given(st.text(alphabet=st.one_of(st.sampled_from(list(".!?…。।؟ \n\t\"')(ABcdé1")), st.characters()), max_size=200))
def test_no_text_is_lost(text: str) -> None:
    spans = split_sentences(text)
    position = 0
    for start, end in spans:
        assert position <= start < end
        assert text[start:end] == text[start:end].strip()
        assert not text[position:start].strip()
        position = end
    assert not text[position:].strip()
