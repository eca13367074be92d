"""Who is let in: a pure ASGI middleware, asked with requests of every kind."""

from __future__ import annotations

from typing import Any

import pytest

from sideband.exporters.live.access import SECURITY_HEADERS, Access

TOKEN = "a-token-that-is-long-enough"
HERE = ("127.0.0.1", 50_000)
AWAY = ("203.0.113.9", 50_000)


async def application(scope: Any, receive: Any, send: Any) -> None:
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"SAMEORIGIN")]}
    )
    await send({"type": "http.response.body", "body": b"let in"})


async def ask(
    access: Any, *, client: Any = HERE, method: str = "GET", path: str = "/", query: str = "", **headers: str
) -> tuple[int, dict[str, str], str]:
    """Ask for something and return the status, the headers and the body."""
    given = {"host": "localhost:8000", **{name.replace("_", "-"): value for name, value in headers.items()}}
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(), "client": client, "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }  # fmt: skip
    await access(scope, None, send)
    start, body = sent
    return (
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        body["body"].decode(),
    )


async def status(access: Any, **request: Any) -> int:
    return (await ask(access, **request))[0]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
async def test_a_client_on_this_machine_is_let_in_without_a_token(address: str) -> None:
    """Each loopback address counts, also IPv4 in IPv6."""
    assert await status(Access(application), client=(address, 1)) == 200


@pytest.mark.parametrize("client", [AWAY, ("::ffff:203.0.113.9", 1), ("localhost", 1), ("", 0), None])
async def test_a_client_elsewhere_is_refused_without_a_token(client: Any) -> None:
    """So is one whose address is not known."""
    assert await status(Access(application), client=client) == 403


@pytest.mark.parametrize("header", ["forwarded", "x_forwarded_for", "x_real_ip", "via"])
async def test_what_comes_through_a_proxy_is_not_from_here(header: str) -> None:
    """A proxy on this machine speaks for anybody."""
    assert await status(Access(application), **{header: "for=127.0.0.1"}) == 403


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", 200), ("LOCALHOST:8000", 200), ("app.localhost:1", 200), ("127.0.0.1:80", 200), ("[::1]:80", 200),
        ("mine.example:80", 200), ("evil.example", 421), ("localhost.evil.example", 421), ("", 421), ("[::1", 421),
        ("0.0.0.0:80", 421),
    ],
)  # fmt: skip
async def test_a_name_that_was_pointed_here_is_refused(host: str, expected: int) -> None:
    """Against DNS rebinding: only names of this machine, and those that were given."""
    assert await status(Access(application, hosts=["mine.example"]), host=host) == expected


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://localhost:9999"},
        {"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site", "sec_fetch_mode": "no-cors"},
        {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "method": "POST"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("token", [None, TOKEN])
async def test_another_sites_page_may_ask_for_nothing(headers: dict[str, str], token: str | None) -> None:
    """Neither another host's nor that of another port, whatever the method; nor may it send a form."""
    assert await status(Access(application, token=token), authorization=f"Bearer {TOKEN}", **headers) == 403


async def test_a_link_from_another_site_may_be_followed() -> None:
    """To navigate is to read a page oneself."""
    assert await status(Access(application), sec_fetch_site="cross-site", sec_fetch_mode="navigate") == 200


async def test_its_own_page_may_send_forms() -> None:
    """The origin of a form is compared with the name by which the server was called."""
    own = {"origin": "http://localhost:8000", "sec_fetch_site": "same-origin"}
    assert await status(Access(application), method="POST", **own) == 200


@pytest.mark.parametrize("client", [HERE, AWAY])
async def test_with_a_token_everybody_has_to_give_it(client: Any) -> None:
    """Other users of this machine are not let in either; by any name of the server."""
    access = Access(application, token=TOKEN)

    assert await status(access, client=client) == 401
    assert await status(access, client=client, authorization="Bearer wrong") == 401
    assert await status(access, client=client, query="token=wrong") == 401
    assert await status(access, client=client, authorization=f"bearer {TOKEN}", host="any.example") == 200
    assert await status(access, client=client, query=f"token={TOKEN}") == 200


async def test_a_browser_that_gave_the_token_has_a_cookie_from_then_on() -> None:
    """The cookie is not the token, scripts cannot read it, and other sites' pages do not send it."""
    access = Access(application, token=TOKEN)
    code, headers, body = await ask(access, path="/live/", query=f"a=1&token={TOKEN}", accept="text/html")
    cookie = headers["set-cookie"]

    assert code == 200
    assert 'content="0;url=/live/?a=1"' in body
    assert TOKEN not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert await status(access, cookie=cookie.split(";")[0]) == 200
    assert await status(access, cookie=cookie.split(";")[0] + "x") == 401
    assert await status(Access(application, token=TOKEN + "2"), cookie=cookie.split(";")[0]) == 401


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("//evil.example/<x>", "/evil.example/%3Cx%3E"),
        ("/\\evil.example", "/%5Cevil.example"),
        ("/\t/evil.example", "/%09/evil.example"),
        ("/runs/a?b", "/runs/a%3Fb"),
    ],
)
async def test_the_way_back_leads_to_no_other_server(path: str, target: str) -> None:
    """A path that begins with two slashes, or with what browsers take for them, would be one."""
    _, _, body = await ask(
        Access(application, token=TOKEN), path=path, query=f"token={TOKEN}", accept="text/html"
    )
    assert f'url={target}"' in body


async def test_another_server_s_cookies_do_not_hide_ours() -> None:
    """All servers of a machine share its cookies, whatever their port; some are no text that a standard has."""
    access = Access(application, token=TOKEN)
    _, headers, _ = await ask(access, query=f"token={TOKEN}", accept="text/html")
    ours = headers["set-cookie"].split(";")[0]

    assert await status(access, cookie=f'a[1]={{"b": 2}}; {ours}; =;;c') == 200
    assert await status(access, cookie=f'a[1]={{"b": 2}}; {ours}x') == 401


@pytest.mark.parametrize("origin", ["http://[", "null", "", "http://\xff"])
async def test_an_origin_that_is_none_is_another_site_s(origin: str) -> None:
    """What cannot be read is refused, and fails nothing."""
    assert await status(Access(application), origin=origin) == 403


async def test_a_wrong_token_is_no_cookie() -> None:
    """Nothing is set for who is not let in."""
    _, headers, _ = await ask(Access(application, token=TOKEN), query="token=wrong", accept="text/html")
    assert "set-cookie" not in headers


async def test_every_answer_has_the_policy() -> None:
    """Refusals too; what the application has set stays."""
    _, let_in, _ = await ask(Access(application))
    _, refused, body = await ask(Access(application), client=AWAY)

    assert SECURITY_HEADERS.items() <= refused.items()
    assert "<script" not in body
    assert let_in["x-frame-options"] == "SAMEORIGIN"
    assert "script-src 'self'" in let_in["content-security-policy"]
    assert "unsafe" not in let_in["content-security-policy"]
    assert let_in["cache-control"] == "no-store"


async def test_a_page_inside_of_a_guarded_one_does_not_ask_again() -> None:
    """Who was let in by the outer guard passes the inner one, which has another token."""
    inner = Access(application, token=TOKEN)
    assert await status(Access(inner)) == 200
    assert await status(inner) == 401


async def test_a_websocket_is_refused_by_closing_it() -> None:
    """As ASGI has it."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await Access(application)({"type": "websocket", "client": AWAY, "headers": []}, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


@pytest.mark.parametrize("token", ["", "short", "a token with blanks in it", "ein-Schlüssel-mit-Ümläuten"])
def test_a_token_that_is_easily_guessed_or_cannot_be_sent_is_refused(token: str) -> None:
    """Sixteen visible ASCII characters at least."""
    with pytest.raises(ValueError, match="16 visible ASCII"):
        Access(application, token=token)
