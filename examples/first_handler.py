"""A handler sees every run of a block: what started, what it was given, how it ended, and who caused it."""

import sideband
from sideband import Handler, Run, callbacks, component


class Narrator(Handler):
    """Tells what happens, indented by how deep in the program it happens."""

    def on_start(self, run: Run, input: object) -> None:
        """Tell of a start."""
        print(f"{indent(run)}{run.component} {run.name} starts with {input!r}")

    def on_event(self, run: Run, name: str, payload: object) -> None:
        """Tell of an event that the component emitted."""
        print(f"{indent(run)}  {name}: {payload!r}")

    def on_end(self, run: Run, output: object) -> None:
        """Tell of a good end."""
        print(f"{indent(run)}{run.component} {run.name} gives {output!r}")

    def on_error(self, run: Run, error: BaseException) -> None:
        """Tell of a bad one."""
        print(f"{indent(run)}{run.component} {run.name} fails with {error!r}")


def indent(run: Run) -> str:
    """Return two spaces for each run around this one."""
    depth = 0
    while run.parent is not None:
        run, depth = run.parent, depth + 1
    return "  " * depth


@component("Tool")
def look_up(word: str) -> str:
    """Look a word up in a dictionary of one word."""
    meanings = {"sideband": "a signal beside the carrier"}
    sideband.emit("looking", {"words_known": len(meanings)})
    return meanings[word]


@component("Agent")
def answer(question: str) -> str:
    """Answer with the meaning of a question's last word."""
    try:
        return look_up(question.rsplit(maxsplit=1)[-1])
    except KeyError:
        return "I do not know."


with callbacks(Narrator()):
    answer("what is a sideband")
    print()
    answer("what is a carrier")
