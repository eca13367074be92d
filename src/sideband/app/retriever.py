"""The store as a retriever, for graphs and programs. May import the app and the embedders."""

from __future__ import annotations

import asyncio
import os
import threading
from types import TracebackType
from typing import Self, final

from sideband.app.errors import StoreModelError
from sideband.app.store import MAX_RESULTS, Store
from sideband.components import Document
from sideband.embedders import Embedder, load
from sideband.observe import component
from sideband.runs import Component

__all__ = ["StoreRetriever"]


@final
class StoreRetriever:
    """Finds what fits a question in a store that `sideband index` made: a component of the kind Retriever.

    Closing: `close`, or the end of `with`, closes the store.
    Cancellation: a search that has begun goes on in its thread, unheard.
    Threads: opening and closing wait for the file, and belong outside of an event loop; any number of calls at once; they are executed one after the other, in threads.
    Cost: embedding the question, and a look at every vector: some 10 ms for ten thousand chunks.
    """

    __sideband_component__ = True

    def __init__(
        self,
        store: str | os.PathLike[str],
        *,
        top_k: int = 5,
        score_threshold: float | None = None,
        embedder: Embedder | None = None,
        name: str = "retriever",
    ) -> None:
        """Open a store.

        Args:
            store: the file.
            top_k: how many chunks are wanted at most.
            score_threshold: the cosine similarity that a chunk has to have at least.
            embedder: in place of that whose name the store has; loaded with the first question.
            name: of its runs.

        Raises:
            StoreError: it is none, or cannot be read.
            StoreModelError: it has the vectors of another model than `embedder`.
            ValueError: `top_k` is not within 1 to 4096.
        """
        if not 1 <= top_k <= MAX_RESULTS:
            raise ValueError(f"top_k must be within 1 to {MAX_RESULTS}, got {top_k!r}")
        self.name = name
        self._store = Store.open(store)
        if embedder is not None and embedder.name != self._store.model:
            self._store.close()
            raise StoreModelError(self._store.path, stored=self._store.model, wanted=embedder.name)
        self._top_k = top_k
        self._threshold = score_threshold
        self._embedder = embedder
        self._turn = threading.Lock()
        self._run = component(Component.RETRIEVER, name=name, type="sqlite-vec")(self._find)

    async def __call__(self, query: str) -> list[Document]:
        """Return what fits a question, the best first.

        Raises:
            StoreError: the store cannot be read.
            UnknownEmbedderError: there is no embedder of the name that the store has.
            MissingExtraError: the embedder's extra is not installed.
        """
        return await self._run(query)

    async def _find(self, query: str) -> list[Document]:
        return await asyncio.to_thread(self._search, query)

    def _search(self, query: str) -> list[Document]:
        with self._turn:
            if self._embedder is None:
                self._embedder = load(self._store.model)
            found = self._store.search(self._embedder.embed([query])[0], self._top_k)
        if self._threshold is None:
            return found
        return [one for one in found if one.score is not None and one.score >= self._threshold]

    def close(self) -> None:
        """Close the store; harmless if done before."""
        with self._turn:
            self._store.close()

    def __enter__(self) -> Self:
        """Return the retriever; leaving the block closes it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the store."""
        self.close()
