"""Payloads as text: bounded, with secrets masked, and without calling what a user's class defines."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import itertools
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sideband import callbacks, component, metadata, observe
from sideband.components import Document, Usage
from sideband.exporters import History
from sideband.exporters.history import Capture, Histogram
from sideband.exporters.live._rows import array, encode, totals


def text(value: Any, **options: Any) -> str | None:
    """Return what is kept of a value."""
    settings: dict[str, Any] = {"mode": "on", "redact": None, "max_value": 4_000, **options}
    return Capture(settings["mode"], settings["redact"], settings["max_value"]).text("input", value)


class Colour(enum.Enum):
    RED = "red"


class Point(NamedTuple):
    x: int
    label: str


class Hostile:
    """Whatever of it is called raises."""

    def __init__(self) -> None:
        self.shown = 1
        self._hidden = 2

    def __repr__(self) -> NoReturn:
        raise AssertionError("a repr was called")

    __str__ = __len__ = __iter__ = __eq__ = __bool__ = __repr__  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


class Liar(list[int]):
    """A list that does not know its length."""

    def __len__(self) -> int:
        raise RuntimeError("no length")


@dataclasses.dataclass
class Node:
    name: str
    next: Node | None = None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a text\nof two lines", "a text\nof two lines"),
        (3, "3"),
        (None, "None"),
        ({"a": 1, "b": "two"}, "a: 1\nb: two"),
        ({"a": {"b": ["x", "y"]}}, "a: \n  b: \n    - x\n    - y"),
        ([0.5, 1.5], "[0.5, 1.5]"),
        ([0.0] * 384, "[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, … 384 numbers]"),
        ([], "[]"),
        ({}, "{}"),
        (b"\x00" * 12, "<bytes of 12>"),
        (Colour.RED, "red"),
        (Point(1, "home"), "Point\nx: 1\nlabel: home"),
        (dt.date(2026, 11, 21), "2026-11-21"),
        (Path("a/b"), "a/b"),
        (Usage(input_tokens=3), "Usage\ninput_tokens: 3\ntotal_tokens: 3"),
        (Document("d", "text"), "Document\nid: d\ntext: text"),
        (ValueError("wrong"), "ValueError: wrong"),
        (Hostile(), "Hostile\nshown: 1"),
        (10**400, "<int of 1,329 bits>"),
    ],
)
def test_values_are_told_as_people_read_them(value: Any, expected: str) -> None:
    """Text as it is, collections as lines, objects by their fields, numbers by the dozen in short."""
    assert text(value) == expected


@pytest.mark.parametrize(
    "key",
    ["api_key", "apiKey", "OPENAI_API_KEY", "Authorization", "token", "access_token", "password", "db_password",
     "client_secret", "Set-Cookie", "session_id_token", "private_key", "credentials", "secret"],
)  # fmt: skip
def test_what_is_a_secret_is_masked(key: str) -> None:
    """By its key, in any case, at any depth, in metadata and attributes, too."""
    assert text({"headers": {key: "sk-123"}}) == f"headers: \n  {key}: ••••••"
    history = History()
    with callbacks(history), metadata(**{key: "sk-123"}), observe("call") as run:
        run.attributes[key] = "sk-123"
    (record,) = history.latest()
    assert "sk-123" not in str((record.metadata, record.attributes))


@pytest.mark.parametrize(
    "key", ["max_tokens", "input_tokens", "tokens", "keyboard", "author", "passage", "id"]
)
def test_what_only_sounds_like_a_secret_is_told(key: str) -> None:
    """Numbers of tokens among them."""
    assert text({key: "7"}) == f"{key}: 7"


def test_a_value_that_cannot_be_read_is_told_as_that() -> None:
    """The watched program's value is odd; that is no reason to stop."""
    assert text({"a": Liar([1])}) in ("a: Liar", "<could not be shown: RuntimeError>")


def test_a_value_that_holds_itself_is_told_in_part() -> None:
    """Depth is bounded."""
    node = Node("a")
    node.next = node
    loop: list[Any] = ["x"]
    loop.append(loop)

    assert len(text(node) or "") < 500
    assert len(text(loop) or "") < 500


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
        max_leaves=40,
    ),
    most=st.integers(1, 300),
)
def test_no_value_takes_more_room_than_it_may(value: Any, most: int) -> None:
    """But for a word of how much is missing."""
    assert len(text(value, max_value=most) or "") <= most + 40


def test_a_large_value_costs_no_more_than_a_small_one() -> None:
    """A million of anything is not walked through."""
    large = {"rows": [{"text": "x" * 10_000, "n": n} for n in range(1_000)] * 100, "more": list(range(10**6))}
    began = time.perf_counter()
    for _ in range(20):
        text(large)

    assert (time.perf_counter() - began) / 20 < 0.01


@pytest.mark.parametrize(
    ("value", "expected"),
    [("secret words", "<text of 12 characters>"), ([1, 2], "<list of 2>"), ({"a": 1}, "<dict of 1>"), (None, "<nothing>"),
     (Hostile(), "<Hostile>")],
)  # fmt: skip
def test_redacted_payloads_are_shapes(value: Any, expected: str) -> None:
    """Unless a function says what may be shown."""
    assert text(value, mode="redacted") == expected


def test_a_function_decides_what_is_shown() -> None:
    """It is told what a value is; one that raises shows nothing of it."""
    assert text("abc", mode="redacted", redact=lambda what, value: f"{what}: {value[:1]}…") == "input: a…"
    assert text("abc", redact=lambda what, value: value / 0) == "<could not be shown: TypeError>"


@pytest.mark.parametrize(
    ("environment", "redact", "expected"),
    [("", None, "on"), ("production", None, "off"), ("Production ", None, "off"), ("development", None, "on"),
     ("", lambda _, value: value, "redacted"), ("production", lambda _, value: value, "off")],
)  # fmt: skip
def test_payloads_are_off_in_production(
    monkeypatch: pytest.MonkeyPatch, environment: str, redact: Any, expected: str
) -> None:
    """As SIDEBAND_ENV says; what is given explicitly counts more."""
    monkeypatch.setenv("SIDEBAND_ENV", environment)

    assert History(redact=redact).capture == expected
    assert History(redact=redact, capture="on").capture == "on"


def test_with_payloads_off_nothing_of_them_is_kept() -> None:
    """Neither inputs, outputs, chunks, events nor what an error says; names, times and metadata are."""
    history = History(capture="off")
    with (
        callbacks(history),
        metadata(user="Ann"),
        pytest.raises(ValueError, match="hidden"),
        observe("call", input="hidden") as run,
    ):
        run.emit("said", "hidden")
        run.attributes["vector"] = ["hidden"]
        raise ValueError("hidden")
    (record,) = history.latest()

    kept = (record.input, record.output, record.events, record.error, record.attributes, record.text)
    assert "hidden" not in str(kept)
    assert (record.error[0].type, record.metadata) == ("ValueError", {"user": "Ann"})


def test_an_unknown_word_is_refused() -> None:
    """And the words that there are, named."""
    with pytest.raises(ValueError, match="capture must be 'on', 'redacted' or 'off', got 'yes'"):
        History(capture="yes")  # type: ignore[arg-type]


@given(numbers=st.lists(st.floats(min_value=1e-7, max_value=1e8), min_size=1, max_size=50))
def test_a_histogram_counts_each_number_in_its_class(numbers: list[float]) -> None:
    """None is lost, the classes follow one another, and quantiles are where the numbers are."""
    histogram = Histogram()
    for number in numbers:
        histogram.add(number)
    bins = histogram.bins

    assert sum(one.amount for one in bins) == len(numbers) == histogram.count
    assert all(math.isclose(one.high, other.low) for one, other in itertools.pairwise(bins))
    assert bins[0].low <= max(min(numbers), 1e-6) * 1.0001
    assert max(numbers) <= bins[-1].high * 1.0001
    median = histogram.quantile(0.5)
    assert median is not None
    assert bins[0].low <= median <= bins[-1].high * 1.0001


def test_no_number_is_not_counted() -> None:
    """Infinity would spoil the sum."""
    histogram = Histogram()
    for number in (math.inf, math.nan, -math.inf):
        histogram.add(number)

    assert (histogram.count, histogram.mean, histogram.quantile(0.5), histogram.bins) == (0, None, None, ())


@pytest.mark.parametrize(
    "number", [math.nan, math.inf, 10**5_000, -(10**400)], ids=["nan", "infinite", "large", "small"]
)
def test_numbers_that_cannot_be_written_harm_nothing(number: float) -> None:
    """NaN, infinity and integers of thousands of digits end up as text, or uncounted; the run ends as it should."""
    history = History()
    with callbacks(history), metadata(given=number, several=(number,)):
        with observe("speak", component="ChatModel") as run:
            run.attributes["told"] = number
            run.emit("progress", number)
            tokens = number if isinstance(number, int) else 1
            run.usage = Usage(input_tokens=tokens, output_tokens=tokens, cost=number)
        with observe("serve", component="Serving") as run:
            run.emit("queued", {"items": number})

    records = history.latest()

    assert [record.outcome for record in records] == ["ok", "ok"]
    assert encode(totals(history))
    assert array(records)


def test_names_are_kept_in_part() -> None:
    """A name or a type of a million letters does not fill the memory of who watches."""
    history = History()
    with callbacks(history), observe("n" * 10**6, component="Tool", type="t" * 10**6):
        pass

    (record,) = history.latest()

    assert (len(record.name), len(record.type)) == (200, 200)


class Stubborn:
    """Gives nothing of itself."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(name)


def test_a_chunk_and_a_usage_that_fail_when_they_are_read_harm_nothing() -> None:
    """The chunk is kept as a value, nothing is counted, and the run ends."""
    history = History()
    with callbacks(history):
        list(speak_stubbornly())
        with observe("ask", component="ChatModel") as run:
            run.usage = Stubborn()

    asked, spoken = history.latest()

    assert [asked.outcome, spoken.outcome] == ["ok", "ok"]
    assert (asked.output_tokens, asked.cost) == (0, None)
    assert [(chunk.text, chunk.written) for chunk in spoken.chunks] == [("Stubborn", False), ("x", True)]


@component("ChatModel")
def speak_stubbornly() -> Iterator[Any]:
    yield Stubborn()
    yield "x"
