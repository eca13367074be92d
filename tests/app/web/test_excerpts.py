from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sideband.app.web.excerpts import excerpt, linked, marked, settled

texts = st.text(st.sampled_from("ab parsing<>&[]12\n.é"), max_size=80)


@given(text=texts, question=texts)
def test_pieces_are_the_text(text: str, question: str) -> None:
    """Marking adds and loses nothing."""
    assert "".join(piece.text for piece in marked(text, question)) == text


@given(text=texts, passages=st.integers(0, 3))
def test_an_answer_in_parts_is_the_answer(text: str, passages: int) -> None:
    """Linking adds and loses nothing, and links lead to passages that there are."""
    parts = list(linked(text, passages))

    assert "".join(part for part, _ in parts) == text
    assert all(number is None or 1 <= number <= passages for _, number in parts)


@given(text=texts, cut=st.integers(0, 80))
def test_a_citation_is_found_wherever_the_answer_was_cut(text: str, cut: int) -> None:
    """What is settled of a beginning, and then the rest, give the same links as the whole."""
    begun = text[:cut]
    end = settled(begun)

    links = [
        number for part in (begun[:end], begun[end:] + text[cut:]) for _, number in linked(part, 20) if number
    ]

    assert links == [number for _, number in linked(text, 20) if number]


def test_words_are_marked_in_other_forms_and_common_ones_are_not() -> None:
    """An ending may differ; words without a meaning of their own are left alone."""
    pieces = marked("It parses the dates of a file.", "how is parsing a date done")

    assert [piece.text for piece in pieces if piece.marked] == ["parses", "dates"]


def test_an_excerpt_is_where_the_words_are() -> None:
    """Of a long text that part is shown which has most of the question's words."""
    text = "nothing here " * 60 + "the retriever finds documents by meaning " + "and more " * 60

    found = excerpt(text, "documents that the retriever finds", 120)

    assert "retriever finds documents" in found
    assert found.startswith("… ")
    assert found.endswith(" …")
    assert len(found) <= 124


def test_a_short_text_is_its_own_excerpt() -> None:
    """All of it is shown, on one line."""
    assert excerpt("one\n  two", "two", 100) == "one two"
