"""A handler that prints the tree of runs, with times, tokens and cost."""

from typing import Any

from sideband import Handler, Run

DOLLARS_A_TOKEN = 0.000_002


class Tree(Handler):
    """Prints each run below the one that it is in, once the outermost one has ended."""

    def __init__(self) -> None:
        """Start without runs."""
        self.runs: list[Run] = []

    def on_start(self, run: Run, input: Any) -> None:
        """Keep the run."""
        self.runs.append(run)

    def on_end(self, run: Run, output: Any) -> None:
        """Print them all."""
        if run.parent is None:
            self.print(None, "")

    def print(self, parent: Run | None, indent: str) -> None:
        """Print what is inside of a run."""
        for run in self.runs:
            if run.parent is parent:
                tokens = (run.usage.input_tokens or 0) + (run.usage.output_tokens or 0) if run.usage else 0
                spent = f"  {tokens} tokens  ${tokens * DOLLARS_A_TOKEN:.6f}" if tokens else ""
                inside = parent is not None and run.path == parent.path
                name = run.path[-1] if run.path and not inside else run.name
                print(f"{indent}{run.component} {name}  {run.elapsed * 1000:.1f} ms{spent}")
                self.print(run, indent + "  ")
