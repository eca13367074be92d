"""What the tests of interruptions share, and a program that is killed while it waits: python waiting.py FILE COMMAND."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from sideband.errors import Interrupted
from sideband.graph import END, START, Graph, Runnable, SqliteCheckpoints, interrupt


def plan(value: str) -> str:
    """Leave a trace, so that it can be told how often it was executed."""
    with Path(os.environ["TRACE"]).open("a", encoding="utf-8") as file:
        file.write("plan\n")
    return value.upper()


def approve(value: str) -> str:
    return f"{value}: {interrupt({'approve': value})}"


def send(value: str) -> str:
    """Die on the way, if that is wanted."""
    if os.environ.get("DIE") == "in send":
        os.kill(os.getpid(), signal.SIGKILL)
    return f"sent {value}"


def graph(path: str | os.PathLike[str]) -> Runnable[str, str]:
    made = Graph[str, str]("mail").add_node("plan", plan).add_node("approve", approve).add_node("send", send)
    made.add_edge(START, "plan").add_edge("plan", "approve").add_edge("approve", "send").add_edge("send", END)
    return made.compile(checkpoints=SqliteCheckpoints(path))


def main(path: str, command: str, *arguments: Any) -> None:
    try:
        runnable = graph(path)
        result = runnable.invoke_sync(*arguments) if command == "invoke" else runnable.resume_sync(*arguments)
    except Interrupted as waiting:
        sys.stdout.write(waiting.id + "\n")
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    else:
        sys.stdout.write(result + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
