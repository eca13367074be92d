"""Generations: what chat models are asked and give, and who watches them. May import components and what is below."""

from sideband.components import Message, ToolCall, ToolDefinition, ToolResult, Usage
from sideband.generation._adapter import TOOL_CALL, TOOL_RESULT, ToolFinished
from sideband.generation._cache import CACHE, CacheUse, cache
from sideband.generation._cache_store import CacheStore, MemoryStore
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
from sideband.generation._fan import Fan, FanStream, fan
from sideband.generation._frames import (
    CACHED,
    MESSAGE_METADATA,
    RESTART,
    CustomContent,
    Frame,
    FrameKind,
    ResponseMeta,
)
from sideband.generation._generation_stream import GenerationStream, ValueStream
from sideband.generation._hook import GenerationHook, compose
from sideband.generation._info import GenerateEndInfo, GenerateStartInfo
from sideband.generation._join import FrameJoiner, join_frames
from sideband.generation._pipeline import (
    Stage,
    accumulate_text,
    filter_frames,
    map_frames,
    tap_frames,
    text_only,
)
from sideband.generation._provider import Provider, provider_name
from sideband.generation._race import race
from sideband.generation._request import Askable, Options, Request
from sideband.generation._retry import RETRY, Retried, is_retryable, retry
from sideband.generation._runtime import Runtime
from sideband.generation._sequence import sequence
from sideband.generation._structured import Mismatch, NoOutputError, OutputError
from sideband.generation._timeout import GenerationTimeoutError, timeout
from sideband.generation._tools import (
    RoundLimitError,
    Tool,
    ToolDeniedError,
    ToolTimeoutError,
    UnknownToolError,
    tool,
)
from sideband.generation._tools_node import ToolsNode
from sideband.generation._wrap import wrap_stream

__all__ = [
    "CACHE",
    "CACHED",
    "MESSAGE_METADATA",
    "RESTART",
    "RETRY",
    "TOOL_CALL",
    "TOOL_RESULT",
    "Askable",
    "AuthenticationError",
    "BadRequestError",
    "CacheStore",
    "CacheUse",
    "ContextTooLongError",
    "CustomContent",
    "Fan",
    "FanStream",
    "Frame",
    "FrameJoiner",
    "FrameKind",
    "GenerateEndInfo",
    "GenerateStartInfo",
    "GenerationHook",
    "GenerationStream",
    "GenerationTimeoutError",
    "MemoryStore",
    "Message",
    "Mismatch",
    "ModelNotFoundError",
    "NoOutputError",
    "Options",
    "OutputError",
    "OverloadedError",
    "Provider",
    "ProviderConnectionError",
    "ProviderError",
    "ProviderTimeoutError",
    "RateLimitError",
    "Request",
    "ResponseMeta",
    "Retried",
    "RoundLimitError",
    "Runtime",
    "Stage",
    "Tool",
    "ToolCall",
    "ToolDefinition",
    "ToolDeniedError",
    "ToolFinished",
    "ToolResult",
    "ToolTimeoutError",
    "ToolsNode",
    "TruncatedStream",
    "UnknownToolError",
    "Usage",
    "ValueStream",
    "accumulate_text",
    "cache",
    "compose",
    "error_of_status",
    "fan",
    "filter_frames",
    "is_retryable",
    "join_frames",
    "map_frames",
    "provider_name",
    "race",
    "retry",
    "seconds_to_wait",
    "sequence",
    "tap_frames",
    "text_only",
    "timeout",
    "tool",
    "wrap_stream",
]
