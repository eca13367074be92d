"""A model that fails now and then, asked again, by several who want the same, and raced against a slower one."""

import asyncio
from collections.abc import AsyncIterator

from sideband import Handler, Run
from sideband.components import Usage
from sideband.generation import (
    Frame,
    OverloadedError,
    Request,
    ResponseMeta,
    Retried,
    Runtime,
    cache,
    race,
    retry,
    timeout,
)


class Model:
    """Stand in for a provider: answers after a while, and fails the first times that it is asked."""

    def __init__(self, name: str, seconds: float, failures: int = 0) -> None:
        """Say how slow it is, and how often it fails."""
        self.name = name
        self.seconds = seconds
        self.failures = failures
        self.asked = 0

    async def generate(self, request: Request) -> AsyncIterator[Frame]:
        """Stream the answer."""
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if self.asked <= self.failures:
            raise OverloadedError("too busy", provider=self.name)
        for word in f"{self.name} says: {request.messages[-1].text}".split():
            yield Frame.text(word + " ")
        yield Frame.usage(Usage(input_tokens=4, output_tokens=6, cost=0.01))
        yield Frame.response(ResponseMeta(self.name, "stop"))


class Attempts(Handler):
    """Tells of attempts that failed."""

    def on_event(self, run: Run, name: str, payload: object) -> None:
        """Look at the events of `retry`."""
        if isinstance(payload, Retried):
            print(f"attempt {payload.attempt}: {payload.error}; again in {payload.delay:.2f} s")


async def main() -> None:
    """Ask three times at once, and once more."""
    quick, slow = Model("quick", 0.01, failures=2), Model("slow", 5.0)
    steady = retry(timeout(quick, first_frame=1.0), initial_delay=0.02)
    runtime = Runtime(cache(race(steady, slow), scope=None), hooks=[Attempts()])

    streams = [runtime.generate("good morning") for _ in range(3)]
    answers = await asyncio.gather(*(stream.text() for stream in streams))
    again = runtime.generate("good morning")
    answers.append(await again.text())

    print(f"{len(answers)} answers: {set(answers)}")
    print(f"quick was asked {quick.asked} times, slow {slow.asked} times")
    print(f"paid: {sum(stream.usage.cost or 0 for stream in [*streams, again])} dollars")


asyncio.run(main())
