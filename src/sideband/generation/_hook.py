"""Generation hooks: the vocabulary of those who think in calls of language models. May import handlers and components.

A hook is a class of its own, since its methods differ from a handler's; it becomes one where it is attached.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, final

from sideband.components import ToolCall, ToolResult
from sideband.errors import HandlerRefusedError
from sideband.generation._adapter import HookHandler, is_whole
from sideband.generation._calls import in_order
from sideband.generation._frames import Frame
from sideband.generation._info import GenerateEndInfo, GenerateStartInfo
from sideband.handlers import Bundle, only
from sideband.runs import Component

__all__ = ["GenerationHook", "compose"]

_METHODS = (
    "on_generate_start",
    "on_frame",
    "on_tool_call",
    "on_tool_result",
    "on_error",
    "on_generate_end",
)


class GenerationHook:
    """Observes generations. Override the methods that you want; the others cost nothing.

    Accepted wherever a handler is: by `callbacks`, globally, by `wrap_stream`. It sees every run of kind
    ChatModel but those right inside of another one, which are parts of that generation. A method is a plain
    function, called inline, or `async def`; one that raises is logged once for the generation, which goes on.

    Order: `on_generate_start`, then frames, calls and results as they come, then `on_error` where there is an
        error, then `on_generate_end`, exactly once. Several hooks are an onion, as handlers are; those of one
        `compose` are called in the order in which they are given.
    Cancellation: an ending is not cancelled, within the bound that handlers have.
    Closing: nothing has to be closed.
    Threads: one hook sees all generations, also concurrent ones; the methods of one generation are called one
        after the other, in a context of its own: a variable that `on_generate_start` sets is seen by the
        provider and by all that follows.
    Cost: what is overridden is found out when it is attached; about 0.5 µs a frame where `on_frame` is.
    """

    def on_generate_start(self, info: GenerateStartInfo) -> Awaitable[None] | None:
        """Called before the provider is. May raise `Abort`: then it is not called."""

    def on_frame(self, frame: Frame, elapsed: float) -> Awaitable[None] | None:
        """Called with each frame but usage and response, before the consumer has it.

        May raise `Abort`: the provider's stream is closed, the consumer does not get the frame but the `Abort`.

        Args:
            frame: what came.
            elapsed: seconds since the generation started.
        """

    def on_tool_call(self, call: ToolCall) -> Awaitable[None] | None:
        """Called when a tool is about to be executed; without an executor, when its call has come.

        A plain function where an executor tells of it, which does not wait.
        """

    def on_tool_result(self, result: ToolResult, elapsed: float) -> Awaitable[None] | None:
        """Called when a tool has been executed, well or not.

        Args:
            result: what it gave; `is_error` tells whether it failed.
            elapsed: the seconds that it took; without an executor, those since its call came.
        """

    def on_error(self, error: BaseException) -> Awaitable[None] | None:
        """Called when the generation failed, was aborted or cancelled, before `on_generate_end`."""

    def on_generate_end(self, info: GenerateEndInfo) -> Awaitable[None] | None:
        """Called last, once for each generation that started, before the consumer learns of its end."""

    def __sideband_handler__(self) -> Bundle:
        """Return the handler that is called in its place, the same each time."""
        if "_sideband_handler" not in vars(self):
            wanted = {name: method for name in _METHODS if (method := _own(self, name)) is not None}
            handler = HookHandler(self, wanted)
            bundle = only(handler, component=Component.CHAT_MODEL, when=is_whole)
            vars(self).setdefault("_sideband_handler", bundle)  # atomic: every thread gets the same
        made: Bundle = vars(self)["_sideband_handler"]
        return made


def _own(hook: GenerationHook, name: str) -> Callable[..., Any] | None:
    method: Callable[..., Any] = getattr(hook, name)
    inherited = getattr(GenerationHook, name)
    return None if getattr(method, "__func__", None) is inherited else method


@final
class _Composed(GenerationHook):
    """Several hooks as one."""

    def __init__(self, hooks: tuple[GenerationHook, ...]) -> None:
        self._hooks = hooks
        for name in _METHODS:
            methods = [method for hook in hooks if (method := _own(hook, name)) is not None]
            if methods:
                setattr(self, name, _fan_out(methods))

    def __repr__(self) -> str:
        return f"compose({', '.join(map(repr, self._hooks))})"


def _fan_out(methods: list[Callable[..., Any]]) -> Callable[..., Any]:
    if len(methods) == 1:
        return methods[0]

    return partial(in_order, methods)


def compose(*hooks: GenerationHook | None) -> GenerationHook | None:
    """Make one hook of several.

    Every method calls all hooks, in the order in which they are given, whatever one of them raises; then an
    `Abort` is raised, or what else went wrong, several errors as an `ExceptionGroup`.

    Args:
        hooks: None stands for no hook.

    Returns:
        None where there is none, the hook itself where there is one.

    Raises:
        HandlerRefusedError: one of them is no `GenerationHook`; `sideband.compose` takes any handlers.
    """
    kept = tuple(hook for hook in hooks if hook is not None)
    for hook in kept:
        if not isinstance(hook, GenerationHook):
            raise HandlerRefusedError(hook, "it is no GenerationHook; sideband.compose takes any handlers")
    if len(kept) < 2:
        return kept[0] if kept else None
    return _Composed(kept)
