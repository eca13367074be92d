"""Handlers that LangChain and LangGraph share. They run inline: LangChain's lightest way, with no thread for each event."""

from __future__ import annotations

from typing import Any

from benchmarks.harness.work import Counter
from langchain_core.callbacks import BaseCallbackHandler


class Calls(BaseCallbackHandler):
    """Counts starts and ends."""

    run_inline = True

    def __init__(self, counter: Counter) -> None:
        self.counter = counter

    def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
        self.counter.seen += 1

    def on_chain_end(self, *args: Any, **kwargs: Any) -> None:
        self.counter.seen += 1


class Tokens(BaseCallbackHandler):
    """Counts chunks of a chat model."""

    run_inline = True

    def __init__(self, counter: Counter) -> None:
        self.counter = counter

    def on_llm_new_token(self, token: str, **kwargs: Any) -> None:
        self.counter.seen += 1


def config(handlers: list[BaseCallbackHandler]) -> Any:
    """Return what a call is configured with."""
    return {"callbacks": handlers} if handlers else None
