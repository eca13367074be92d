"""What the tests of requests have in common: sending one, and reading what its server got."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sideband.components import ToolDefinition
from sideband.generation import BadRequestError, Request
from sideband.providers._sdk import SdkProvider

from .dialects import GOOGLE, Dialect
from .wire import Reply, WireServer
from .wire_formats import GREETING

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = ToolDefinition("get_weather", "Tell the weather.", SCHEMA)


async def sent(dialect: Dialect, request: Request) -> Any:
    """Send a request and return the body that the server got."""
    reply = Reply(dialect.says(GREETING), content_type=dialect.content_type)
    async with WireServer(reply) as server, dialect.provider(server.url) as provider:
        assert [frame async for frame in provider.generate(request)]
        body = server.requests[0].body
    return snake_case(body) if dialect is GOOGLE else body


def snake_case(value: Any) -> Any:
    """Return JSON with names in the other style: Google takes both, and its SDK mixes them."""
    if isinstance(value, dict):
        return {re.sub("([A-Z])", r"_\1", name).lower(): snake_case(inner) for name, inner in value.items()}
    return [snake_case(inner) for inner in value] if isinstance(value, list) else value


async def refused(provider: SdkProvider, request: Request) -> str:
    """Return what the adapter says to a request that it does not send."""
    with pytest.raises(BadRequestError) as caught:
        await anext(provider.generate(request))
    return str(caught.value)
