"""What may be attached in place of a handler, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from sideband import Handler, Run, SidebandError, add_global_handler, callbacks, component, compose, only
from sideband.errors import HandlerRefusedError
from sideband.testing import Recorder


class Adapter:
    """Gives a handler for itself, as hooks of other sorts do."""

    def __init__(self, adapted: Any) -> None:
        self.adapted = adapted

    def __sideband_handler__(self) -> Any:
        return self.adapted


@component("Lambda")
def work() -> None:
    """Do nothing."""


@pytest.mark.parametrize(
    "wrap", [lambda handler: handler, compose, lambda handler: only(handler, name="work")]
)
def test_an_object_may_give_a_handler_for_itself(wrap: Any) -> None:
    """Through its method `__sideband_handler__`, wherever a handler is accepted."""
    recorder = Recorder()

    with callbacks(Adapter(wrap(recorder))), add_global_handler(Adapter(recorder)):
        work()

    assert recorder.timings() == ["on_start", "on_end"]


class AsyncEvent(Handler):
    """Cannot work: nobody would await its events."""

    async def on_event(self, run: Run, name: str, payload: Any) -> None:  # type: ignore[override]
        """Wait."""


@pytest.mark.parametrize(
    ("candidate", "reason"),
    [
        (Recorder, r"it is a class; give an instance: Recorder\(\)"),
        (print, "it is no sideband.Handler and has no method __sideband_handler__"),
        (None, "it is no sideband.Handler"),
        (AsyncEvent(), "its on_event is asynchronous, and emit does not wait"),
        (Adapter(3), "its __sideband_handler__ returned 3, which is no Handler"),
        (Adapter(AsyncEvent()), "its on_event is asynchronous"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_attached(candidate: Any, reason: str) -> None:
    """Everywhere alike, with the reason, and nothing is attached."""
    for attach in (add_global_handler, compose, only, lambda one: callbacks(Recorder(), one).__enter__()):
        with pytest.raises(HandlerRefusedError, match=reason) as caught:
            attach(candidate)
        assert caught.value.candidate is candidate
        assert isinstance(caught.value, TypeError)
        assert isinstance(caught.value, SidebandError)


@pytest.mark.parametrize("kinds", ["Chat", ["Tool", "Chat"]])
def test_a_filter_with_an_unknown_kind_is_refused(kinds: Any) -> None:
    """A misspelt kind would let nothing pass, silently."""
    with pytest.raises(ValueError, match="'Chat' is not a kind"):
        only(Recorder(), component=kinds)


def test_a_bundle_shows_its_handlers() -> None:
    """What `compose` and `only` give can be told apart in a log."""
    recorder = Recorder()

    assert repr(compose(recorder, only(recorder, name="x"))) == f"Bundle({recorder!r}, {recorder!r})"


@pytest.mark.parametrize(("policy", "value"), [("max_lag", 0), ("max_lag", None), ("overflow", "block")])
def test_a_bound_that_cannot_be_kept_is_refused(policy: str, value: object) -> None:
    """A copy of nothing, and one without a bound, are refused when the handler is attached, with the value."""
    handler = Handler()
    setattr(handler, policy, value)

    with pytest.raises(HandlerRefusedError, match=f"its {policy}.* got {value!r}"):
        compose(handler)
