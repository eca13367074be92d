"""`check_stream`: anybody's stream, run through what a consumer may rely on. Knows nothing of the other layers.

1. Made twice, a stream gives the same chunks and ends the same way.
2. Its end, or its error once raised, is final: from then on it ends.
3. Read in a task (or thread) of its own for each chunk, it gives the same.
4. Closed before its first chunk, or after any, it is at its end; closing again is harmless.
5. A cancelled reader is cancelled, whereupon the stream goes on where it stood, or is at its end.
6. A second reader at the same time is refused, or served in order; the first one gets what is its own.
7. Once it is closed no task of it is left, and nothing that `still_open` can tell.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias, cast, final

__all__ = ["StreamFactory", "check_stream", "check_stream_sync"]

StreamFactory: TypeAlias = Callable[[], AsyncIterable[Any] | Iterable[Any] | Awaitable[AsyncIterable[Any]]]
"""Makes the same stream anew, each time it is called."""

_END: Any = object()
_SETTLING = 10
"""Turns of the event loop within which a closed stream's own callbacks have to be done."""


async def check_stream(
    make: StreamFactory,
    *,
    expected: Sequence[Any] | None = None,
    error: type[BaseException] | None = None,
    resumable: bool = False,
    still_open: Callable[[], object] | None = None,
    positions: int = 8,
    timeout: float = 5.0,
) -> None:
    """Check a stream of any kind: asynchronous or ordinary iterators, and coroutines that return one.

    Args:
        make: called once for each scenario; has to give an equal stream each time.
        expected: the chunks; None takes what the first reading gives.
        error: what it fails with after them; None if it just ends.
        resumable: whether a cancelled reader must lose nothing, as with copies, pipes and merges.
        still_open: something false once every stream that was made is closed: a count of connections, say.
        positions: how many chunks deep it is closed and cancelled, each in a scenario of its own.
        timeout: seconds for each scenario.

    Raises:
        AssertionError: it breaks a promise; the text names the scenario.
    """
    check = _Check(make, error, resumable, still_open, timeout)
    chunks = await check.run("read to the end", check.read_to_the_end)
    if expected is not None and chunks != list(expected):
        raise AssertionError(f"read to the end: expected {list(expected)!r}, got {chunks!r}")
    check.chunks = chunks
    await check.run("read again", check.read_again)
    await check.run("read each chunk in a task of its own", check.read_in_tasks)
    for place in range(min(len(chunks), positions) + 1):
        await check.run(f"closed after {place} chunks", check.close_early, place)
        await check.run(f"cancelled after {place} chunks", check.cancel, place)
        await check.run(f"read twice at once after {place} chunks", check.second_reader, place)


def check_stream_sync(
    make: StreamFactory,
    *,
    expected: Sequence[Any] | None = None,
    error: type[BaseException] | None = None,
    still_open: Callable[[], object] | None = None,
) -> None:
    """Check a stream as `check_stream` does, where no event loop runs."""
    asyncio.run(check_stream(make, expected=expected, error=error, still_open=still_open))


@final
class _Threaded(AsyncIterator[Any]):
    """An ordinary iterator whose every step is made in a thread."""

    def __init__(self, iterable: Iterable[Any]) -> None:
        self.iterator: Iterator[Any] = iter(iterable)

    async def __anext__(self) -> Any:
        chunk = await asyncio.to_thread(next, self.iterator, _END)
        if chunk is _END:
            raise StopAsyncIteration
        return chunk

    async def aclose(self) -> None:
        close = getattr(self.iterator, "close", None)
        if close is not None:
            await asyncio.to_thread(close)


@final
class _Check:
    """One stream's scenarios."""

    def __init__(
        self,
        make: StreamFactory,
        error: type[BaseException] | None,
        resumable: bool,
        still_open: Callable[[], object] | None,
        timeout: float,
    ) -> None:
        self._make = make
        self._error = error
        self._resumable = resumable
        self._still_open = still_open
        self._timeout = timeout
        self.chunks: list[Any] = []

    async def run(self, name: str, scenario: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Run one scenario on a stream of its own, close it, and see what it left behind."""
        before = asyncio.all_tasks()
        try:
            async with asyncio.timeout(self._timeout):
                stream = await self._open()
                result = await scenario(stream, *arguments)
                await _close(stream)
                await _close(stream)
                await self._settle(before)
        except TimeoutError as late:
            raise AssertionError(f"{name}: not done after {self._timeout} s") from late
        except AssertionError as failed:
            raise AssertionError(f"{name}: {failed}") from failed
        return result

    async def _open(self) -> AsyncIterator[Any]:
        made = self._make()
        if inspect.isawaitable(made):
            made = await made
        if hasattr(made, "__anext__"):
            return cast("AsyncIterator[Any]", made)
        return aiter(made) if isinstance(made, AsyncIterable) else _Threaded(made)

    async def _settle(self, before: set[asyncio.Task[Any]]) -> None:
        for _ in range(_SETTLING):
            await asyncio.sleep(0)
        left = asyncio.all_tasks() - before
        if left:
            raise AssertionError(f"tasks are left after closing: {left!r}")
        if self._still_open is not None and (what := self._still_open()):
            raise AssertionError(f"still open after closing: {what!r}")

    async def _rest(self, stream: AsyncIterator[Any]) -> tuple[list[Any], BaseException | None]:
        """Read to the end or the expected error, and see that it is final."""
        chunks: list[Any] = []
        error: BaseException | None = None
        try:
            while True:
                chunks.append(await stream.__anext__())
        except StopAsyncIteration:
            pass
        except BaseException as caught:
            if self._error is None or not isinstance(caught, self._error):
                raise
            error = caught
        for _ in range(2):
            await _at_its_end(stream)
        return chunks, error

    async def read_to_the_end(self, stream: AsyncIterator[Any]) -> list[Any]:
        """The reference for all others."""
        chunks, error = await self._rest(stream)
        if self._error is not None and error is None:
            raise AssertionError(f"expected {self._error.__name__} after {chunks!r}, but it just ended")
        return chunks

    async def read_again(self, stream: AsyncIterator[Any]) -> None:
        """A second stream is like the first one."""
        _equal(await self.read_to_the_end(stream), self.chunks)

    async def read_in_tasks(self, stream: AsyncIterator[Any]) -> None:
        """A stream need not be read where it was opened."""
        for expected in self.chunks:
            _equal(await asyncio.create_task(_next(stream)), expected)
        await asyncio.create_task(self._finish(stream, []))

    async def _finish(self, stream: AsyncIterator[Any], expected: list[Any]) -> None:
        chunks, error = await self._rest(stream)
        _equal(chunks, expected)
        if (error is None) != (self._error is None):
            raise AssertionError(f"ended with {error!r}, expected {self._error!r}")

    async def _skip(self, stream: AsyncIterator[Any], place: int) -> None:
        for expected in self.chunks[:place]:
            _equal(await stream.__anext__(), expected)

    async def close_early(self, stream: AsyncIterator[Any], place: int) -> None:
        """A consumer may stop at any chunk."""
        await self._skip(stream, place)
        if _closable(stream):
            await _close(stream)
            await _at_its_end(stream)

    async def cancel(self, stream: AsyncIterator[Any], place: int) -> None:
        """A consumer may be cancelled while it waits for any chunk."""
        await self._skip(stream, place)
        reader = await _begin(stream)
        if isinstance(stream, _Threaded) or reader.done():
            await asyncio.wait((reader,))
            _ = reader.exception()
            return
        reader.cancel()
        await asyncio.wait((reader,))
        if not reader.cancelled():
            _ = reader.exception()
            raise AssertionError("the reader's cancellation was swallowed")
        chunks, _ = await self._rest(stream)
        if chunks != self.chunks[place:] and (chunks or self._resumable):
            raise AssertionError(f"expected {self.chunks[place:]!r} after a cancellation, got {chunks!r}")

    async def second_reader(self, stream: AsyncIterator[Any], place: int) -> None:
        """Two readers at once break nothing."""
        await self._skip(stream, place)
        first = await _begin(stream)
        if isinstance(stream, _Threaded) or first.done() or place == len(self.chunks):
            await asyncio.wait((first,))
            _ = first.exception()
            return
        refused = (RuntimeError, StopAsyncIteration, self._error or RuntimeError)
        try:
            got: list[Any] = [await _next(stream)]
        except refused:
            got = []
        _equal(await first, self.chunks[place])
        _equal(got, self.chunks[place + 1 :][: len(got)])


async def _next(stream: AsyncIterator[Any]) -> Any:
    return await stream.__anext__()


async def _begin(stream: AsyncIterator[Any]) -> asyncio.Task[Any]:
    """Return a task that has come to its first wait for a chunk, on loops with eager tasks, too."""
    begun = asyncio.Event()

    async def read() -> Any:
        begun.set()
        return await stream.__anext__()

    task = asyncio.create_task(read())
    await begun.wait()
    return task


async def _at_its_end(stream: AsyncIterator[Any]) -> None:
    try:
        chunk = await stream.__anext__()
    except StopAsyncIteration:
        return
    raise AssertionError(f"expected the end, got {chunk!r}")


def _closable(stream: Any) -> bool:
    if isinstance(stream, _Threaded):
        return hasattr(stream.iterator, "close")
    return hasattr(stream, "aclose") or hasattr(stream, "close")


async def _close(stream: Any) -> None:
    close = getattr(stream, "aclose", None) or getattr(stream, "close", None)
    if close is not None:
        closing = close()
        if inspect.isawaitable(closing):
            await closing


def _equal(got: Any, expected: Any) -> None:
    if got != expected:
        raise AssertionError(f"expected {expected!r}, got {got!r}")
