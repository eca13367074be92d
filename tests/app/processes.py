"""Real processes of the command line: started, waited for, and what they leave looked at."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sideband.app.errors import StoreError
from sideband.app.store import Store

WORDS = [
    "apple",
    "river",
    "engine",
    "window",
    "cloud",
    "music",
    "letter",
    "garden",
    "stone",
    "copper",
    "violet",
    "harbour",
]


def write_documents(folder: Path, numbers: range, version: int = 0) -> None:
    """Write documents of one to five chunks, the same for the same numbers and version."""
    folder.mkdir(exist_ok=True)
    for number in numbers:
        rng = random.Random(f"{number} {version}")
        paragraphs = [" ".join(rng.choices(WORDS, k=90)) for _ in range(number % 5 + 1)]
        (folder / f"{number:04}.md").write_text(f"# Document {number}\n\n" + "\n\n".join(paragraphs))


def command(*arguments: object, store: Path) -> list[str]:
    return [sys.executable, "-m", "sideband", *map(str, arguments), "--store", str(store)]


def start(*arguments: object, store: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*arguments, store=store), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def run(
    *arguments: object, store: Path, limit: int | None = None, timeout: float = 100
) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end, with files that may grow to so many blocks at most."""
    bound = [] if limit is None else ["sh", "-c", f'ulimit -f {limit}; exec "$@"', "sh"]
    return subprocess.run(
        [*bound, *command(*arguments, store=store)],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )


def index(folder: Path, store: Path, *more: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return run("index", folder, "--model", "wordllama", *more, store=store, **options)


def chunks_in(path: Path) -> int:
    try:
        with Store.open(path) as store:
            return store.info().chunks
    except StoreError:  # not made yet
        return 0


def wait_for_chunks(path: Path, count: int, indexing: subprocess.Popen[str], seconds: float = 60) -> None:
    """Wait until so many chunks are in a store, or its indexer has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and indexing.poll() is None and chunks_in(path) < count:
        with suppress(subprocess.TimeoutExpired):
            indexing.wait(0.005)


def wait_for_a_write(path: Path, indexing: subprocess.Popen[str]) -> None:
    """Wait until something is written, so that what follows meets the program as it writes."""
    log, before, deadline = Path(f"{path}-wal"), None, time.monotonic() + 5
    while time.monotonic() < deadline and indexing.poll() is None:
        with suppress(FileNotFoundError):
            found = log.stat()
            now = (found.st_size, found.st_mtime_ns)
            if before not in {None, now}:
                return
            before = now


def content(path: Path) -> list[tuple[Any, ...]]:
    """Return all that a sound store holds, by document: its model, texts, places and vectors, bit for bit."""
    query = """
        SELECT collection, source, title, hash, start, line, place, text, embedding
        FROM sources LEFT JOIN chunks ON chunks.source_id = sources.id LEFT JOIN vectors ON vectors.rowid = chunks.id
        ORDER BY collection, source, start
    """
    with Store.open(path) as store:
        connection = store._connection
        counts = "SELECT (SELECT count(*) FROM chunks), (SELECT count(*) FROM vectors)"
        assert connection.pragma("integrity_check") == "ok"
        assert not list(connection.execute("PRAGMA foreign_key_check"))
        assert len(set(next(connection.execute(counts)))) == 1
        return [(store.model, store.dimensions), *connection.execute(query)]


def files_of(store: Path) -> list[str]:
    return sorted(path.name for path in store.parent.glob(f"{store.name}*"))
