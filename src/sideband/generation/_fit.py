"""A generation whose answer has to be a value: checked at its end, and asked for again where it is not one.

May import components and streams.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable
from dataclasses import replace
from typing import Any, Generic, TypeVar, final

from sideband.components import Message
from sideband.generation._frames import RESTART, Frame
from sideband.generation._join import FrameJoiner
from sideband.generation._request import Request
from sideband.generation._rounds import Round
from sideband.generation._structured import NoOutputError, OutputError, Wanted
from sideband.streams import Stream

__all__ = ["Fitted", "fit"]

T = TypeVar("T")


@final
class Fitted(Generic[T]):
    """What a generation's answer is to be, and what it was."""

    __slots__ = ("_error", "_values", "wanted")

    def __init__(self, wanted: Wanted[T]) -> None:
        """Wait for the answer."""
        self.wanted: Wanted[T] = wanted
        self._error: OutputError | None = None
        self._values: list[T] = []

    def take(self, joined: FrameJoiner) -> OutputError | None:
        """Read an answer; return what is wrong with it."""
        self._error = None
        try:
            self._values.append(self.wanted.value_of(joined.output))
        except OutputError as error:
            self._error = error
        return self._error

    def result(self, text: str) -> T:
        """Return the value; `text` is what came, should there be none.

        Raises:
            OutputError: the answer is not such a value, or did not come to its end.
        """
        if self._values:
            return self._values[-1]
        raise self._error or NoOutputError(text, "the stream was closed before the answer's end: no value")


async def fit(
    request: Request, ask: Callable[[Request], AsyncIterable[Frame]], fitted: Fitted[Any], repairs: int
) -> AsyncGenerator[Frame]:
    """Give the frames of an answer that is a value, or of several until one is.

    Usage comes as it is told; before the answer begins anew there is a control frame `RESTART`; the response is
    that of the last answer.

    Args:
        request: the first one.
        ask: makes the stream of an answer of its request.
        fitted: gets the value.
        repairs: how often the model is told what is wrong, and asked again.

    Raises:
        OutputError: the last answer is not such a value either.
    """
    for left in range(repairs, -1, -1):
        answer = Round()
        async with Stream(ask(request)) as stream:
            async for frame in stream:
                if answer.take(frame):
                    yield frame
        error = fitted.take(answer.joined)
        last = error is None or not left or isinstance(error, NoOutputError)
        for frame in answer.end(last=last):
            yield frame
        if error is None:
            return
        if last:
            raise error
        yield Frame.control(RESTART)
        request = _told(request, answer.joined.value, error)


def _told(request: Request, message: Message, error: OutputError) -> Request:
    """Return the request that tells a model what is wrong with its answer."""
    wrong = "\n".join(f"- {where}: {why}" for where, why in error.reasons)
    asked = Message.user(
        f"That is not the JSON that was asked for:\n{wrong}\nAnswer again, with the corrected JSON alone."
    )
    return replace(request, messages=(*request.messages, message, asked))
