"""A real language model, offline: it asks for a tool, gets the result, and one hook sees all of it."""

import asyncio

from sideband.components import ToolCall, ToolResult
from sideband.generation import Frame, GenerateEndInfo, GenerationHook, Options, Request, Runtime, tool
from sideband.providers import LocalModel


@tool
def get_weather(city: str) -> str:
    """Tell the weather in a city."""
    return f"Rain all day in {city}, 12 degrees."


class Printer(GenerationHook):
    """Prints what happens, as it happens."""

    def on_frame(self, frame: Frame, elapsed: float) -> None:
        """Show the text as it is written."""
        if frame.kind == "text":
            print(frame.content, end="", flush=True)

    def on_tool_call(self, call: ToolCall) -> None:
        """Say which tool the model wants."""
        print(f"calls {call.name}({call.parsed})")

    def on_tool_result(self, result: ToolResult, elapsed: float) -> None:
        """Say what it gave."""
        print(f"gets {result.text!r}")

    def on_generate_end(self, info: GenerateEndInfo) -> None:
        """Say what it came to."""
        print(f"\n{info.model}: {info.finish_reason}, {info.usage.output_tokens} tokens")


async def main() -> None:
    """Ask one question."""
    question = Request.of("How is the weather in Rome today?")
    options = Options(temperature=0, max_tokens=60)
    async with LocalModel(prompt_cache=False) as model:
        runtime = Runtime(model, hooks=[Printer()], tools=[get_weather])
        async with runtime.generate(Request(question.messages, options=options)) as stream:
            async for _ in stream:
                pass


asyncio.run(main())
