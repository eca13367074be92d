from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sideband import Component, Handler, Run, callbacks
from sideband.app.chunks import Chunker
from sideband.app.corpus import Corpus, Part, Skipped
from sideband.app.reader import Reader, Window
from sideband.components import Document


def part(name: str, *texts: str) -> Part:
    documents = [Document(id=f"{name}{n}", text=text) for n, text in enumerate(texts)]
    return Part(name=name, read=lambda: documents)


def bad(name: str, *, keep: bool) -> Part:
    return Part(name=name, read=lambda: Skipped(path=name, reason="bad", keep=keep))


def corpus(*parts: Part, covering: str = "") -> Corpus:
    return Corpus(
        collection="files", places=("here",), parts=parts, covers=lambda found: found.startswith(covering)
    )


def reader(*corpora: Corpus, known: Mapping[str, str] | None = None, chunks: int = 1_000) -> Reader:
    return Reader(corpora, {"files": known or {}}, Chunker(), chunks=chunks)


def read_all(reading: Reader) -> list[Window]:
    windows: list[Window] = []
    while (window := reading.next_window()) is not None:
        windows.append(window)
    return windows


def test_a_window_is_full_at_its_number_of_chunks_and_holds_whole_documents() -> None:
    """A document is never split over two windows."""
    long = "word. " * 1_000
    windows = read_all(
        reader(corpus(part("a", long), part("b", "x"), part("c", "x"), part("d", "x")), chunks=3)
    )

    assert [[document.id for document in window.documents] for window in windows] == [
        ["a0"],
        ["b0", "c0", "d0"],
    ]
    assert [window.chunks for window in windows] == [len(windows[0].documents[0].chunks), 3]


def test_a_window_ends_after_some_files_so_that_progress_is_seen() -> None:
    """A run in which nothing has changed reports on its way, too."""
    windows = read_all(reader(corpus(*[part(f"p{n}", "x") for n in range(100)])))

    assert [window.files for window in windows] == [64, 36]


def test_what_the_store_has_is_not_prepared_again() -> None:
    """A document of the stored hash is unchanged, of another hash changed, without one new."""
    same = Chunker().hash(Document(id="a0", text="same"))
    (window,) = read_all(reader(corpus(part("a", "same", "other", "new")), known={"a0": same, "a1": "0"}))

    assert window.unchanged == 1
    assert [(document.id, document.new) for document in window.documents] == [("a1", False), ("a2", True)]


def test_an_id_that_comes_twice_is_taken_once() -> None:
    """The first document of a name is the one that counts."""
    (window,) = read_all(reader(corpus(part("a", "first"), part("a", "second"))))

    assert [document.chunks[0].text for document in window.documents] == ["first"]


def test_missing_are_the_stored_documents_that_a_corpus_should_have() -> None:
    """What no corpus covers is left alone, and so is what could not be read this time."""
    known = {
        "in/a0": "1",
        "in/gone": "2",
        "elsewhere": "3",
        "in/closed": "4",
        "in/closed/sub": "5",
        "in/binary": "6",
    }
    reading = reader(
        corpus(part("in/a", "x"), bad("in/closed", keep=True), bad("in/binary", keep=False), covering="in/"),
        known=known,
    )
    read_all(reading)

    assert list(reading.missing()) == [("files", ["in/gone", "in/binary"])]


def test_no_files_are_no_windows() -> None:
    """An empty corpus ends at once."""
    assert read_all(reader(corpus())) == []


def test_reading_and_cutting_are_runs() -> None:
    """A handler sees each file being read and each document being cut."""
    seen: list[tuple[str, Any]] = []

    class Seen(Handler):
        def on_end(self, run: Run, output: Any) -> None:
            seen.append((run.component, len(output) if isinstance(output, list) else output))

    with callbacks(Seen()):
        read_all(reader(corpus(part("a", "x", "y"), bad("b", keep=False))))

    assert seen == [
        (Component.LOADER, 2),
        (Component.TRANSFORMER, 2),
        (Component.LOADER, Skipped(path="b", reason="bad")),
    ]
