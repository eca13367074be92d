"""What every provider does alike, against servers that speak its real protocol on real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, cast

import pytest

from sideband.components import ChatModelOutput, ToolCall
from sideband.generation import (
    AuthenticationError,
    BadRequestError,
    ContextTooLongError,
    Frame,
    ModelNotFoundError,
    OverloadedError,
    ProviderConnectionError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitError,
    Request,
    TruncatedStream,
    join_frames,
)

from .dialects import DIALECTS, KEY, Dialect
from .wire import Reply, WireServer
from .wire_formats import GREETING, ID, MODEL, Answer

CALLS = (
    ToolCall("call_1", "get_weather", '{"city": "Zürich"}', 0),
    ToolCall("call_2", "add", '{"a": 1, "b": [2, 3]}', 1),
)
ASKED = Request.of("Say hello.")


@pytest.fixture(params=DIALECTS, ids=str)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Give each protocol in turn."""
    given: Dialect = request.param
    return given


async def frames_from(
    dialect: Dialect, server: WireServer, request: Request = ASKED, *, timeout: float = 20.0
) -> list[Frame]:
    """Ask a server through the adapter and return all frames."""
    async with dialect.provider(server.url, timeout=timeout) as provider:
        return [frame async for frame in provider.generate(request)]


async def answer_to(dialect: Dialect, *pieces: bytes, **reply: Any) -> list[Frame]:
    """Serve one reply and return the frames that become of it."""
    async with WireServer(Reply(pieces, content_type=dialect.content_type, **reply)) as server:
        return await frames_from(dialect, server)


async def error_of(dialect: Dialect, *pieces: bytes, **reply: Any) -> ProviderError:
    """Serve one reply and return the error that it is."""
    with pytest.raises(ProviderError) as caught:
        await answer_to(dialect, *pieces, **reply)
    return caught.value


async def refusal(dialect: Dialect, status: int, word: str, message: str, **headers: str) -> ProviderError:
    """Serve an HTTP error and return the error that it is."""
    body = dialect.fails(message, dialect.words[word])
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    async with WireServer(Reply([body], status, more, "application/json")) as server:
        with pytest.raises(ProviderError) as caught:
            await frames_from(dialect, server)
        assert len(server.requests) == 1, "the SDK asked again by itself"
    return caught.value


def kinds(frames: list[Frame]) -> list[str]:
    """Return the frames' kinds."""
    return [frame.kind for frame in frames]


def counted(output: ChatModelOutput) -> tuple[int, int, int]:
    """Return the counts that every provider tells."""
    assert output.usage is not None
    return output.usage.input_tokens, output.usage.output_tokens, output.usage.total_tokens


async def test_text_comes_piece_by_piece_then_usage_then_the_response(dialect: Dialect) -> None:
    """The same conversation gives equal pieces, usage, finish reason, model and id on all providers.

    Niro, statement 129.
    """
    frames = await answer_to(dialect, *dialect.says(GREETING))
    output = join_frames(frames)

    assert [frame.content for frame in frames if frame.kind == "text"] == ["Hel", "lo ", "wörld"]
    assert kinds(frames)[-2:] == ["usage", "response"]
    assert counted(output) == (11, 7, 18)
    assert (output.finish_reason, output.model) == ("stop", MODEL)
    assert output.id == (ID if dialect.has_ids else None)


async def test_cached_and_reasoning_tokens_are_told(dialect: Dialect) -> None:
    """They are among the input and the output, whatever the provider's own way to count."""
    usage = join_frames(await answer_to(dialect, *dialect.says(GREETING))).usage
    assert usage is not None

    assert (usage.cached_tokens, usage.reasoning_tokens) == ((3, 2) if dialect.counts_details else (0, 0))


async def test_parallel_calls_of_tools_come_whole_and_in_order(dialect: Dialect) -> None:
    """Name and arguments are equal on all providers, and each call has an id for its result."""
    frames = await answer_to(
        dialect, *dialect.says(Answer(text=["Let me see."], calls=CALLS, finish="tool_calls"))
    )
    calls = [frame.content for frame in frames if frame.kind == "tool_call"]
    output = join_frames(frames)

    assert [(call.name, call.parsed, call.index) for call in calls] == [
        ("get_weather", {"city": "Zürich"}, 0),
        ("add", {"a": 1, "b": [2, 3]}, 1),
    ]
    assert len({call.id for call in calls if call.id}) == 2
    assert output.message.tool_calls == tuple(calls)
    assert output.message.text == "Let me see."
    assert output.finish_reason == "tool_calls"


async def test_reasoning_is_kept_apart_from_the_text(dialect: Dialect) -> None:
    """What the model thought comes as frames of its own kind."""
    answer = Answer(reasoning=["I should ", "greet."], text=["Hello."])
    frames = await answer_to(dialect, *dialect.says(answer))

    assert [frame.content for frame in frames if frame.kind == "reasoning"] == ["I should ", "greet."]
    assert join_frames(frames).message.text == "Hello."


@pytest.mark.parametrize("reason", ["stop", "length", "content_filter"])
async def test_finish_reasons_have_one_name(dialect: Dialect, reason: str) -> None:
    """The provider's own word is kept in the response's metadata. Niro, statement 130."""
    frames = await answer_to(dialect, *dialect.says(Answer(text=["Hello."], finish=reason)))
    response = frames[-1].content

    unknown = dialect.name == "ollama" and reason == "content_filter"
    assert response.finish_reason == ("other" if unknown else reason)
    assert isinstance(response.metadata["finish_reason"], str)


async def test_bytes_may_be_cut_anywhere(dialect: Dialect) -> None:
    """JSON, characters and events that are split over packets come out whole."""
    whole = b"".join(
        dialect.says(Answer(reasoning=["Höm"], text=["wörld"], calls=CALLS, finish="tool_calls"))
    )
    pieces = [whole[at : at + 7] for at in range(0, len(whole), 7)]

    output = join_frames(await answer_to(dialect, *pieces))

    assert output.message.text == "wörld"
    assert [call.parsed for call in output.message.tool_calls] == [call.parsed for call in CALLS]


async def test_an_empty_delta_is_no_frame(dialect: Dialect) -> None:
    """Pieces that say nothing are passed over."""
    first, *rest = dialect.says(GREETING)
    frames = await answer_to(dialect, first, dialect.empty, *rest)

    assert [frame.content for frame in frames if frame.kind == "text"] == ["Hel", "lo ", "wörld"]


@pytest.mark.parametrize("end", ["whole", "cut"])
async def test_a_stream_that_stops_midway_is_truncated(dialect: Dialect, end: str) -> None:
    """Also where the connection ends as it should: without its finish marker no answer is whole."""
    pieces = dialect.says(GREETING)
    upto = next(at for at, piece in enumerate(pieces) if "wörld".encode() in piece)

    error = await error_of(dialect, *pieces[:upto], end=end)

    assert isinstance(error, TruncatedStream)
    assert error.output.message.text == "Hello "
    assert [frame.content for frame in error.frames if frame.kind == "text"] == ["Hel", "lo "]
    assert (error.__cause__ is not None) == (end == "cut")


async def test_calls_that_were_not_through_are_not_given(dialect: Dialect) -> None:
    """A stream that stops in the middle of a call's arguments gives no call with half of them."""
    pieces = dialect.says(Answer(calls=CALLS[:1], finish="tool_calls"))
    upto = next(at for at, piece in enumerate(pieces) if b"rich" in piece)

    error = await error_of(dialect, *pieces[:upto])

    assert isinstance(error, TruncatedStream)
    assert error.output.message.tool_calls == ()


async def test_a_connection_closed_before_the_answer_is_a_connection_error(dialect: Dialect) -> None:
    """Nothing came, so nothing is truncated."""
    error = await error_of(dialect, end="cut")

    assert isinstance(error, ProviderConnectionError)
    assert error.retryable


async def test_an_error_inside_a_stream_is_raised_as_what_it_is(dialect: Dialect) -> None:
    """Frames that came before it have been given."""
    first, second, third, *_ = dialect.says(Answer(text=["Hel", "lo", "!"]))
    got: list[Frame] = []
    reply = Reply([first, second, third, dialect.fails_midway()], content_type=dialect.content_type)
    async with WireServer(reply) as server, dialect.provider(server.url) as provider:
        with pytest.raises(ProviderError, match="Overloaded") as caught:
            async for frame in provider.generate(ASKED):
                got.append(frame)

    if dialect.name != "ollama":  # its errors are a text alone
        assert isinstance(caught.value, OverloadedError)
        assert caught.value.retryable
    assert caught.value.provider == dialect.make.name  # type: ignore[attr-defined]
    assert not any(frame.kind == "response" for frame in got)


async def test_too_many_requests_are_a_rate_limit_with_its_delay(dialect: Dialect) -> None:
    """The delay is in seconds, and the SDK does not ask again on its own."""
    error = await refusal(dialect, 429, "rate_limit", "Slow down.", retry_after="7")

    assert isinstance(error, RateLimitError)
    assert error.retry_after == (None if dialect.name == "ollama" else 7.0)
    assert error.status == 429
    assert error.__cause__ is not None
    assert "Slow down." in str(error)


@pytest.mark.parametrize(
    ("status", "word", "message", "wanted"),
    [
        (401, "authentication", "Wrong key.", AuthenticationError),
        (403, "authentication", "Not allowed.", AuthenticationError),
        (404, "not_found", "No such model.", ModelNotFoundError),
        (400, "bad_request", "Bad temperature.", BadRequestError),
        (400, "too_long", "prompt is too long: 210000 tokens > 200000 maximum", ContextTooLongError),
        (500, "overloaded", "Internal error.", OverloadedError),
        (503, "overloaded", "Overloaded.", OverloadedError),
        (529, "overloaded", "Overloaded.", OverloadedError),
    ],
)
async def test_http_errors_are_of_the_kind_that_their_status_says(
    dialect: Dialect, status: int, word: str, message: str, wanted: type[ProviderError]
) -> None:
    """With the server's own words and the SDK's error as cause."""
    error = await refusal(dialect, status, word, message)

    assert type(error) is wanted
    assert message in str(error)
    assert error.status == status
    assert type(error.__cause__).__module__.partition(".")[0] in {"openai", "anthropic", "google", "ollama"}


async def test_an_error_that_is_no_json_is_told_all_the_same(dialect: Dialect) -> None:
    """A proxy in between answers with a page of its own."""
    error = await error_of(dialect, b"<html>Bad gateway</html>", status=502)

    assert isinstance(error, OverloadedError)
    assert error.status == 502


async def test_nobody_listening_is_a_connection_error(dialect: Dialect) -> None:
    """The error names the provider and is worth another try."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        async with dialect.provider(url) as provider:
            with pytest.raises(ProviderConnectionError) as caught:
                await anext(provider.generate(ASKED))

    assert caught.value.retryable
    assert isinstance(caught.value, ConnectionError)


@pytest.mark.parametrize("silent", [True, False], ids=["before the headers", "between two pieces"])
async def test_a_server_that_is_too_slow_is_a_timeout(dialect: Dialect, *, silent: bool) -> None:
    """The wait for the first byte is limited, and the wait for each piece after it."""
    pieces = dialect.says(GREETING)[:3]
    reply = Reply(pieces, content_type=dialect.content_type, end="hold", silent=silent)
    async with WireServer(reply) as server:
        with pytest.raises(ProviderTimeoutError) as caught:
            await frames_from(dialect, server, timeout=0.25)
        await server.disconnected()

    assert isinstance(caught.value, TimeoutError)
    assert caught.value.__cause__ is not None


async def test_what_is_no_utf8_is_an_error_or_replaced(dialect: Dialect) -> None:
    """No text is made up silently where the SDK lets us see it."""
    pieces = dialect.says(GREETING)
    at = next(at for at, piece in enumerate(pieces) if "wörld".encode() in piece)
    pieces[at] = pieces[at].replace("ö".encode(), b"\xff")

    if dialect.hides_bad_bytes:
        assert join_frames(await answer_to(dialect, *pieces)).message.text == "Hello w�rld"
    else:
        error = await error_of(dialect, *pieces)
        assert isinstance(error, TruncatedStream)
        assert error.output.message.text == "Hello "


async def test_what_is_no_json_is_a_truncated_stream(dialect: Dialect) -> None:
    """Also where more follows: what was in that piece is lost."""
    pieces = dialect.says(GREETING)
    at = next(at for at, piece in enumerate(pieces) if "wörld".encode() in piece)
    pieces[at] = pieces[at].replace(b"}", b"", 1)

    error = await error_of(dialect, *pieces)

    assert isinstance(error, TruncatedStream)
    assert error.output.message.text == "Hello "
    assert error.__cause__ is not None


async def test_a_stream_closed_early_closes_the_connection(dialect: Dialect) -> None:
    """The server sees at once that nobody listens any more."""
    pieces = dialect.says(GREETING)
    reply = Reply(pieces[:-1], content_type=dialect.content_type, end="hold")
    async with WireServer(reply) as server, dialect.provider(server.url) as provider:
        stream = cast("Any", provider.generate(ASKED))
        async with aclosing(stream):
            async for frame in stream:
                if frame.kind == "text":
                    break

        await server.disconnected()


async def test_a_stream_cancelled_closes_the_connection(dialect: Dialect) -> None:
    """Whoever cancels a task that reads a stream stops the server's work, too. Niro, statement 129."""
    reply = Reply(dialect.says(GREETING)[:3], content_type=dialect.content_type, end="hold")
    async with WireServer(reply) as server, dialect.provider(server.url) as provider:
        began = asyncio.Event()

        async def read(frames: AsyncIterator[Frame]) -> None:
            async for _ in frames:
                began.set()

        reading = asyncio.create_task(read(provider.generate(ASKED)))
        await asyncio.wait_for(began.wait(), 10)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

        await server.disconnected()


async def test_a_stream_that_is_never_pulled_asks_nothing(dialect: Dialect) -> None:
    """The request goes out with the first pull."""
    async with WireServer(Reply()) as server, dialect.provider(server.url) as provider:
        provider.generate(ASKED)

        assert server.requests == []


async def test_streams_of_one_provider_may_be_open_at_a_time(dialect: Dialect) -> None:
    """Each has its own answer."""
    answers = [Answer(text=[f"answer {number}"]) for number in range(5)]
    replies = [Reply(dialect.says(answer), content_type=dialect.content_type) for answer in answers]
    async with WireServer(*replies) as server, dialect.provider(server.url) as provider:

        async def ask() -> str:
            return join_frames([frame async for frame in provider.generate(ASKED)]).message.text

        async with asyncio.TaskGroup() as tasks:
            asked = [tasks.create_task(ask()) for _ in answers]

    assert sorted(task.result() for task in asked) == [answer.text[0] for answer in answers]


async def test_the_key_is_sent_and_never_shown(dialect: Dialect) -> None:
    """Neither the provider's representation nor an error has it."""
    async with WireServer(Reply([dialect.fails("No.", "no")], 401, {}, "application/json")) as server:
        async with dialect.provider(server.url) as provider:
            with pytest.raises(AuthenticationError) as caught:
                await anext(provider.generate(ASKED))

        assert (KEY in str(server.requests[0].headers)) == (dialect.name != "ollama")
    assert KEY not in f"{provider!r} {caught.value!r} {caught.value} {vars(caught.value)}"


async def test_a_request_without_a_model_is_refused(dialect: Dialect) -> None:
    """Neither the provider nor the request names one."""
    async with WireServer(Reply()) as server, dialect.provider(server.url) as provider:
        provider.model = ""
        with pytest.raises(BadRequestError, match="no model is named"):
            await anext(provider.generate(ASKED))

        assert server.requests == []
