"""A handler that takes its time does not hold up what it watches: its calls wait for a thread of their own."""

import time
from collections.abc import Iterator

from sideband import Handler, Run, background, callbacks, component


class Ledger(Handler):
    """Writes to something slow, a hundredth of a second a call."""

    def __init__(self) -> None:
        """Start with an empty page."""
        self.lines: list[str] = []

    def on_start(self, run: Run, input: object) -> None:
        """Note a start."""
        self._write(f"{run.name} starts")

    def on_chunk(self, run: Run, chunk: str) -> None:
        """Note a word."""
        self._write(chunk)

    def on_end(self, run: Run, output: object) -> None:
        """Note an end."""
        self._write(f"{run.name} ends")

    def _write(self, line: str) -> None:
        time.sleep(0.01)
        self.lines.append(line)


@component("ChatModel")
def tell(count: int) -> Iterator[str]:
    """Tell numbers, as fast as one can."""
    for number in range(count):
        yield f"word {number}"


def timed(handler: Handler | background, count: int) -> float:
    """Return how many seconds the program takes under a handler."""
    started = time.perf_counter()
    with callbacks(handler):
        for _ in tell(count):
            pass
    return time.perf_counter() - started


in_place = timed(Ledger(), 50)
with background(Ledger()) as behind:
    apart = timed(behind, 50)
print(f"at least ten times as fast: {in_place > 10 * apart}")
print(f"{behind.delivered} calls delivered, {behind.dropped} dropped")

# With room for ten calls the ledger sees the last words of a thousand; the start and the end in any case.
ledger = Ledger()
with background(ledger, max_events=10) as behind:
    timed(behind, 1000)
print(f"{behind.delivered + behind.dropped} calls, the last three: {ledger.lines[-3:]}")
print(f"the first: {ledger.lines[0]!r}")
