from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sideband.app.errors import StoreAccessError, StoreBusyError
from sideband.app.lock import indexing


def test_one_indexer_a_store_at_a_time(tmp_path: Path) -> None:
    """The second is told who the first is; after it the store is free, and no file is left."""
    with indexing(tmp_path / "a/s.db"):
        held_by = rf"process {os.getpid()} since \d{{4}}-"
        with pytest.raises(StoreBusyError, match=held_by) as caught, indexing(tmp_path / "a/s.db"):
            pass
        with indexing(tmp_path / "a/other.db"):
            pass
    with indexing(tmp_path / "a/s.db"):
        pass

    assert caught.value.path == tmp_path / "a/s.db"
    assert not list((tmp_path / "a").iterdir())


def test_a_lock_file_that_a_killed_process_left_does_not_count(tmp_path: Path) -> None:
    """The lock is the system's, not the file."""
    (tmp_path / "s.db.lock").write_text("process 1 since long ago")
    with indexing(tmp_path / "s.db"):
        pass

    assert not list(tmp_path.iterdir())


def test_a_lock_is_never_held_twice_however_many_try(tmp_path: Path) -> None:
    """Deleting the file on the way out lets nobody in who had it open before."""
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        done = 0
        while done < 50:
            try:
                with indexing(tmp_path / "s.db"):
                    inside.append(number)
                    most.append(len(inside))
                    done += 1
                    inside.remove(number)
            except StoreBusyError:
                continue

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(most) == 200
    assert max(most) == 1


def test_a_lock_that_cannot_be_made_is_the_stores_error(tmp_path: Path) -> None:
    """A path through a file is named, as it is when the store itself is opened."""
    (tmp_path / "file").write_text("x")

    with pytest.raises(StoreAccessError, match=r"s\.db"), indexing(tmp_path / "file/s.db"):
        pass
