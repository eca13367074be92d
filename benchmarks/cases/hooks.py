"""What watching costs: calls, chunks."""

from __future__ import annotations

from benchmarks.harness.case import Case

CASES = (
    Case(
        "call",
        "calls",
        "Asynchronous call",
        targets={0: 0.2, 1: 3.0, 3: 6.0},
        about="Await a coroutine function that returns its argument; each handler counts the start and the end.",
    ),
    Case(
        "call_sync",
        "calls",
        "Synchronous call",
        targets={0: 0.2, 1: 3.0, 3: 6.0},
        about="The same with a function.",
    ),
    Case(
        "chunk",
        "chunks",
        "Chunk of an asynchronous stream",
        unit="µs a chunk",
        least=1000,
        targets={0: 0.1, 1: 0.7, 3: 1.2},
        about="Read a stream of thousands of chunks; each handler counts the chunks.",
    ),
)
