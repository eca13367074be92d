from __future__ import annotations

import random
from contextlib import suppress
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
    StoreFullError,
)
from sideband.app.store import Entry, Store

DIMENSIONS = 32


def entries(numbers: range, text: str = "text") -> list[Entry]:
    rng = np.random.default_rng(1)
    return [
        Entry(
            collection="files",
            source=f"d{number}",
            title=f"d{number}",
            hash=text,
            chunks=[Chunk(text=f"{text} {n} " + "x" * 200, start=n, line=n) for n in range(number % 5)],
            vectors=rng.normal(size=(number % 5, DIMENSIONS)).astype(np.float32),
        )
        for number in numbers
    ]


def create(path: Path) -> Store:
    return Store.create(path, model="tiny", dimensions=DIMENSIONS)


def search(path: Path) -> None:
    with Store.open(path) as store:
        store.search(np.ones(DIMENSIONS, dtype=np.float32), 4_096)


def look(path: Path) -> None:
    with Store.open(path) as store:
        store.info()
        store.hashes("files")


def write(path: Path) -> None:
    with create(path) as store:
        store.write(entries(range(100, 250), "new"))
        store.remove("files", ["d1", "d7"])


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the bytes of a store of some 0.5 MB."""
    path = tmp_path_factory.mktemp("sound") / "s.db"
    with create(path) as store:
        store.write(entries(range(200)))
    return path.read_bytes()


@given(
    harm=st.sampled_from(["overwritten", "cut off", "zeroed", "flipped"]),
    place=st.floats(0, 1),
    length=st.sampled_from([1, 16, 500, 4_096, 40_960]),
    seed=st.integers(0, 2**32),
)
def test_whatever_happened_to_the_file_only_a_stores_error_comes_out(
    sound: bytes,
    tmp_path_factory: pytest.TempPathFactory,
    harm: str,
    place: float,
    length: int,
    seed: int,
) -> None:
    """Damage anywhere is an error that names the file, or hit what no page's order depends on; nothing crashes."""
    data, rng = bytearray(sound), random.Random(seed)
    start = int(place * len(data))
    if harm == "cut off":
        del data[start:]
    elif harm == "flipped":
        for _ in range(20):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    else:
        size = len(data[start : start + length])
        data[start : start + length] = bytes(size) if harm == "zeroed" else rng.randbytes(size)
    path = tmp_path_factory.mktemp("harmed") / "s.db"
    path.write_bytes(data)

    for use in (search, look, write):
        with suppress(StoreError):
            use(path)


def test_a_file_in_disorder_is_not_written_to(sound: bytes, tmp_path: Path) -> None:
    """Opening it for writing looks through all of it, also where no document would have been written."""
    path = tmp_path / "s.db"
    page = sound.index(b"text 1 xxx") // 4096 * 4096
    harmed = sound[:page] + b"\xaa" * 4096 + sound[page + 4096 :]
    path.write_bytes(harmed)

    with pytest.raises(StoreDamagedError, match="--rebuild"):
        create(path)
    assert path.read_bytes() == harmed


@pytest.mark.parametrize("header", [b"", b"\0" * 100, b"SQLite format 3\0", b"# Notes\n"])
def test_a_file_that_is_not_known_for_a_store_is_never_replaced(
    sound: bytes, tmp_path: Path, header: bytes
) -> None:
    """Without our mark in its header it may be anybody's; the error says to move it away."""
    path, new = tmp_path / "s.db", tmp_path / "new.db"
    path.write_bytes(header + b"\1" * (len(sound) - len(header)))
    create(new).close()
    before = path.read_bytes()

    with pytest.raises(NotAStoreError, match="move it away"):
        database.replace(path, new)
    with pytest.raises(NotAStoreError, match="move it away"):
        database.remove(path)
    assert path.read_bytes() == before
    assert new.exists()


def test_replacing_a_store_takes_the_old_ones_log_away(tmp_path: Path) -> None:
    """What a killed process had not folded into the old file is not taken for the new one's."""
    path, new = tmp_path / "s.db", tmp_path / "new.db"
    old = create(path)
    old.write(entries(range(10)))
    with create(new) as store:
        store.write(entries(range(3), "new"))

    assert (tmp_path / "s.db-wal").exists()
    database.replace(path, new)
    with Store.open(path) as store:
        assert set(store.hashes("files").values()) == {"new"}
    assert not new.exists()
    old.close()


def test_a_store_that_is_still_in_use_replaces_none(tmp_path: Path) -> None:
    """Its log is not yet part of its file."""
    path, new = tmp_path / "s.db", tmp_path / "new.db"
    create(path).close()
    with create(new), pytest.raises(StoreAccessError, match=r"new\.db.*not whole yet"):
        database.replace(path, new)

    assert path.exists()


def test_a_write_for_which_there_is_no_room_leaves_what_was_there(tmp_path: Path) -> None:
    """All of the write is undone, and the store goes on working when there is room."""
    with create(tmp_path / "s.db") as store:
        store.write(entries(range(20)))
        connection = store._connection
        connection.pragma("max_page_count", connection.pragma("page_count") + 2)
        with pytest.raises(StoreFullError, match=r"what was stored is safe.*--store") as caught:
            store.write(entries(range(10, 120), "new"))

        assert set(store.hashes("files").values()) == {"text"}
        assert isinstance(caught.value, OSError)
        connection.pragma("max_page_count", 100_000)
        store.write(entries(range(10, 120), "new"))
        assert connection.pragma("integrity_check") == "ok"
        assert len(store.hashes("files")) == 120


def test_a_transaction_of_a_writer_stays_in_memory_up_to_its_end(tmp_path: Path) -> None:
    """So a full disk is met by the commit, not by a statement of sqlite-vec's that would give it another name."""
    with create(tmp_path / "s.db") as store:
        before = (tmp_path / "s.db-wal").stat().st_size if (tmp_path / "s.db-wal").exists() else 0
        with database.transaction(store._connection):
            store._insert([(each, each.vectors) for each in entries(range(3_000))])
            wal = tmp_path / "s.db-wal"
            assert (wal.stat().st_size if wal.exists() else 0) == before


def test_a_log_that_cannot_be_folded_in_does_not_fail_the_close(tmp_path: Path) -> None:
    """Another reader keeps it; the last to close folds it in."""
    first = create(tmp_path / "s.db")
    first.write(entries(range(5)))
    second = Store.open(tmp_path / "s.db")
    second.hashes("files")
    first.close()

    assert len(second.hashes("files")) == 5
    second.close()
    assert [path.name for path in tmp_path.iterdir()] == ["s.db"]


def test_an_error_without_a_connection_is_translated(tmp_path: Path) -> None:
    """SQLite's own words are passed on where the system has none."""
    with (
        pytest.raises(StoreAccessError, match="cannot be used: words; name another"),
        database.translated(tmp_path / "s.db"),
    ):
        raise apsw.ReadOnlyError("words")


def test_a_store_that_lost_a_table_is_damaged(tmp_path: Path) -> None:
    """SQLite's complaint about a missing table is passed on as damage."""
    create(tmp_path / "s.db").close()
    connection = apsw.Connection(str(tmp_path / "s.db"))
    connection.execute("DROP TABLE chunks")
    connection.close()

    with Store.open(tmp_path / "s.db") as store, pytest.raises(StoreDamagedError, match="chunks"):
        store.info()


def test_a_store_that_lost_its_description_is_damaged(tmp_path: Path) -> None:
    """Without the model's name the vectors mean nothing."""
    create(tmp_path / "s.db").close()
    connection = apsw.Connection(str(tmp_path / "s.db"))
    connection.execute("DELETE FROM meta")
    connection.close()

    with pytest.raises(StoreDamagedError, match="model"):
        Store.open(tmp_path / "s.db")
