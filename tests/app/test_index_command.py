from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .processes import (
    chunks_in,
    content,
    files_of,
    index,
    run,
    start,
    wait_for_a_write,
    wait_for_chunks,
    write_documents,
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and limits of POSIX")


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.deep) for seed in range(1, 11))])
def test_killed_and_run_again_it_ends_with_the_index_of_a_run_in_one_go(tmp_path: Path, seed: int) -> None:
    """Killed three times while it brings an older store up to date, it loses only what was not yet stored."""
    rng = random.Random(seed)
    docs, store, whole = tmp_path / "docs", tmp_path / "s.db", tmp_path / "whole.db"
    write_documents(docs, range(200))
    index(docs, store)
    write_documents(docs, range(0, 200, 3), version=1)
    write_documents(docs, range(200, 800))
    for number in range(0, 200, 7):
        (docs / f"{number:04}.md").unlink()
    assert index(docs, whole).returncode == 0
    last = chunks_in(store)

    kills = 0
    for _ in range(3):
        indexing = start("index", docs, "--batch-size", "4", store=store)
        wait_for_chunks(store, last + rng.randrange(1, 400), indexing)
        wait_for_a_write(store, indexing)
        indexing.kill()
        indexing.communicate()
        kills += indexing.returncode == -signal.SIGKILL
        assert chunks_in(store) >= last
        last = chunks_in(store)
    ended = index(docs, store)

    assert kills, "each run was through before it was killed"
    assert ended.returncode == 0, ended.stderr
    assert content(store) == content(whole)
    assert files_of(store) == ["s.db"]
    assert "0 new, 0 changed" in index(docs, store).stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_tidily_and_the_same_command_goes_on(tmp_path: Path, number: signal.Signals) -> None:
    """The exit code is the shells', there is no traceback, and the number it names is what is in the store."""
    docs, store = tmp_path / "docs", tmp_path / "s.db"
    write_documents(docs, range(800))
    indexing = start("index", docs, "--model", "wordllama", "--batch-size", "2", store=store)
    wait_for_chunks(store, 1, indexing)
    indexing.send_signal(number)
    out, err = indexing.communicate(timeout=30)

    assert (indexing.returncode, out) == (128 + number, ""), err
    assert "Traceback" not in err
    (kept,) = re.findall(r"stopped: [\d,]+ documents \(([\d,]+) chunks\) .* run the same command again", err)
    assert files_of(store) == ["s.db"]
    assert chunks_in(store) == int(kept.replace(",", ""))
    assert index(docs, store).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 3 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)]
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root on Linux can mount a small disk")
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_on_a_full_disk_what_was_stored_can_be_searched_and_with_room_it_goes_on(
    tmp_path: Path, small_disk: Path
) -> None:
    """The error says that there is no room, and nothing is called damaged."""
    docs, store, whole = tmp_path / "docs", small_disk / "s.db", tmp_path / "whole.db"
    write_documents(docs, range(700))
    full = index(docs, store, "--batch-size", "16")
    kept = chunks_in(store)
    searched = run("search", "copper harbour", store=store)
    again = index(docs, store, "--batch-size", "16")
    subprocess.run(["mount", "-o", "remount,size=60m", str(small_disk)], check=True)
    room = index(docs, store)
    index(docs, whole)

    for failed in (full, again):
        assert failed.returncode == 1
        assert re.search(r"sideband: store '.*s\.db': there is no room for more", failed.stderr)
    assert f"({kept:,} chunks) of this run are in" in full.stderr
    assert searched.returncode == 0, searched.stderr
    assert kept > 0
    assert room.returncode == 0, room.stderr
    assert content(store) == content(whole)


def test_a_file_that_may_not_grow_is_told_as_no_room_and_goes_on_without_the_limit(tmp_path: Path) -> None:
    """The limit of a process for its files is met as a full disk is."""
    docs, store, whole = tmp_path / "docs", tmp_path / "s.db", tmp_path / "whole.db"
    write_documents(docs, range(1_300))
    full = index(docs, store, limit=4_096)
    ended = index(docs, store)
    index(docs, whole)

    assert full.returncode == 1
    assert "there is no room for more (File too large)" in full.stderr
    assert ended.returncode == 0, ended.stderr
    assert content(store) == content(whole)


def test_a_second_indexer_is_told_at_once_who_the_first_is_and_readers_go_on(tmp_path: Path) -> None:
    """It exits with 1 and names the process; searching works meanwhile; the first one is not disturbed."""
    docs, store = tmp_path / "docs", tmp_path / "s.db"
    write_documents(docs, range(800))
    first = start("index", docs, "--model", "wordllama", "--batch-size", "1", store=store)
    wait_for_chunks(store, 1, first)
    first.send_signal(signal.SIGSTOP)
    second = index(docs, store)
    rebuilding = index(docs, store, "--rebuild")
    searched = run("search", "copper harbour", "-k", "1", store=store)
    first.send_signal(signal.SIGCONT)
    _, err = first.communicate(timeout=100)

    for refused in (second, rebuilding):
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert f"it is being indexed into by process {first.pid} since" in refused.stderr
    assert searched.returncode == 0, searched.stderr
    assert first.returncode == 0, err
    assert "0 new, 0 changed, 800 unchanged" in index(docs, store).stdout
    assert files_of(store) == ["s.db"]


def test_a_rebuild_that_is_killed_leaves_the_old_store_and_goes_on_from_there(tmp_path: Path) -> None:
    """The new store takes the old one's place when it is whole; what was indexed otherwise is not in it."""
    docs, other, store = tmp_path / "docs", tmp_path / "other", tmp_path / "s.db"
    rebuilt, whole = tmp_path / "s.db.rebuild", tmp_path / "whole.db"
    write_documents(other, range(3))
    index(other, store)
    before = content(store)
    write_documents(docs, range(800))
    rebuilding = start("index", docs, "--rebuild", "--model", "wordllama", "--batch-size", "2", store=store)
    wait_for_chunks(rebuilt, 1, rebuilding)
    rebuilding.kill()
    rebuilding.communicate()
    kept = chunks_in(rebuilt)
    index(docs, whole)

    assert content(store) == before
    ended = index(docs, store, "--rebuild")
    assert ended.returncode == 0, ended.stderr
    assert kept > 0
    assert not re.search(r"\b0 unchanged", ended.stdout)
    assert content(store) == content(whole)
    assert files_of(store) == ["s.db"]


def test_a_rebuild_that_finds_nothing_leaves_the_old_store(tmp_path: Path) -> None:
    """A mistyped folder does not cost the index."""
    docs, empty, store = tmp_path / "docs", tmp_path / "empty", tmp_path / "s.db"
    write_documents(docs, range(3))
    empty.mkdir()
    index(docs, store)
    before = content(store)
    failed = index(empty, store, "--rebuild")

    assert failed.returncode == 1
    assert "nothing to index" in failed.stderr
    assert content(store) == before
    assert files_of(store) == ["s.db"]


def test_a_damaged_store_is_refused_and_made_anew_by_a_rebuild(tmp_path: Path) -> None:
    """Nothing is written to a file whose pages are in disorder; the way out that is named works."""
    docs, store, whole = tmp_path / "docs", tmp_path / "s.db", tmp_path / "whole.db"
    write_documents(docs, range(100))
    index(docs, store)
    index(docs, whole)
    os.truncate(store, store.stat().st_size // 2)
    before = store.read_bytes()
    refused = index(docs, store)

    assert refused.returncode == 1
    assert re.search(r"the file is damaged .*--rebuild", refused.stderr)
    assert store.read_bytes() == before
    assert index(docs, store, "--rebuild").returncode == 0
    assert content(store) == content(whole)
