"""The embedded store: documents, chunks and vectors in one SQLite file. May import components and app.errors.

The vectors are in a table of sqlite-vec, reached through apsw, since many a Python's own sqlite3 is
built without extensions.

1. A source is written whole, with all its chunks and vectors, or not at all.
2. The file holds the vectors of one model. Another model's are refused, not mixed in.
3. A file that is no store is never written to.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Self, final

import apsw
import numpy as np
import numpy.typing as npt

from sideband.app.chunks import Chunk
from sideband.app.database import connect, disconnect, rows, transaction, translated
from sideband.app.errors import StoreDamagedError, StoreModelError, StoreNotFoundError
from sideband.components import Document

__all__ = ["MAX_RESULTS", "Entry", "Store", "StoreInfo", "Vectors"]

Vectors = npt.NDArray[np.float32]

MAX_RESULTS = 4096
"""The most results of one search, a limit of sqlite-vec."""

_SEARCH = """
WITH hits AS (SELECT rowid, distance FROM vectors WHERE embedding MATCH ? AND k = ?)
SELECT collection, source, title, start, line, place, text, distance
FROM hits JOIN chunks ON chunks.id = hits.rowid JOIN sources ON sources.id = chunks.source_id
ORDER BY distance, chunks.id
"""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One document as it is written: identity, chunks and their vectors."""

    collection: str
    source: str
    """The document's id, unique in its collection."""
    title: str
    hash: str
    chunks: Sequence[Chunk]
    vectors: Vectors
    """float32, (chunks, dimensions)."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class StoreInfo:
    """What a store holds."""

    path: str
    bytes: int
    """The size of its file."""
    model: str
    dimensions: int
    sources: Mapping[str, int]
    """How many documents there are in each collection."""
    chunks: int
    created_at: float
    """Unix seconds."""
    updated_at: float
    """Unix seconds of the latest write."""


@final
class Store:
    """A store that is open; a context manager that closes it.

    Order: search results come best first, equal ones in the order in which they were written.
    Cancellation: a write that is interrupted leaves nothing of itself behind.
    Closing: `close` may be called twice; after it the store is one file, without side files.
    Threads: any; one after the other has its turn. Other processes may read while one writes.
    Cost: a write of 1,000 chunks takes some 30 ms, a search looks at every vector.
    """

    def __init__(self, connection: apsw.Connection, path: Path) -> None:
        """Take a connection to a file that has been checked; use `open` or `create`."""
        self._connection = connection
        self._turn = threading.Lock()
        self.path = path
        meta = self._meta()
        try:
            self.model = meta["model"]
            """The name of the model whose vectors it holds."""
            self.dimensions = int(meta["dimensions"])
        except (KeyError, ValueError) as error:
            connection.close()
            raise StoreDamagedError(path, f"{error} in its description") from error

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a store that exists.

        Raises:
            StoreNotFoundError: there is none at `path`.
            StoreError: it is something else, damaged, of a newer version, locked or not accessible.
        """
        file = Path(path)
        if not os.path.lexists(file) or (file.is_file() and file.stat().st_size == 0):
            raise StoreNotFoundError(file)
        with translated(file):
            return cls(connect(file), file)

    @classmethod
    def create(cls, path: str | os.PathLike[str], *, model: str, dimensions: int) -> Self:
        """Open a store for a model's vectors; make it, and the folders above it, where there is none.

        Raises:
            StoreModelError: it holds another model's vectors.
            StoreError: as for `open`.
        """
        file = Path(path)
        with translated(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            store = cls(connect(file, model=model, dimensions=dimensions), file)
        if (store.model, store.dimensions) != (model, dimensions):
            stored = f"{store.model} ({store.dimensions} dimensions)"
            store.close()
            raise StoreModelError(file, stored=stored, wanted=f"{model} ({dimensions} dimensions)")
        return store

    def close(self) -> None:
        """Close it; what was written is safe."""
        with self._using():
            disconnect(self._connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hashes(self, collection: str) -> dict[str, str]:
        """Return the hash of every document of a collection, by id."""
        with self._using():
            query = "SELECT source, hash FROM sources WHERE collection = ?"
            return dict(rows(self._connection, query, (collection,)))

    def write(self, entries: Iterable[Entry]) -> None:
        """Write documents, each in place of what was stored under its id; all of them or, on an error, none.

        Raises:
            ValueError: an entry's vectors are not one a chunk, of the store's dimensions, finite and not zero.
            StoreError: the file cannot be written.
        """
        checked = {(entry.collection, entry.source): (entry, self._checked(entry)) for entry in entries}
        with self._using(), transaction(self._connection):
            self._delete(list(checked))
            self._insert(list(checked.values()))
            self._touch()

    def remove(self, collection: str, sources: Iterable[str]) -> None:
        """Remove documents by id, in one transaction; ids that are not there are passed over."""
        with self._using(), transaction(self._connection):
            self._delete([(collection, source) for source in sources])
            self._touch()

    def search(self, vector: npt.NDArray[np.float32], k: int) -> list[Document]:
        """Return the `k` chunks nearest to a vector, as documents with their cosine similarity as score.

        A chunk's metadata holds `collection`, `source`, `title`, `start` (offset), `line`, and
        `place` (a page or heading, where the document has such).

        Raises:
            ValueError: `k` is not within 1 to 4096, or the vector has other dimensions than the store's, is zero
                or not finite.
            StoreError: the file cannot be read.
        """
        if not 1 <= k <= MAX_RESULTS:
            message = f"k must be within 1 to {MAX_RESULTS}, not {k!r}"
            raise ValueError(message)
        query = _as_vectors(vector.reshape(1, -1), 1, self.dimensions)
        with self._using():
            found = rows(self._connection, _SEARCH, (query.tobytes(), k))
        if any(distance is None for *_, distance in found):
            raise StoreDamagedError(self.path, "a vector is not one of numbers")
        return [_as_document(*row) for row in found]

    def info(self) -> StoreInfo:
        """Return what the store holds."""
        with self._using():
            meta = self._meta()
            counts = "SELECT collection, count(*) FROM sources GROUP BY collection ORDER BY collection"
            return StoreInfo(
                path=str(self.path),
                bytes=self._connection.pragma("page_count") * self._connection.pragma("page_size"),
                model=self.model,
                dimensions=self.dimensions,
                sources=dict(rows(self._connection, counts)),
                chunks=self._scalar("SELECT count(*) FROM chunks"),
                created_at=float(meta["created_at"]),
                updated_at=float(meta["updated_at"]),
            )

    @contextmanager
    def _using(self) -> Generator[None]:
        with self._turn, translated(self.path, self._connection):
            yield

    def _meta(self) -> dict[str, str]:
        return dict(rows(self._connection, "SELECT key, value FROM meta"))

    def _scalar(self, query: str) -> int:
        return int(rows(self._connection, query)[0][0])

    def _checked(self, entry: Entry) -> Vectors:
        return _as_vectors(entry.vectors, len(entry.chunks), self.dimensions)

    # One statement for many rows: apsw lets other threads run at each step, and each return costs time.

    def _delete(self, keys: Sequence[tuple[str, str]]) -> None:
        select = "SELECT id FROM sources WHERE collection = ? AND source = ?"
        sources = list(self._connection.executemany(select, keys))
        chunks = list(self._connection.executemany("SELECT id FROM chunks WHERE source_id = ?", sources))
        # By single numbers: sqlite-vec finds a row by its number, but searches all of them for a set.
        self._connection.executemany("DELETE FROM vectors WHERE rowid = ?", chunks)
        self._connection.executemany("DELETE FROM sources WHERE id = ?", sources)

    def _insert(self, entries: Sequence[tuple[Entry, Vectors]]) -> None:
        source_ids = count(self._scalar("SELECT coalesce(max(id), 0) + 1 FROM sources"))
        chunk_ids = count(self._scalar("SELECT coalesce(max(id), 0) + 1 FROM chunks"))
        sources: list[tuple[int, str, str, str, str]] = []
        chunks: list[tuple[int, int, int, int, str, str]] = []
        vectors: list[tuple[int, bytes]] = []
        for source_id, (entry, found) in zip(source_ids, entries, strict=False):
            sources.append((source_id, entry.collection, entry.source, entry.title, entry.hash))
            for chunk, vector in zip(entry.chunks, found, strict=True):
                chunk_id = next(chunk_ids)
                chunks.append((chunk_id, source_id, chunk.start, chunk.line, chunk.place, chunk.text))
                vectors.append((chunk_id, vector.tobytes()))
        self._connection.executemany("INSERT INTO sources VALUES (?, ?, ?, ?, ?)", sources)
        self._connection.executemany("INSERT INTO chunks VALUES (?, ?, ?, ?, ?, ?)", chunks)
        self._connection.executemany("INSERT INTO vectors (rowid, embedding) VALUES (?, ?)", vectors)

    def _touch(self) -> None:
        self._connection.execute("UPDATE meta SET value = ? WHERE key = 'updated_at'", (str(time.time()),))


def _as_vectors(vectors: Vectors, count: int, dimensions: int) -> Vectors:
    found = np.ascontiguousarray(vectors, dtype=np.float32)
    if found.shape != (count, dimensions):
        message = f"vectors must have the shape {(count, dimensions)}, not {found.shape}"
        raise ValueError(message)
    if not np.isfinite(found).all():
        message = "vectors must be finite; the model gave a NaN or an infinity"
        raise ValueError(message)
    with np.errstate(over="ignore"):
        squares = np.square(found).sum(axis=1)
    if not (np.isfinite(squares) & (squares > 0)).all():
        message = "vectors must have a direction; the model gave one that is zero, or too long for float32"
        raise ValueError(message)
    return found


def _as_document(*row: Any) -> Document:
    collection, source, title, start, line, place, text, distance = row
    metadata = {
        "collection": collection,
        "source": source,
        "title": title,
        "start": start,
        "line": line,
        "place": place,
    }
    return Document(id=f"{source}#{start}", text=text, metadata=metadata, score=1.0 - distance)
