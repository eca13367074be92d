"""What can go wrong before a model answers. May import errors.

SidebandError
├── UnknownProviderError        (LookupError) no provider has the name
├── LocalModelError             the embedded model is not there; `log` has its last lines
│   ├── LocalModelStartError        (RuntimeError) it could not be loaded, or could not listen
│   ├── LocalModelTimeoutError      (TimeoutError) it was not ready in time
│   └── LocalModelNotRunningError   (RuntimeError) its address was asked for while it did not run
└── ModelFileNotFoundError      (FileNotFoundError) the file with its weights is not there
"""

from __future__ import annotations

from collections.abc import Iterable

from sideband.errors import SidebandError

__all__ = [
    "LocalModelError",
    "LocalModelNotRunningError",
    "LocalModelStartError",
    "LocalModelTimeoutError",
    "ModelFileNotFoundError",
    "UnknownProviderError",
]


class UnknownProviderError(SidebandError, LookupError):
    """A provider was asked for by a name that none has."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        """List the names that there are."""
        self.name = name
        self.known: tuple[str, ...] = tuple(known)
        super().__init__(f"there is no provider {name!r}; there are: {', '.join(map(repr, self.known))}")


class LocalModelError(SidebandError):
    """The root of what the embedded model raises; `log` is what its process wrote last."""

    def __init__(self, message: str, log: Iterable[str] = ()) -> None:
        """Say what happened, with the last lines of the process where there are any."""
        self.log: tuple[str, ...] = tuple(log)
        told = "\n".join(f"  {line}" for line in self.log)
        super().__init__(f"{message}; its process wrote last:\n{told}" if told else message)


class LocalModelStartError(LocalModelError, RuntimeError):
    """The process of the model ended before it could answer."""

    def __init__(self, path: str, reason: str, log: Iterable[str]) -> None:
        """Name the model's file and what went wrong."""
        super().__init__(f"the model {path!r} could not be started: {reason}", log)
        self.path = path
        self.reason = reason


class LocalModelTimeoutError(LocalModelError, TimeoutError):
    """The model was not ready in time; its process was ended."""

    def __init__(self, path: str, timeout: float, log: Iterable[str]) -> None:
        """Tell the limit, in seconds."""
        super().__init__(
            f"the model {path!r} was not ready within start_timeout={timeout!r} s; raise it where the machine is busy",
            log,
        )
        self.path = path
        self.timeout = timeout


class LocalModelNotRunningError(LocalModelError, RuntimeError):
    """The model is not running: it was not started, was closed, or its process has ended by itself."""

    def __init__(self, exit_code: int | None, log: Iterable[str] = ()) -> None:
        """Say how it ended, if it did, and how to start it."""
        ended = "" if exit_code is None else f" (its process ended by itself with exit code {exit_code})"
        super().__init__(
            f"the model is not running{ended}; enter it with `async with` or `with`, or call `start()`", log
        )
        self.exit_code = exit_code


class ModelFileNotFoundError(SidebandError, FileNotFoundError):
    """The file with the model's weights is not there."""

    def __init__(self, path: str | None, hint: str) -> None:
        """Name the file and what to do."""
        where = (
            "the embedded model's weights are not installed" if path is None else f"there is no file {path!r}"
        )
        super().__init__(f"{where}; {hint}")
        self.path = path
