"""The fixed words of a run: kind, outcome, and the identity that a component gives all its runs."""

from __future__ import annotations

from enum import StrEnum
from typing import final

__all__ = ["Component", "Outcome", "RunInfo"]


class Component(StrEnum):
    """What kind of thing a run executes."""

    CHAT_MODEL = "ChatModel"
    EMBEDDING = "Embedding"
    RETRIEVER = "Retriever"
    INDEXER = "Indexer"
    LOADER = "Loader"
    TRANSFORMER = "Transformer"
    PROMPT = "Prompt"
    TOOL = "Tool"
    TOOLS_NODE = "ToolsNode"
    LAMBDA = "Lambda"
    GRAPH = "Graph"
    CHAIN = "Chain"
    WORKFLOW = "Workflow"
    SERVING = "Serving"
    BATCH = "Batch"
    AGENT = "Agent"
    PASSTHROUGH = "Passthrough"

    @classmethod
    def _missing_(cls, value: object) -> Component | None:
        kinds = ", ".join(cls)
        msg = f"{value!r} is not a kind of component; the kinds are: {kinds}"
        raise ValueError(msg)


class Outcome(StrEnum):
    """How a run ended; a run has exactly one."""

    OK = "ok"
    """It gave its whole output."""
    ERROR = "error"
    """It raised, or a handler's `Abort` stopped it."""
    CANCELLED = "cancelled"
    """Its task was cancelled."""
    CLOSED = "closed"
    """The consumer of its stream stopped early."""
    INTERRUPTED = "interrupted"
    """It waits for a human's answer."""


@final
class RunInfo:
    """The identity that one component gives to all its runs.

    Cost: made once for a component; a run refers to it, so naming a run is free.
    """

    __slots__ = ("component", "name", "type")

    component: Component
    name: str
    type: str

    def __init__(self, component: Component | str, name: str, type: str = "") -> None:  # noqa: A002
        """Check the kind; `type` is the implementation ("OpenAI"), empty if there is none to name.

        Raises:
            ValueError: `component` is no known kind.
        """
        self.component = Component(component)
        self.name = name
        self.type = type

    def __repr__(self) -> str:
        """Show the three words."""
        return f"RunInfo({self.component.value!r}, {self.name!r}, {self.type!r})"
