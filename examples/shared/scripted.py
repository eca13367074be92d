"""A stand-in for a provider, so that examples run anywhere: says what a function makes of what it is asked."""

import asyncio
from collections.abc import AsyncIterator, Callable

from sideband.components import Usage
from sideband.generation import Frame, Request, ResponseMeta


class Scripted:
    """Streams a function's answer word by word; `sideband.providers.load("openai", "…")` would stand in its place."""

    def __init__(self, name: str, answer: Callable[[Request], str], seconds_a_word: float = 0.002) -> None:
        """Take the function, and how fast it speaks."""
        self.name = name
        self._answer = answer
        self._pause = seconds_a_word

    async def generate(self, request: Request) -> AsyncIterator[Frame]:
        """Stream the answer."""
        words = self._answer(request).split()
        for place, word in enumerate(words):
            await asyncio.sleep(self._pause)
            yield Frame.text(" " * (place > 0) + word)
        asked = sum(len(message.text.split()) for message in request.messages)
        yield Frame.usage(Usage(input_tokens=asked, output_tokens=len(words)))
        yield Frame.response(ResponseMeta(self.name, "stop"))
