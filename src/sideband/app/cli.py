"""The command line's outermost part: every failure becomes one line and an exit code. May import the app.

Exit codes: 0 done, 1 failed (also: nobody reads the output any more), 2 used wrongly, 130 stopped by Ctrl-C, 143 by
SIGTERM, 129 by SIGHUP.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from sideband.errors import SidebandError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        arguments: what stands behind the program's name; None for those of the process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        # A document may hold what the terminal's encoding lacks.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        code = _run(given or ["--help"])
        sys.stdout.flush()
    except SidebandError as error:
        return _fail(str(error), 1)
    except SystemExit as stop:  # how typer ends when nobody reads its output
        return stop.code if isinstance(stop.code, int) else 1
    except BrokenPipeError:
        # What is still buffered would fail again when the interpreter exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _fail("stopped", 130)
    else:
        return code


def _run(arguments: list[str]) -> int:
    try:
        # Imported here: they are an extra, and may not be installed.
        import typer  # noqa: PLC0415

        from sideband.app.commands import app  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("sideband"):
            raise
        return _fail(
            f"the command line needs {error.name!r}; install it with: pip install 'sideband[app]'", 1
        )
    # The class of all errors in usage, which has no public name of its own.
    usage_error: type[Exception] = typer.BadParameter.__bases__[0]
    try:
        result = app(arguments, prog_name="sideband", standalone_mode=False)
    except usage_error as error:
        return _fail(f"{_message(error)} (try: {_command(error)} --help)", 2)
    return result if isinstance(result, int) else 0


def _message(error: BaseException) -> str:
    formatted = getattr(error, "format_message", None)
    return " ".join(str(formatted() if formatted else error).split()).rstrip(".")


def _command(error: BaseException) -> str:
    return getattr(getattr(error, "ctx", None), "command_path", None) or "sideband"


def _fail(message: str, code: int) -> int:
    line = "".join(character if character.isprintable() else " " for character in message)
    print(f"sideband: {line}", file=sys.stderr)  # noqa: T201 - this is the command line's voice
    return code
