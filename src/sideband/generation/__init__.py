"""Generations: what chat models are asked and give, and who watches them. May import components and what is below."""

from sideband.generation._errors import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    ModelNotFoundError,
    OverloadedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitError,
    TruncatedStream,
    error_of_status,
    seconds_to_wait,
)
from sideband.generation._frames import MESSAGE_METADATA, CustomContent, Frame, FrameKind, ResponseMeta
from sideband.generation._join import FrameJoiner, join_frames
from sideband.generation._provider import Provider, provider_name
from sideband.generation._request import Askable, Options, Request

__all__ = [
    "MESSAGE_METADATA",
    "Askable",
    "AuthenticationError",
    "BadRequestError",
    "ContextTooLongError",
    "CustomContent",
    "Frame",
    "FrameJoiner",
    "FrameKind",
    "ModelNotFoundError",
    "Options",
    "OverloadedError",
    "Provider",
    "ProviderConnectionError",
    "ProviderError",
    "ProviderTimeoutError",
    "RateLimitError",
    "Request",
    "ResponseMeta",
    "TruncatedStream",
    "error_of_status",
    "join_frames",
    "provider_name",
    "seconds_to_wait",
]
