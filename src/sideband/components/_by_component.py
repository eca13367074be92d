"""Handlers by kind of component, with that kind's own typed payloads. May import handlers and runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypedDict, Unpack, final

from sideband.components._wrap import CONVERSIONS, Conversion
from sideband.handlers import Bundle, Entry, Handler, HandlerLike, entries, only
from sideband.handlers._handler import TIMINGS, override
from sideband.runs import Component, Run

__all__ = ["HandlersByKind", "by_component"]


class HandlersByKind(TypedDict, total=False):
    """What `by_component` takes: a handler for each kind that is to be watched."""

    chat_model: HandlerLike | None
    prompt: HandlerLike | None
    embedding: HandlerLike | None
    indexer: HandlerLike | None
    retriever: HandlerLike | None
    loader: HandlerLike | None
    transformer: HandlerLike | None
    tool: HandlerLike | None
    tools_node: HandlerLike | None
    graph: HandlerLike | None
    chain: HandlerLike | None
    workflow: HandlerLike | None
    lambda_: HandlerLike | None
    passthrough: HandlerLike | None
    serving: HandlerLike | None
    batch: HandlerLike | None
    agent: HandlerLike | None


_KINDS: dict[str, Component] = {kind.name.lower(): kind for kind in Component if kind is not Component.LAMBDA}
_KINDS["lambda_"] = Component.LAMBDA


def by_component(**handlers: Unpack[HandlersByKind]) -> Bundle:
    """Make one handler of several, each for one kind of component, with that kind's typed payloads.

    ```python
    by_component(
        retriever=handler(on_end=lambda run, found: print(len(found.documents))),
        chat_model=handler(on_end=lambda run, answer: print(answer.message.text, answer.usage)),
    )
    ```

    A chat model's handler gets a `ChatModelInput` and a `ChatModelOutput`, and so on for prompt,
    embedding, retriever, indexer, loader, transformer and tool, also where the component takes and
    gives bare values: a text, a list of texts or documents, a mapping of its arguments. What no
    payload can be made of without losing something is passed as it is, and so are chunks and
    streams, whose chunks are whatever the component gives. The other kinds have no payloads of their
    own, and their handlers get what the component took and gave.

    Args:
        handlers: by the kind's name in small letters (`lambda_` for Lambda), anything that can be
            attached; None for none.

    Order: within one kind as without `by_component`.
    Cost: timings that the inner handler does not override are not wanted, which is found out here;
        making a payload takes 1 to 5 µs a run, and only where a bare value has to be wrapped.

    Raises:
        HandlerRefusedError: one of them is no handler, or one that cannot work.
        TypeError: there is no such kind.
    """
    unknown = [name for name in handlers if name not in _KINDS]
    if unknown:
        raise TypeError(
            f"by_component has no kind {unknown[0]!r}; the kinds are: {', '.join(sorted(_KINDS))}"
        )
    found: list[Entry] = []
    for name, candidate in handlers.items():
        if candidate is None:
            continue
        kind = _KINDS[name]
        inside = entries(only(candidate, component=kind))  # type: ignore[arg-type] # the values are such
        found += [entry._replace(handler=_typed(entry.handler, kind)) for entry in inside]
    return Bundle(found)


def _typed(handler: Handler, kind: Component) -> Handler:
    if kind not in CONVERSIONS:
        return handler
    return _TypedHandler(handler, *CONVERSIONS[kind])


@final
class _TypedHandler(Handler):
    """A handler that gets a kind's typed payloads in place of bare values."""

    def __init__(self, inner: Handler, of_input: Conversion, of_output: Conversion) -> None:
        """Take over what the inner handler wants, and no more."""
        self._inner = inner
        self.wants_output = inner.wants_output
        self.max_lag = inner.max_lag
        self.overflow = inner.overflow
        conversions = {"on_start": of_input, "on_end": of_output}
        for timing in TIMINGS:
            method = override(inner, timing)
            if method is not None:
                conversion = conversions.get(timing)
                setattr(self, timing, method if conversion is None else _converting(method, conversion))

    def __repr__(self) -> str:
        """Show the inner handler."""
        return repr(self._inner)


def _converting(
    method: Callable[[Run, Any], Awaitable[None] | None], convert: Conversion
) -> Callable[[Run, Any], Any]:
    return lambda run, payload: method(run, convert(run, payload))
