"""Random providers under every combination of what can stand on them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.generation.helpers import USED

from sideband.generation import (
    Frame,
    Provider,
    ProviderError,
    Request,
    Runtime,
    cache,
    fan,
    race,
    retry,
    sequence,
    timeout,
)
from sideband.testing import Recorder, check_lifecycle, run_virtual

from .scripts import DONE, FlakyError, Script, limited

ASKED = Request.of("go")

Wrap = Callable[[Provider], Provider]

HARMLESS: dict[str, Wrap] = {
    "retry": retry,
    "restart": lambda provider: retry(provider, restart=True, attempts=2),
    "timeout": lambda provider: timeout(provider, total=1e6, first_frame=1e6, between_frames=1e6),
    "cache": lambda provider: cache(provider, scope=None),
    "cache alone": lambda provider: cache(provider, scope=None, share=False),
    "race": race,
    "race for a frame": lambda provider: race(provider, first="frame"),
    "sequence": sequence,
    "runtime": Runtime,
}
HARMFUL: dict[str, Wrap] = {
    "tight": lambda provider: timeout(provider, total=3, between_frames=1),
    "race of two": lambda provider: race(provider, Script([2, Frame.text("x"), DONE], name="rival")),
    "frame of two": lambda provider: race(
        provider, Script([2, Frame.text("x"), 1, DONE], name="rival"), first="frame"
    ),
    "after another": lambda provider: sequence(Script([1, Frame.text("x"), DONE]), provider),
}

frames = st.sampled_from([Frame.text("a"), Frame.text("b"), Frame.usage(USED), Frame.reasoning("hm")])
delays = st.sampled_from([0.0, 0.5, 2.0])
clean = st.lists(frames | delays, max_size=6).map(lambda steps: [*steps, DONE])
errors = st.builds(FlakyError, st.just("cut")) | st.builds(limited) | st.builds(ProviderError, st.just("no"))
scripts = clean | st.tuples(st.lists(frames | delays, max_size=4), errors).map(lambda one: [*one[0], one[1]])
endings = st.none() | st.tuples(st.sampled_from(["close", "cancel"]), st.integers(0, 4))


def stacked(provider: Provider, names: list[str]) -> Provider:
    for name in names:
        provider = (HARMLESS | HARMFUL)[name](provider)
    return provider


@given(clean, st.lists(st.sampled_from([*HARMLESS]), max_size=4), st.booleans())
def test_where_nothing_fails_the_frames_are_the_providers_own(
    script: list[Any], names: list[str], watched: bool
) -> None:
    """Whatever stands on it, watched or not."""
    recorder = Recorder()

    async def main() -> None:
        provider = Script(script)
        stream = Runtime(stacked(provider, names), hooks=[recorder] if watched else []).generate(ASKED)
        assert await stream.collect() == [step for step in script if isinstance(step, Frame)]
        assert (provider.open, len(provider.asked)) == (0, 1)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(main(), debug=False)
    check_lifecycle(recorder)


@given(
    st.lists(scripts, min_size=1, max_size=3),
    st.lists(st.sampled_from([*HARMLESS, *HARMFUL]), max_size=4),
    endings,
)
def test_whatever_fails_every_run_ends_and_nothing_is_left_open(
    scripts: list[list[Any]], names: list[str], ending: tuple[str, int] | None
) -> None:
    """Read to its end, closed or cancelled in the middle."""
    recorder = Recorder()

    async def main() -> None:
        provider = Script(*scripts)
        stream = Runtime(stacked(provider, names), hooks=[recorder]).generate(ASKED)
        with contextlib.suppress(ProviderError, ExceptionGroup, asyncio.CancelledError):
            await _read(stream, ending)
        assert provider.open == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtual(main(), debug=False)
    check_lifecycle(recorder)


@given(
    st.lists(scripts, min_size=1, max_size=4),
    st.lists(st.sampled_from([*HARMLESS, *HARMFUL]), max_size=2),
    st.sampled_from(["stop", "continue"]),
    endings,
)
def test_whatever_fails_in_a_fan_all_of_it_ends(
    scripts: list[list[Any]], names: list[str], on_error: Any, ending: tuple[str, int] | None
) -> None:
    """With several providers, each with the same above it."""
    recorder = Recorder()

    async def main() -> None:
        providers = [Script(script) for script in scripts]
        members = [stacked(provider, names) for provider in providers]
        with contextlib.suppress(ProviderError, ExceptionGroup, asyncio.CancelledError):
            await _read(fan(*map(_watched, members), on_error=on_error).generate(ASKED), ending)
        assert [provider.open for provider in providers] == [0] * len(providers)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def _watched(member: Provider) -> Provider:
        return Runtime(member, hooks=[recorder])

    run_virtual(main(), debug=False)
    check_lifecycle(recorder)


async def _read(stream: Any, ending: tuple[str, int] | None) -> None:
    if ending is None:
        await stream.collect()
        return
    how, number = ending
    if how == "cancel":
        task = asyncio.create_task(stream.collect())
        await asyncio.sleep(number * 0.75)
        task.cancel()
        await task
        return
    async with stream:
        for _ in range(number):
            if await anext(stream, None) is None:
                return
