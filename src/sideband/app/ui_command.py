"""`sideband ui`: the web page from the command line. May import the web page."""

from __future__ import annotations

import secrets
import socket
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import typer
from rich.text import Text

from sideband.app.screen import errors_console, output_console, store_path
from sideband.app.stopping import Stopping
from sideband.app.web.answering import Model
from sideband.app.web.server import is_local, listen, serve
from sideband.app.web.site import Settings, Site

__all__ = ["UiOptions", "run_ui"]

_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not listened on


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class UiOptions:
    """What was typed."""

    folders: Sequence[Path]
    store: Path | None
    model: str | None
    answers: Model
    host: str
    port: int
    token: str | None
    open: bool


def run_ui(options: UiOptions) -> int:
    """Serve the page until Ctrl-C, and return the exit code.

    Raises:
        typer.BadParameter: a folder does not exist, or the token is too short.
        AddressError: the port is taken.
    """
    for path in options.folders:
        if not path.exists():
            raise typer.BadParameter(f"there is no file or folder {str(path)!r}")
    settings = Settings(
        store=store_path(options.store),
        model=options.model,
        answers=options.answers,
        folders=tuple(options.folders),
    )
    with listen(options.host, options.port) as listener, Stopping() as stopping:
        token = options.token or (None if is_local(listener) else secrets.token_urlsafe(24))
        address = _address(options.host, listener, token)
        try:
            serve(
                Site(settings), listener, token=token, started=lambda: _tell(address, settings, options.open)
            )
        except KeyboardInterrupt:
            errors_console().print("stopped")
            return stopping.code
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    return 0


def _address(host: str, listener: socket.socket, token: str | None) -> str:
    name = socket.gethostname() if host in _ANYWHERE else host
    name = f"[{name}]" if ":" in name else name
    return f"http://{name}:{listener.getsockname()[1]}/" + (f"?token={token}" if token else "")


def _tell(address: str, settings: Settings, wanted: bool) -> None:
    console = output_console()
    console.print(Text.assemble("Sideband is at ", (address, "bold")), soft_wrap=True)
    console.print(
        Text(f"It keeps its index in {settings.store}. Ctrl-C ends it.", style="dim"), soft_wrap=True
    )
    if wanted:
        webbrowser.open(address)
