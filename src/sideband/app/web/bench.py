"""What all jobs and searches share: the model, its serving, and the store. May import the app, serving and embedders.

1. The model is loaded once, in the background; who needs it waits.
2. One serving embeds for everybody: chunks of several jobs meet in its batches, and a search's question, which goes
   first, with them.
3. The store is open for writing, and its lock held, while a job is at work and no longer: between jobs the command
   line may index into it. A search opens it for itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from sideband import Component, observe
from sideband.app.errors import StoreModelError, StoreNotFoundError
from sideband.app.index import embedding_serving
from sideband.app.lock import indexing
from sideband.app.models import default_batch_size, load_model, model_name
from sideband.app.store import Store, StoreInfo
from sideband.components import Document
from sideband.embedders import Embedder
from sideband.errors import SidebandError

if TYPE_CHECKING:
    from sideband.app.store import Vectors
    from sideband.serving import Serving

__all__ = ["Bench"]

_FIRST = 1_000
"""The priority of a question: somebody waits for its answer."""


@final
class Bench:
    """The tools of one store.

    Closing: `aclose` lets nothing new in; call it when no job is at work any more.
    Threads: those of one event loop.
    """

    def __init__(self, path: Path, model: str | None, told: Callable[[str, str], None]) -> None:
        """Say which store it is, which model is wanted, and who is told how loading that goes, by state and text."""
        self.path = path
        self._wanted = model
        self._told = told
        self._loading: asyncio.Task[tuple[Embedder, Serving[str, Vectors]]] | None = None
        self._turn = asyncio.Lock()
        self._users = 0
        self._open: tuple[ExitStack, Store] | None = None

    def start(self) -> asyncio.Task[tuple[Embedder, Serving[str, Vectors]]]:
        """Begin to load the model; harmless if done before."""
        if self._loading is None:
            self._told("loading", "Loading the embedding model …")
            self._loading = asyncio.create_task(self._load())
            self._loading.add_done_callback(self._loaded)
        return self._loading

    async def ready(self) -> tuple[Embedder, Serving[str, Vectors]]:
        """Wait for the model and its serving.

        Raises:
            SidebandError: it cannot be loaded, or does not fit the store.
        """
        return await asyncio.shield(self._loading or self.start())

    async def aclose(self) -> None:
        """Let go of the model."""
        if self._loading is None:
            return
        self._loading.cancel()
        (loaded,) = await asyncio.gather(self._loading, return_exceptions=True)
        if isinstance(loaded, tuple):
            await loaded[1].aclose(drain=False)

    async def _load(self) -> tuple[Embedder, Serving[str, Vectors]]:
        embedder = await asyncio.to_thread(self._load_in_thread)
        serving = embedding_serving(embedder, batch_size=default_batch_size(embedder))
        await serving.start()
        return embedder, serving

    def _load_in_thread(self) -> Embedder:
        embedder = load_model(model_name(self._wanted, self.path), self.path)
        try:
            with Store.open(self.path) as store:
                _check(store, embedder)
        except StoreNotFoundError:
            pass  # it is made by the first job
        return embedder

    def _loaded(self, task: asyncio.Task[tuple[Embedder, Serving[str, Vectors]]]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._told("ready", task.result()[0].name.partition("@")[0])
            return
        known = isinstance(error, SidebandError)
        self._told("failed", str(error) if known else f"the model cannot be loaded: {error!r}")

    # -- writing ---------------------------------------------------------------------------------

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[Store]:
        """Give the store for a block; it is opened for the first that needs it, and closed after the last.

        Raises:
            StoreError: it cannot be written, or the command line is indexing into it.
        """
        embedder, _ = await self.ready()
        entering = asyncio.create_task(self._enter(embedder))
        try:
            yield await asyncio.shield(entering)
        finally:
            await _to_the_end(self._leave(entering))

    async def _enter(self, embedder: Embedder) -> Store:
        async with self._turn:
            if self._open is None:
                self._open = await asyncio.to_thread(self._opened, embedder)
            self._users += 1
            return self._open[1]

    async def _leave(self, entering: asyncio.Task[Store]) -> None:
        await asyncio.wait([entering])
        if entering.exception() is not None:
            return
        async with self._turn:
            self._users -= 1
            if self._users == 0 and self._open is not None:
                stack, self._open = self._open[0], None
                await asyncio.to_thread(stack.close)

    def _opened(self, embedder: Embedder) -> tuple[ExitStack, Store]:
        with ExitStack() as stack:
            stack.enter_context(indexing(self.path))
            created = Store.create(self.path, model=embedder.name, dimensions=embedder.dimensions)
            store = stack.enter_context(created)
            return stack.pop_all(), store

    # -- reading ---------------------------------------------------------------------------------

    async def search(self, question: str, k: int) -> list[Document]:
        """Return the `k` chunks that fit a question best; none where there is no store yet.

        Raises:
            SidebandError: the model cannot be loaded, or the store cannot be read.
        """
        embedder, serving = await self.ready()
        async with observe("search", component=Component.RETRIEVER, type="sqlite-vec", input=question) as run:
            vector = await serving.dispatch(question, priority=_FIRST)
            run.output = found = await asyncio.to_thread(self._found, embedder, vector, k)
            return found

    def _found(self, embedder: Embedder, vector: Vectors, k: int) -> list[Document]:
        try:
            with Store.open(self.path) as store:
                _check(store, embedder)
                return store.search(vector, k)
        except StoreNotFoundError:
            return []

    async def info(self) -> StoreInfo | None:
        """Return what the store holds; None where there is none yet.

        Raises:
            StoreError: it cannot be read.
        """
        return await asyncio.to_thread(self._info)

    def _info(self) -> StoreInfo | None:
        try:
            with Store.open(self.path) as store:
                return store.info()
        except StoreNotFoundError:
            return None


async def _to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Wait until it is through, also when cancelled meanwhile."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def _check(store: Store, embedder: Embedder) -> None:
    if store.model != embedder.name:
        raise StoreModelError(store.path, stored=store.model, wanted=embedder.name)
