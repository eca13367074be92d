"""One hook counts the tokens of several answers, and learns how each of them ended."""

import asyncio
from collections.abc import AsyncIterator

from sideband import Abort, callbacks
from sideband.components import Message, Usage
from sideband.generation import Frame, GenerateEndInfo, GenerationHook, Request, ResponseMeta, wrap_stream


class Parrot:
    """Stand in for a provider: says the question again, word by word."""

    name = "parrot"

    async def generate(self, request: Request) -> AsyncIterator[Frame]:
        """Stream the answer."""
        words = request.messages[-1].text.split()
        yield Frame.usage(Usage(input_tokens=len(words)))
        for word in words:
            yield Frame.text(word + " ")
            yield Frame.usage(Usage(output_tokens=1))
        yield Frame.response(ResponseMeta("parrot-1", "stop"))


class Meter(GenerationHook):
    """Adds up the tokens of all answers, and stops one that swears."""

    def __init__(self) -> None:
        """Start with nothing used."""
        self.used = Usage()

    def on_frame(self, frame: Frame, elapsed: float) -> None:
        """Look at what is said."""
        if frame.content == "damn ":
            raise Abort("watch your language")

    def on_generate_end(self, info: GenerateEndInfo) -> None:
        """Say how it ended; this comes once, whatever happened."""
        self.used += info.usage
        print(f"{info.request_id}: {info.outcome}, {info.usage.output_tokens} tokens, {info.finish_reason}")


async def ask(name: str, question: str, words: int | None = None) -> None:
    """Read an answer, or its first words."""
    request = Request((Message.user(question),), model="parrot")
    stream = wrap_stream(Parrot().generate(request), model=request.model, provider="parrot", request_id=name)
    said: list[str] = []
    async with stream:
        async for frame in stream:
            if frame.kind == "text":
                said.append(frame.content)
            if len(said) == words:
                break


async def main() -> None:
    """Read one answer whole, one in part, and one that is stopped."""
    meter = Meter()
    with callbacks(meter):
        await ask("whole", "the carrier goes its way")
        await ask("in part", "the sideband travels beside the carrier", words=2)
        try:
            await ask("stopped", "say damn it")
        except Abort as stopped:
            print(f"the consumer gets {stopped!r}")
    print(f"all: {meter.used.input_tokens} tokens in, {meter.used.output_tokens} out")


asyncio.run(main())
