"""Serves the web page until somebody ends it. May import uvicorn and the web page."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import final

import uvicorn

from sideband.app.errors import AppError
from sideband.app.web.application import application
from sideband.app.web.site import Site

__all__ = ["AddressError", "is_local", "listen", "serve"]

_THREADS = 16
"""Reading, writing and searching; the standard number is too small for four jobs on a machine with two processors."""
_CLOSE_SECONDS = 5
_MOST_CONNECTIONS = 256


class AddressError(AppError, OSError):
    """The page cannot be served at an address."""

    def __init__(self, host: str, port: int, detail: str) -> None:
        """Pass on what the system says."""
        super().__init__(
            f"cannot listen on port {port} of {host!r}: {detail}; name another with --port, or 0 for a free one"
        )
        self.host = host
        self.port = port


def listen(host: str, port: int) -> socket.socket:
    """Take a port of an address.

    Raises:
        AddressError: it is taken, or the address is none of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise AddressError(host, port, error.strerror or str(error)) from error


def serve(site: Site, listener: socket.socket, *, token: str | None, started: Callable[[], None]) -> None:
    """Serve a site's pages; `started` is called when they can be had.

    Raises:
        KeyboardInterrupt: Ctrl-C, or another signal to end, did; everything has been closed in good order.
    """
    config = uvicorn.Config(
        application(site, token=token),
        log_config=None,
        access_log=False,
        server_header=False,
        # Who a client is decides what it may do, so nobody else's word is taken for it.
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_CLOSE_SECONDS,
    )
    _Server(config, site, started).run([listener])


def is_local(listener: socket.socket) -> bool:
    """Tell whether only this machine can reach it."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


@final
class _Server(uvicorn.Server):
    """Ends the pages' streams before it waits for their connections."""

    def __init__(self, config: uvicorn.Config, site: Site, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._site = site
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="sideband")
        asyncio.get_running_loop().set_default_executor(executor)
        await super().startup(sockets)
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._site.close()
        await super().shutdown(sockets)
