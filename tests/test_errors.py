"""What all errors of the library have in common."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from sideband import SidebandError, errors
from sideband.components import Usage
from sideband.generation import AuthenticationError, Frame, RateLimitError, TruncatedStream

MADE: list[SidebandError] = [
    errors.SidebandError("text"),
    errors.HandlerRefusedError("candidate", "reason"),
    errors.LengthMismatchError("serving", "hook", expected=3, got=2),
    errors.QueueFullError("serving", waiting=1, offered=2, max_queue=3),
    errors.OversizedItemError("serving", cost=3.5, max_cost=2),
    errors.DispatchTimeoutError("serving", 1.5),
    errors.ToolArgumentsError("add", "{", "no JSON"),
    errors.ReaderClosedError(),
    RateLimitError("slow down", provider="openai", status=429, retry_after=2.0),
    AuthenticationError("no key", provider="openai"),
    TruncatedStream([Frame.text("a"), Frame.usage(Usage(input_tokens=1))], provider="openai"),
]


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_an_error_survives_being_pickled(error: SidebandError) -> None:
    """From a worker process it arrives as it was raised: its class, its text, what it carries."""
    back = pickle.loads(pickle.dumps(error))

    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)


def leaves(root: type[BaseException] = SidebandError) -> Iterator[type[BaseException]]:
    """Give the class and all under it that the library defines."""
    yield root
    for child in root.__subclasses__():
        if child.__module__.startswith("sideband."):
            yield from leaves(child)


@pytest.mark.parametrize("kind", sorted(set(leaves()), key=repr), ids=lambda kind: kind.__name__)
def test_every_error_can_be_made_again_without_its_arguments(kind: type[BaseException]) -> None:
    """No base has a `__new__` that would ask for them."""
    error = kind.__new__(kind)
    error.args = ("text",)

    assert str(pickle.loads(pickle.dumps(error))) == str(error)
