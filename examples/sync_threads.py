"""A synchronous program with many threads shares one batch server; each thread's runs have the right parent."""

from concurrent.futures import ThreadPoolExecutor

from sideband import Handler, Run, callbacks, observe, propagate
from sideband.serving import Batch, serving


@serving(batch_size=16, batch_timeout=0.02)
def square(batch: Batch[int]) -> list[int]:
    """Square each number."""
    return [number * number for number in batch]


class Parents(Handler):
    """Counts the calls of the server by the run that caused them."""

    def __init__(self) -> None:
        """Start with no calls."""
        self.calls: dict[str, int] = {}

    def on_start(self, run: Run, input: object) -> None:
        """Count a call."""
        if run.component == "Serving":
            caller = run.parent.name if run.parent else "nobody"
            self.calls[caller] = self.calls.get(caller, 0) + 1


parents = Parents()
with square, callbacks(parents), ThreadPoolExecutor(16) as pool, observe("report"):
    # A thread of a pool starts with an empty scope; `propagate` binds this one to the function.
    squares = list(pool.map(propagate(square.dispatch_sync), range(100)))

stats = square.stats()
print(f"sum of squares: {sum(squares)}")
print(f"{stats.items} items in {stats.batches} batches, {stats.mean_batch_size:.1f} items each")
print(f"calls by caller: {parents.calls}")
