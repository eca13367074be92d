"""Random values of `sideband.components`, for property tests."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from sideband import components as c

texts = st.text(max_size=8)
numbers = st.integers(0, 10_000)
data: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
mappings = st.dictionaries(texts | st.just("$type"), data, max_size=3)
optional = st.none() | texts
vectors = st.lists(st.floats(allow_nan=False, width=32), min_size=1, max_size=3).map(tuple)

documents = st.builds(
    c.Document, texts, texts, mappings, st.none() | st.floats(allow_nan=False), st.none() | vectors
)
usages = st.builds(
    c.Usage,
    input_tokens=numbers,
    output_tokens=numbers,
    total_tokens=numbers,
    cached_tokens=numbers,
    reasoning_tokens=numbers,
    cost=st.none() | st.floats(0, 10),
    details=st.dictionaries(texts, numbers, max_size=2),
)
calls = st.builds(c.ToolCall, texts, texts, texts, st.none() | numbers)
results = st.builds(c.ToolResult, texts, texts, data, st.booleans())
media = [
    st.builds(part, st.none() | st.binary(max_size=4), optional, optional)
    for part in (c.ImagePart, c.AudioPart, c.VideoPart, c.FilePart)
]
parts: st.SearchStrategy[Any] = st.one_of(st.builds(c.TextPart, texts), *media)
roles: st.SearchStrategy[c.Role] = st.sampled_from(["system", "user", "assistant", "tool"])
messages = st.builds(
    c.Message,
    roles,
    texts | st.lists(parts, max_size=3).map(tuple),
    st.lists(calls, max_size=2).map(tuple),
    texts,
    texts,
    st.booleans(),
    texts,
    mappings,
)
tools = st.builds(c.ToolDefinition, texts, texts, mappings, st.booleans())


def several(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Return tuples of up to three of the values."""
    return st.lists(values, max_size=3).map(tuple)


payloads = st.one_of(
    st.builds(c.ChatModelInput, several(messages), several(tools), optional, mappings),
    st.builds(c.ChatModelOutput, messages, st.none() | usages, optional, optional, optional),
    st.builds(c.PromptInput, mappings, several(texts)),
    st.builds(c.PromptOutput, several(messages)),
    st.builds(c.EmbeddingInput, several(texts), mappings),
    st.builds(c.EmbeddingOutput, several(vectors), st.none() | usages),
    st.builds(c.RetrieverInput, texts, st.none() | numbers, st.none() | st.floats(0, 1), data, mappings),
    st.builds(c.RetrieverOutput, several(documents)),
    st.builds(c.IndexerInput, several(documents), mappings),
    st.builds(c.IndexerOutput, several(texts)),
    st.builds(c.LoaderInput, texts, mappings),
    st.builds(c.LoaderOutput, texts, several(documents)),
    st.builds(c.TransformerInput, several(documents), mappings),
    st.builds(c.TransformerOutput, several(documents)),
    st.builds(c.ToolInput, texts, data, texts),
    st.builds(c.ToolOutput, results | data),
)
