"""Who may look at a page: ASGI middleware that knows neither the page nor its framework. Imports errors alone.

1. Without a token only clients on this machine may look, by a name of this machine, so that no web site can
   reach the page by letting a name of its own point here (DNS rebinding). What came through a proxy counts
   as from elsewhere.
2. With a token everybody has to give it: `Authorization: Bearer …`, or once as `?token=…`, after which the
   browser has a cookie. The cookie holds no token.
3. No other site's page may ask for anything, or frame a page; following a link to a page is allowed.
4. Every answer carries a policy that lets the browser load from this server alone, and no script in a page.
"""

from __future__ import annotations

import hashlib
import hmac
import html
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, TypeAlias, final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

__all__ = ["SECURITY_HEADERS", "ASGIApp", "Access"]

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

SECURITY_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    # Not "no-referrer", which would take the origin away from the page's own forms, too.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""What every answer carries, unless the application has set it."""

_PROXIED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
_PASSED = "sideband.access"
"""In the scope of a request that was let in, so that a page inside of another one does not ask again."""

_WEEK = 7 * 24 * 3600


@final
class Access:
    """Lets in who may look at an application, and nobody else.

    ```python
    app = Access(app)                       # this machine alone
    app = Access(app, token="…")            # from anywhere, with the token
    ```

    Order: outside of the application, so that nothing of a refused request reaches it.
    Cancellation, closing: as of the application.
    Threads: none of its own; it changes nothing after it was made.
    Cost: some string comparisons a request, no wait.
    """

    def __init__(self, app: ASGIApp, *, token: str | None = None, hosts: Iterable[str] = ()) -> None:
        """Guard an application.

        Args:
            app: the application, for instance one of Starlette or FastAPI.
            token: what everybody has to give; without it only clients on this machine are let in.
            hosts: further names, without a port, by which this server may be called without a token.

        Raises:
            ValueError: the token is shorter than 16 characters, or has others than visible ASCII.
        """
        if token is not None and (len(token) < 16 or not all("!" <= letter <= "~" for letter in token)):
            raise ValueError(
                "token must have 16 visible ASCII characters or more; secrets.token_urlsafe() makes one"
            )
        self._app = app
        self._token = token
        self._hosts = frozenset(name.lower() for name in hosts)
        digest = hashlib.sha256((token or "").encode()).hexdigest()
        # Cookies are the host's, whatever the port: each server's own has a name of its own.
        self._cookie = f"sideband-{digest[:8]}"
        self._key = hmac.new((token or "").encode(), b"sideband cookie", hashlib.sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer why not."""
        if scope["type"] not in ("http", "websocket") or scope.get(_PASSED):
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        refused = _foreign(scope, headers) or (
            self._without_token(scope, headers) if self._token is None else self._with_token(scope, headers)
        )
        if refused is not None:
            await _refuse(scope, receive, send, *refused)
            return
        given = self._given(scope)
        if given is not None and scope.get("method") == "GET" and "text/html" in headers.get("accept", ""):
            await self._keep_token(scope, send)
            return
        await self._app({**scope, _PASSED: True}, receive, _with_headers(send))

    # -- on this machine -------------------------------------------------------------------------

    def _without_token(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        client = scope.get("client")
        if client is None or not _is_loopback(client[0]) or any(name in headers for name in _PROXIED):
            return (
                403,
                "Only clients on this machine may look at this page, since it was started without a token.",
            )
        name = _host_name(headers.get("host", ""))
        if not (
            name == "localhost" or name.endswith(".localhost") or _is_loopback(name) or name in self._hosts
        ):
            return (
                421,
                f"This server is not {name or 'without a name'}: call it localhost, or start it with a token.",
            )
        return None

    # -- from anywhere ---------------------------------------------------------------------------

    def _with_token(self, scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._fits(bearer.strip()):
            return None
        given = self._given(scope)
        if (given is not None and self._fits(given)) or self._has_cookie(headers):
            return None
        return (
            401,
            "This page needs its token: open it with ?token=… once, or send it as Authorization: Bearer …",
        )

    def _fits(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (self._token or "").encode())

    def _given(self, scope: Scope) -> str | None:
        if self._token is None:
            return None
        return dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"))).get("token")

    def _has_cookie(self, headers: dict[str, str]) -> bool:
        # Each by itself: a machine's servers see one another's cookies, and not all of those are well-formed.
        pairs = (pair.strip().partition("=") for pair in headers.get("cookie", "").split(";"))
        return any(
            name == self._cookie and hmac.compare_digest(value.encode(), self._key.encode())
            for name, _, value in pairs
        )

    async def _keep_token(self, scope: Scope, send: Send) -> None:
        """Give the browser its cookie, and let it ask again without the token in its address.

        By a page, not a redirect: one that was followed from another site would not send the cookie.
        """
        query = [pair for pair in parse_qsl(scope["query_string"].decode("latin-1")) if pair[0] != "token"]
        # A path that begins with two slashes would be another server's; a browser takes a backslash for one, and
        # passes over a tab between them.
        path = "/" + quote(str(scope["path"]).lstrip("/"))
        target = html.escape(path + ("?" + urlencode(query) if query else ""))
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        cookie = f"{self._cookie}={self._key}; Path=/; Max-Age={_WEEK}; HttpOnly; SameSite=Strict{secure}"
        body = f'<!doctype html><html lang="en"><meta http-equiv="refresh" content="0;url={target}"><title>Sideband</title>'
        await _answer(send, 200, body + f'<p><a href="{target}">Go on</a>', {"set-cookie": cookie})


def _is_loopback(address: str) -> bool:
    """Tell whether an IP address is this machine's own; any other text is not."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return found.is_loopback or (mapped is not None and mapped.is_loopback)


def _host_name(host: str) -> str:
    """Return a `Host` header's name, in small letters, without its port and brackets."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_from(origin: str, host: str) -> bool:
    """Tell whether an `Origin` header is that of the server's own pages."""
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False


def _foreign(scope: Scope, headers: dict[str, str]) -> tuple[int, str] | None:
    """Refuse what another site's page asks for, unless it is a link that somebody follows."""
    origin = headers.get("origin")
    if origin is not None and not _is_from(origin, headers.get("host", "")):
        return 403, "Another site's page asked for this."
    site = headers.get("sec-fetch-site", "none")
    if site in ("same-origin", "none"):
        return None
    followed = headers.get("sec-fetch-mode") == "navigate" and scope.get("method") in ("GET", "HEAD")
    return None if followed else (403, "Another site's page asked for this.")


def _with_headers(send: Send) -> Send:
    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            there = {name.decode("latin-1").lower() for name, _ in headers}
            defaults = {**SECURITY_HEADERS, "cache-control": "no-store"}
            missing = [
                (name.encode(), value.encode()) for name, value in defaults.items() if name not in there
            ]
            message = {**message, "headers": headers + missing}
        await send(message)

    return sending


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": why})
        return
    extra = {"www-authenticate": "Bearer"} if status == 401 else {}
    title = f'<!doctype html><html lang="en"><title>{status}</title><meta name="viewport" content="width=device-width">'
    await _answer(send, status, f"{title}<main><h1>Not allowed</h1><p>{html.escape(why)}</p></main>", extra)


async def _answer(send: Send, status: int, body: str, extra: dict[str, str]) -> None:
    content = body.encode()
    headers = {"content-type": "text/html; charset=utf-8", "content-length": str(len(content)), **extra}
    start = {"type": "http.response.start", "status": status}
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await _with_headers(send)({**start, "headers": encoded})
    await send({"type": "http.response.body", "body": content})
