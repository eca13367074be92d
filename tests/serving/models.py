"""Models that worker processes import: what they are told to do comes with the items."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from sideband.components import Usage
from sideband.serving import Batch, serving

Command = tuple[str, Any]

VARIABLE: ContextVar[str] = ContextVar("variable", default="nobody's")


class AwkwardError(Exception):
    """An exception that cannot be made again from its arguments, as many are that have an `__init__`."""

    def __init__(self, code: int, *, reason: str) -> None:
        super().__init__(f"{code}: {reason}")


class Unreadable:
    """What can be pickled, but not be made again."""

    def __reduce__(self) -> Any:
        return int, ("no number",)


def wait_for(path: str) -> None:
    """Wait until a file is there."""
    pause = threading.Event()
    while not Path(path).exists():
        pause.wait(0.005)


def hang(path: str, *, deaf: bool = False) -> None:
    """Write the process's number to a file, and wait for longer than any test; deaf to SIGTERM if so told."""
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(path).write_text(str(os.getpid()), encoding="utf-8")
    threading.Event().wait(60)


def surroundings() -> dict[str, Any]:
    """Tell what this process has of its parent's."""
    files = [
        os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if fd.isdigit() and _open(fd)
    ]
    return {
        "threads": [thread.name for thread in threading.enumerate()],
        "files": files,
        "variable": VARIABLE.get(),
    }


def _open(fd: str) -> bool:
    return Path(f"/proc/self/fd/{fd}").is_symlink()


def _raise(error: BaseException) -> Any:
    raise error


DO: dict[str, Any] = {
    "say": lambda value: value,
    "pid": lambda _: os.getpid(),
    "exit": os._exit,
    "leave": lambda code: _raise(SystemExit(code)),
    "signal": lambda number: os.kill(os.getpid(), number),
    "raise": _raise,
    "raise awkward": lambda code: _raise(AwkwardError(code, reason="awkward")),
    "give awkward": lambda code: AwkwardError(code, reason="awkward"),
    "give": lambda error: error,
    "lock": lambda _: threading.Lock(),
    "unreadable": lambda _: Unreadable(),
    "hang": hang,
    "hang deaf": lambda path: hang(path, deaf=True),
    "wait": wait_for,
    "surroundings": lambda _: surroundings(),
}


def obey(batch: Batch[Command]) -> list[Any]:
    """Do what each item says."""
    return [DO[command](argument) for command, argument in batch]


def tell(batch: Batch[Any]) -> list[Any]:
    """Emit each item, tell who listens, and what it cost; then do what each says."""
    if batch[0][0] == "emit lock":
        batch.emit("progress", [threading.Lock()])
    batch.emit("progress", [argument for _, argument in batch])
    batch.usage = [Usage(input_tokens=len(command)) for command, _ in batch]
    return [
        batch.wants("progress") if command == "wants" else DO[command](argument)
        for command, argument in batch
    ]


class Model:
    """A model with state: it knows its partition and its process."""

    def setup(self, partition: int) -> None:
        self.place = (partition, os.getpid())

    def handle_batch(self, batch: Batch[Any]) -> list[Any]:
        return [(self.place, item) for item in batch]


class Asynchronous:
    """A model that keeps to the loop on which it was set up."""

    async def setup(self, partition: int) -> None:
        self.loop = asyncio.get_running_loop()

    async def handle_batch(self, batch: Batch[int]) -> list[int]:
        assert asyncio.get_running_loop() is self.loop
        await asyncio.sleep(0)
        return [2 * item for item in batch]


class Counted:
    """A model that appends a line to a file at each set-up, and from the second on does what its name says."""

    def __init__(self, path: str) -> None:
        self.path = path

    def setup(self, partition: int) -> None:
        with Path(self.path).open("a", encoding="utf-8") as file:
            file.write("set up\n")
        again = len(Path(self.path).read_text(encoding="utf-8").splitlines()) > 1
        if "dies" in self.path and (again or "always" in self.path):
            os._exit(7)
        if "raises" in self.path and (again or "always" in self.path):
            raise LookupError("no weights")

    def handle_batch(self, batch: Batch[Command]) -> list[Any]:
        return obey(batch)


class Meets:
    """A model whose set-up waits for those of the other partitions."""

    def __init__(self, folder: str, partitions: int) -> None:
        self.folder = folder
        self.partitions = partitions

    def setup(self, partition: int) -> None:
        Path(self.folder, str(partition)).touch()
        for other in range(self.partitions):
            wait_for(os.path.join(self.folder, str(other)))

    def handle_batch(self, batch: Batch[Any]) -> list[Any]:
        return list(batch)


class Hangs:
    """A model whose set-up never ends."""

    def __init__(self, path: str) -> None:
        self.path = path

    def setup(self, partition: int) -> None:
        hang(self.path)

    def handle_batch(self, batch: Batch[Any]) -> list[Any]:
        return list(batch)


@serving(executor="process", name="decorated")
def decorated(batch: Batch[int]) -> list[int]:
    """Give each number twice; its name in this module is that of the serving."""
    return [2 * item for item in batch]


def replaced(batch: Batch[int]) -> list[int]:
    """Stand for a function whose name something else has taken."""
    return list(batch)


original, replaced = replaced, obey  # type: ignore[assignment]


def nested() -> Any:
    """Return a function that no other process can import."""

    def inner(batch: Batch[int]) -> list[int]:
        return list(batch)

    return inner


def short(batch: Batch[int]) -> list[int]:
    """Give one result too few."""
    return list(batch)[1:]
