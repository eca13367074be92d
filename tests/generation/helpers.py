"""What the tests of generations share: a hook that notes all it is told, and providers' streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sideband.components import ToolCall, ToolResult, Usage
from sideband.generation import Frame, GenerateEndInfo, GenerateStartInfo, GenerationHook, ResponseMeta

TEXT = [Frame.text("a"), Frame.text("b")]
USED = Usage(input_tokens=3, output_tokens=2)
RESPONSE = Frame.response(ResponseMeta("m-1", "stop", "r-1"))
WHOLE = [*TEXT, Frame.usage(USED), RESPONSE]


class Noting(GenerationHook):
    """Notes every call, into a list that several hooks may share."""

    def __init__(self, name: str = "", calls: list[tuple[Any, ...]] | None = None) -> None:
        self.name = name
        self.calls: list[tuple[Any, ...]] = [] if calls is None else calls

    def note(self, *call: Any) -> None:
        """Keep a call, with the hook's name in front if it has one."""
        self.calls.append((self.name, *call) if self.name else call)

    def on_generate_start(self, info: GenerateStartInfo) -> None:
        self.note("start", info)

    def on_frame(self, frame: Frame, elapsed: float) -> None:
        self.note("frame", frame)

    def on_tool_call(self, call: ToolCall) -> None:
        self.note("call", call)

    def on_tool_result(self, result: ToolResult, elapsed: float) -> None:
        self.note("result", result, elapsed)

    def on_error(self, error: BaseException) -> None:
        self.note("error", error)

    def on_generate_end(self, info: GenerateEndInfo) -> None:
        self.note("end", info)

    @property
    def names(self) -> list[str]:
        """Which methods were called."""
        return [call[0] for call in self.calls]

    @property
    def frames(self) -> list[Frame]:
        """The frames that it was told of."""
        return [call[1] for call in self.calls if call[0] == "frame"]

    @property
    def started(self) -> GenerateStartInfo:
        """What the only start said."""
        (info,) = [call[1] for call in self.calls if call[0] == "start"]
        assert isinstance(info, GenerateStartInfo)
        return info

    @property
    def ended(self) -> GenerateEndInfo:
        """What the only end said, which came last."""
        (info,) = [call[1] for call in self.calls if call[0] == "end"]
        assert self.calls[-1] == ("end", info)
        assert isinstance(info, GenerateEndInfo)
        return info


class Source:
    """A provider's stream that tells whether it was closed, and how far it was pulled."""

    def __init__(self, frames: Sequence[Any], error: BaseException | None = None) -> None:
        self.frames = frames
        self.error = error
        self.pulled = 0
        self.closed = False
        self.stream = self._stream()

    async def _stream(self) -> AsyncIterator[Any]:
        try:
            for frame in self.frames:
                self.pulled += 1
                yield frame
            if self.error is not None:
                raise self.error
        finally:
            self.closed = True


async def read(stream: AsyncIterator[Any]) -> list[Any]:
    """Return all that a stream gives."""
    return [frame async for frame in stream]
