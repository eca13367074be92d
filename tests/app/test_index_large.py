from __future__ import annotations

import asyncio
import itertools
import os
import random
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from sideband.app.files import file_corpus
from sideband.app.index import index
from sideband.app.meter import Meter
from sideband.app.store import Store
from sideband.embedders import load

from .processes import chunks_in, content, files_of, run, start, wait_for_a_write, wait_for_chunks

pytestmark = [pytest.mark.deep, pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")]

SOURCES = Path(os.__file__).parent
"""The standard library's own files, which every Python has: some 65,000 chunks."""


def python_documentation() -> Path:
    """Return the folder of Python's documentation as Debian's packages python3.x-doc install it: some 45,000 chunks."""
    found = sorted(Path("/usr/share/doc").glob("python3.*/html/library/csv.html"))
    if not found:
        pytest.skip("Debian's package python3.x-doc is not installed")
    return found[-1].parent.parent


CORPORA = {"sources": lambda: SOURCES, "documentation": python_documentation}


def resident(process: subprocess.Popen[bytes]) -> int:
    """Return a process's memory in MB, 0 where the system does not tell."""
    with suppress(OSError):
        found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
        return int(found[1]) // 1024 if found else 0
    return 0


def memory_while_indexing(folder: Path, store: Path, report: Path) -> list[tuple[int, int]]:
    """Index it in one go; return how many chunks were stored and how many MB were in use, again and again."""
    samples: list[tuple[int, int]] = []
    with report.open("w") as out:
        indexing = subprocess.Popen(
            [sys.executable, "-m", "sideband", "index", folder, "--model", "wordllama", "--store", store],
            stdout=out,
        )
        while indexing.poll() is None:
            samples.append((chunks_in(store), resident(indexing)))
            with suppress(subprocess.TimeoutExpired):
                indexing.wait(0.1)
    assert indexing.returncode == 0
    return samples


def found(question: str, store: Path) -> str:
    return run("search", question, "-k", "3", "--json", store=store).stdout


@pytest.mark.timeout(900)
@pytest.mark.parametrize("corpus", CORPORA)
def test_a_large_corpus_killed_twice_is_indexed_as_in_one_go_with_flat_memory(
    tmp_path: Path, corpus: str
) -> None:
    """The same index bit for bit; memory that does not grow with it; right results; a true summary."""
    folder, store, whole = CORPORA[corpus](), tmp_path / "s.db", tmp_path / "whole.db"
    samples = memory_while_indexing(folder, whole, tmp_path / "report.txt")
    total = chunks_in(whole)
    rng = random.Random(7)

    for part in (0, 1):
        indexing = start("index", folder, "--model", "wordllama", store=store)
        wait_for_chunks(
            store, rng.randrange(total * part // 3 + 1, total * (part + 1) // 3), indexing, seconds=300
        )
        wait_for_a_write(store, indexing)
        indexing.kill()
        indexing.communicate()
        assert 0 < chunks_in(store) < total
    ended = run("index", folder, store=store, timeout=300)

    assert total > 30_000
    assert ended.returncode == 0, ended.stderr
    assert content(store) == content(whole)
    assert files_of(store) == ["s.db"]
    assert f"{total:,} chunks, wordllama" in ended.stdout
    assert f"chunks     {total:,} in" in (tmp_path / "report.txt").read_text()
    assert "csv" in found("read rows of a CSV file", store)
    assert "gc" in found("how does the garbage collector find cycles", store)
    early = max(memory for stored, memory in samples if stored < total / 3)
    late = max(memory for _, memory in samples)
    assert late <= early * 1.2, f"{early} MB in the first third, {late} MB at most"


@pytest.mark.timeout(900)
def test_progress_never_tells_more_than_was_done_nor_less_than_is_stored(tmp_path: Path) -> None:
    """Whenever one looks: told as stored ≤ in the store ≤ told as embedded ≤ told as found."""
    meter, embedder = Meter(), load("wordllama")
    looks: list[Sequence[int]] = []
    path = tmp_path / "s.db"

    def work() -> None:
        corpus = file_corpus([SOURCES])
        with Store.create(path, model=embedder.name, dimensions=embedder.dimensions) as store:
            asyncio.run(index([corpus], store, embedder, batch_size=256, handlers=[meter]))

    indexing = threading.Thread(target=work)
    indexing.start()
    while indexing.is_alive():
        looks.append((meter.chunks_stored, chunks_in(path), meter.chunks, meter.chunks_found))
        indexing.join(0.05)

    assert len({stored for _, stored, _, _ in looks}) > 10
    assert [look for look in looks if list(look) != sorted(look)] == []
    assert all(one <= two for one, two in itertools.pairwise(told for told, *_ in looks))
    assert meter.chunks_stored == meter.chunks == meter.chunks_found == chunks_in(path)
