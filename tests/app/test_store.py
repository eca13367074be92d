from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path

import apsw
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband.app import database
from sideband.app.chunks import Chunk
from sideband.app.errors import (
    NotAStoreError,
    StoreAccessError,
    StoreDamagedError,
    StoreError,
    StoreLockedError,
    StoreModelError,
    StoreNotFoundError,
    StoreVersionError,
)
from sideband.app.store import Entry, Store, Vectors

DIMENSIONS = 4


def vectors(*rows: tuple[float, ...]) -> Vectors:
    return np.array(rows, dtype=np.float32)


def entry(source: str, *rows: tuple[float, ...], text: str = "text", collection: str = "files") -> Entry:
    chunks = [
        Chunk(text=f"{text} {n}", start=10 * n, line=n + 1, place=f"page {n}") for n in range(len(rows))
    ]
    found = vectors(*rows) if rows else np.empty((0, DIMENSIONS), dtype=np.float32)
    return Entry(
        collection=collection, source=source, title=source, hash=f"{text}!", chunks=chunks, vectors=found
    )


def create(path: Path) -> Store:
    return Store.create(path, model="tiny", dimensions=DIMENSIONS)


X, Y, Z = (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0)


def test_a_search_gives_the_nearest_chunks_with_their_cosine_similarity(tmp_path: Path) -> None:
    """The best comes first, its score is 1 for the same direction, and it tells where it stands."""
    with create(tmp_path / "s.db") as store:
        store.write([entry("a", X, (3.0, 3.0, 0.0, 0.0)), entry("b", Y)])
        found = store.search(vectors((5.0, 0.0, 0.0, 0.0))[0], 2)

    assert [(document.id, round(document.score or 0, 4)) for document in found] == [
        ("a#0", 1.0),
        ("a#10", 0.7071),
    ]
    assert found[1].metadata == {
        "collection": "files",
        "source": "a",
        "title": "a",
        "start": 10,
        "line": 2,
        "place": "page 1",
    }
    assert found[1].text == "text 1"


def test_what_is_written_is_there_after_reopening_in_one_file(tmp_path: Path) -> None:
    """A closed store is one file that can be copied."""
    with create(tmp_path / "s.db") as store:
        store.write([entry("a", X)])

    assert [path.name for path in tmp_path.iterdir()] == ["s.db"]
    with Store.open(tmp_path / "s.db") as store:
        assert (store.model, store.dimensions) == ("tiny", DIMENSIONS)
        assert store.hashes("files") == {"a": "text!"}
        assert store.hashes("stdlib") == {}


def test_a_document_takes_the_place_of_its_earlier_version(tmp_path: Path) -> None:
    """No chunk or vector of the old one is left, and other collections' documents of that id stay."""
    with create(tmp_path / "s.db") as store:
        store.write([entry("a", X, Y, Z), entry("a", Z, collection="stdlib")])
        store.write([entry("a", Y, text="new")])

        assert store.info().chunks == 2
        assert store.search(vectors(Y)[0], 1)[0].text == "new 0"
        assert store.info().sources == {"files": 1, "stdlib": 1}


def test_removed_documents_are_not_found(tmp_path: Path) -> None:
    """Removing takes chunks and vectors along; unknown ids are passed over."""
    with create(tmp_path / "s.db") as store:
        store.write([entry("a", X), entry("b", Y)])
        store.remove("files", ["a", "nowhere"])

        assert [document.metadata["source"] for document in store.search(vectors(X)[0], 5)] == ["b"]


def test_a_document_without_chunks_is_remembered(tmp_path: Path) -> None:
    """It is not looked at again as long as it stays the same."""
    with create(tmp_path / "s.db") as store:
        store.write([entry("a")])

        assert store.hashes("files") == {"a": "text!"}


@pytest.mark.parametrize(
    "bad",
    [
        vectors((1.0, 2.0)),
        vectors(X, Y),
        vectors((float("nan"), 0.0, 0.0, 0.0)),
        vectors((np.inf, 0, 0, 0)),
        vectors((0, 0, 0, 0)),
        vectors((1e30, 0, 0, 0)),
    ],
)
def test_vectors_that_do_not_fit_are_refused_and_nothing_is_written(tmp_path: Path, bad: Vectors) -> None:
    """One vector a chunk, of the store's dimensions, with a direction; else no document of the call is stored."""
    wrong = Entry(
        collection="files",
        source="b",
        title="b",
        hash="h",
        chunks=[Chunk(text="t", start=0, line=1)],
        vectors=bad,
    )
    with create(tmp_path / "s.db") as store:
        with pytest.raises(ValueError, match="vectors must"):
            store.write([entry("a", X), wrong])

        assert store.info().sources == {}


def test_a_write_that_fails_midway_leaves_nothing(tmp_path: Path) -> None:
    """All documents of one write are stored, or none."""
    lone = Entry(
        collection="files", source="b", title="b", hash="h", chunks=[Chunk(text="\ud800", start=0, line=1)],
        vectors=vectors(X),
    )  # fmt: skip
    with create(tmp_path / "s.db") as store:
        with pytest.raises(UnicodeEncodeError):
            store.write([entry("a", X), lone])

        assert store.info().sources == {}
        store.write([entry("c", X)])
        assert store.info().chunks == 1


@given(
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5), st.booleans()), max_size=12),
)
def test_the_three_tables_agree_after_any_writes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, bool]]
) -> None:
    """However documents are written, replaced and removed, chunks and vectors are those of the last versions."""
    expected: dict[str, int] = {}
    with create(tmp_path_factory.mktemp("s") / "s.db") as store:
        for source, count, gone in steps:
            if gone:
                store.remove("files", [source])
                expected.pop(source, None)
            else:
                store.write([entry(source, *[X] * count)])
                expected[source] = count
        found = store.search(vectors(X)[0], 100)

    assert sorted(document.metadata["source"] for document in found) == sorted(
        source for source, count in expected.items() for _ in range(count)
    )


@pytest.mark.parametrize("k", [0, -1, 4097])
def test_a_number_of_results_out_of_range_is_refused(tmp_path: Path, k: int) -> None:
    """The error names the range."""
    with create(tmp_path / "s.db") as store, pytest.raises(ValueError, match="1 to 4096"):
        store.search(vectors(X)[0], k)


def test_text_is_never_taken_for_sql(tmp_path: Path) -> None:
    """Quotes and semicolons in names are stored as they are."""
    name = "'; DROP TABLE sources; --"
    with create(tmp_path / "s.db") as store:
        store.write([entry(name, X)])
        store.remove("files", ["' OR 1=1"])

        assert store.hashes("files") == {name: "text!"}


def test_folders_above_a_new_store_are_made(tmp_path: Path) -> None:
    """A path into a folder that is not there yet works."""
    create(tmp_path / "a/b/s.db").close()

    assert (tmp_path / "a/b/s.db").is_file()


def test_an_empty_file_becomes_a_store_when_one_is_made_and_is_none_before(tmp_path: Path) -> None:
    """A zero-byte file, as `mktemp` makes it, is a place for a store."""
    (tmp_path / "s.db").touch()

    with pytest.raises(StoreNotFoundError, match="sideband index"):
        Store.open(tmp_path / "s.db")
    create(tmp_path / "s.db").close()
    Store.open(tmp_path / "s.db").close()


def test_a_missing_store_is_not_made_by_opening(tmp_path: Path) -> None:
    """Searching by a mistyped name leaves no file behind."""
    with pytest.raises(FileNotFoundError):
        Store.open(tmp_path / "nowhere.db")

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("size", [10, 5_000])
def test_a_text_file_is_no_store_and_stays_as_it_is(tmp_path: Path, size: int) -> None:
    """Neither opening nor making a store touches somebody's file."""
    (tmp_path / "notes.md").write_text("x" * size)

    for attempt in (create, Store.open):
        with pytest.raises(NotAStoreError, match=r"notes\.md"):
            attempt(tmp_path / "notes.md")
    with pytest.raises(NotAStoreError):
        database.remove(tmp_path / "notes.md")
    assert (tmp_path / "notes.md").read_text() == "x" * size


def test_another_programs_database_is_no_store_and_stays_as_it_is(tmp_path: Path) -> None:
    """A database without our mark is left alone."""
    with sqlite3.connect(tmp_path / "other.db") as other:
        other.execute("CREATE TABLE theirs (x)")
    other.close()
    before = (tmp_path / "other.db").read_bytes()

    for attempt in (create, Store.open, database.remove):
        with pytest.raises(NotAStoreError, match="another program"):
            attempt(tmp_path / "other.db")
    assert (tmp_path / "other.db").read_bytes() == before


def test_another_models_store_is_refused_with_both_names(tmp_path: Path) -> None:
    """Vectors of two models are never mixed."""
    create(tmp_path / "s.db").close()

    with pytest.raises(
        StoreModelError, match=r"tiny \(4 dimensions\), not other \(8 dimensions\).*--rebuild"
    ):
        Store.create(tmp_path / "s.db", model="other", dimensions=8)


def test_a_newer_stores_version_is_named(tmp_path: Path) -> None:
    """An old program does not guess at a new file."""
    create(tmp_path / "s.db").close()
    connection = apsw.Connection(str(tmp_path / "s.db"))
    connection.pragma("user_version", 99)
    connection.close()

    with pytest.raises(StoreVersionError, match=r"version 99.*reads 2; update"):
        Store.open(tmp_path / "s.db")


def test_an_older_stores_version_is_named(tmp_path: Path) -> None:
    """A file without what this program keeps is made anew, not called damaged."""
    create(tmp_path / "s.db").close()
    connection = apsw.Connection(str(tmp_path / "s.db"))
    connection.pragma("user_version", 1)
    connection.close()

    with pytest.raises(StoreVersionError, match=r"version 1.*reads 2; .*--rebuild"):
        Store.open(tmp_path / "s.db")


def test_a_damaged_store_is_said_to_be_damaged(tmp_path: Path) -> None:
    """Broken pages and lost tables are told with the way out; such a file can be thrown away."""
    with create(tmp_path / "s.db") as store:
        store.write([entry(f"document {n}", X, text="x" * 500) for n in range(50)])
    data = bytearray((tmp_path / "s.db").read_bytes())
    data[4096:] = b"\xaa" * (len(data) - 4096)
    (tmp_path / "s.db").write_bytes(data)

    with pytest.raises(StoreDamagedError, match="--rebuild"):
        Store.open(tmp_path / "s.db")
    database.remove(tmp_path / "s.db")
    create(tmp_path / "s.db").close()


def test_a_folder_is_no_place_for_a_store(tmp_path: Path) -> None:
    """The error says that it is a folder."""
    for attempt in (create, Store.open):
        with pytest.raises(StoreAccessError, match="folder"):
            attempt(tmp_path)


def test_a_path_through_a_file_cannot_be_used(tmp_path: Path) -> None:
    """The system's words are passed on, as the store's error."""
    (tmp_path / "file").write_text("x")

    with pytest.raises(StoreAccessError):
        create(tmp_path / "file/s.db")


def test_a_locked_store_is_waited_for_and_then_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer waits for another process, but not for ever."""
    monkeypatch.setattr(database, "_LOCK_SECONDS", 0.05)
    with create(tmp_path / "s.db") as store:
        other = apsw.Connection(str(tmp_path / "s.db"))
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreLockedError, match=r"0\.05 s"):
            store.write([entry("a", X)])
        other.execute("ROLLBACK")
        store.write([entry("a", X)])
        other.close()


def test_two_processes_may_write_in_turn_while_a_third_reads(tmp_path: Path) -> None:
    """Writers wait for each other, and a reader sees whole documents only."""
    stores = [create(tmp_path / "s.db") for _ in range(3)]

    def write(store: Store, name: str) -> None:
        for n in range(20):
            store.write([entry(f"{name}{n}", X, Y)])

    threads = [threading.Thread(target=write, args=(stores[n], "ab"[n])) for n in range(2)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert stores[2].info().chunks % 2 == 0
    for thread in threads:
        thread.join()

    assert stores[2].info().chunks == 80
    for store in stores:
        store.close()
    assert [path.name for path in tmp_path.iterdir()] == ["s.db"]


def test_a_store_may_be_closed_twice(tmp_path: Path) -> None:
    """Closing again does nothing."""
    store = create(tmp_path / "s.db")
    store.close()
    store.close()


def test_every_error_of_a_store_names_its_file(tmp_path: Path) -> None:
    """The path is in the message and on the error."""
    with pytest.raises(StoreError, match=r"nowhere\.db") as caught:
        Store.open(tmp_path / "nowhere.db")

    assert caught.value.path == tmp_path / "nowhere.db"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    """A store cannot be made there, and the error says so."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreAccessError):
            create(tmp_path / "s.db")
    finally:
        tmp_path.chmod(0o700)


def test_the_store_does_not_grow_when_all_of_it_is_replaced(tmp_path: Path) -> None:
    """The space of replaced documents is used again."""
    rows = [X] * 20
    with create(tmp_path / "s.db") as store:
        for _ in range(2):
            store.write([entry(f"d{n}", *rows) for n in range(100)])
    before = (tmp_path / "s.db").stat().st_size
    with Store.open(tmp_path / "s.db") as store:
        for _ in range(5):
            store.write([entry(f"d{n}", *rows) for n in range(100)])

    assert (tmp_path / "s.db").stat().st_size <= before * 1.2
