from __future__ import annotations

from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from sideband.app.chunks import CHARACTERS, Chunk, Chunker, embedded_text
from sideband.components import Document

KINDS = ("text", "markdown", "python", "function")


def document(text: str, kind: str = "text", title: str = "t") -> Document:
    return Document(id="d", text=text, metadata={"kind": kind, "title": title})


def check_positions(text: str, chunks: Sequence[Chunk]) -> None:
    for chunk in chunks:
        assert text[chunk.start : chunk.start + len(chunk.text)] == chunk.text
        assert chunk.line == text.count("\n", 0, chunk.start) + 1


@given(
    text=st.text(alphabet=st.characters(codec="utf-8")),
    kind=st.sampled_from(KINDS),
    times=st.integers(1, 200),
)
@example(text="word. ", kind="text", times=2_000)
@example(text="def f():\n    return 1\n\n", kind="python", times=200)
@example(text="# Heading\n\n- item\n", kind="markdown", times=200)
def test_chunks_are_pieces_of_the_text_and_lose_nothing_but_blanks(text: str, kind: str, times: int) -> None:
    """Each chunk stands where it says, none is too long, and between them there is only white space."""
    whole = text * times
    chunks = Chunker().chunks(document(whole, kind))

    check_positions(whole, chunks)
    assert all(0 < len(chunk.text) <= CHARACTERS[1] for chunk in chunks)
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(whole.split())


@given(text=st.text(alphabet="ab \n漢字", min_size=1), times=st.integers(1, 100), limit=st.integers(8, 60))
def test_no_chunk_has_more_tokens_than_the_model_takes(text: str, times: int, limit: int) -> None:
    """Text with many tokens a character is cut smaller, rather than going unread at its end."""
    whole = text * times

    def count(texts: Sequence[str]) -> list[int]:
        return [len(each.encode()) for each in texts]

    chunks = Chunker(max_tokens=limit, count_tokens=count).chunks(document(whole))

    check_positions(whole, chunks)
    assert max(count([embedded_text("t", chunk.text) for chunk in chunks]), default=0) <= limit
    assert "".join("".join(chunk.text.split()) for chunk in chunks) == "".join(whole.split())


def test_a_blank_document_has_no_chunks() -> None:
    """White space is nothing to embed."""
    assert Chunker().chunks(document(" \n\n ")) == []


def test_python_is_cut_at_its_definitions() -> None:
    """A function that fits is not cut in two."""
    body = "".join(f"    value = value + {n}\n" for n in range(25))
    source = "".join(f"def function_{n}(value):\n{body}    return value\n\n\n" for n in range(4))

    starts = [chunk.text.split("(", maxsplit=1)[0] for chunk in Chunker().chunks(document(source, "python"))]

    assert starts == [f"def function_{n}" for n in range(4)]


def test_the_hash_follows_text_title_kind_and_cut() -> None:
    """What would be embedded differently has another hash, and nothing else has."""
    chunker = Chunker()
    same = chunker.hash(document("text"))
    others = [
        chunker.hash(document("texts")),
        chunker.hash(document("text", title="u")),
        chunker.hash(document("text", kind="markdown")),
        Chunker(max_tokens=9, count_tokens=len).hash(document("text")),  # type: ignore[arg-type]
    ]

    assert chunker.hash(document("text")) == same
    assert same not in others


def test_a_very_long_title_leaves_room_for_the_text() -> None:
    """A title is a hint; it does not push the text out of the model's sight."""
    assert embedded_text("t" * 10_000, "text").endswith("\ntext")
    assert len(embedded_text("t" * 10_000, "text")) < 200


def test_a_chunk_knows_the_place_at_which_it_starts() -> None:
    """The last page or heading at or before its first character is its place; before all of them there is none."""
    text = "\n\n".join(f"Paragraph {n}. " + "word " * 140 for n in range(4))
    second, third = text.index("Paragraph 1"), text.index("Paragraph 2")
    placed = Document(id="d", text=text, metadata={"places": [(second, "page 1"), (third, "page 2")]})

    assert [chunk.place for chunk in Chunker().chunks(placed)] == ["", "page 1", "page 2", "page 2"]
    assert Chunker().hash(placed) != Chunker().hash(Document(id="d", text=text))


def test_pages_are_cut_apart() -> None:
    """What stands on a page is cited at that page, however little it is."""
    text = "One.\n\nTwo.\n\n\n\nFour."
    places = [(0, "page 1"), (6, "page 2"), (12, "page 3"), (14, "page 4")]
    paged = Document(id="d", text=text, metadata={"kind": "pdf", "places": places})
    chunks = Chunker().chunks(paged)

    assert [(chunk.text, chunk.place) for chunk in chunks] == [
        ("One.", "page 1"),
        ("Two.", "page 2"),
        ("Four.", "page 4"),
    ]
    check_positions(text, chunks)
