"""What every test stands on: event loops, Hypothesis profiles, and guards for the loop and for what a test leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings

from sideband.scope import current_run
from sideband.scope._registry import registry

# A shell that starts the suite in the background has it ignore these, and so would every program that a test starts.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

settings.register_profile("default", max_examples=50, deadline=None, derandomize=True, database=None)
settings.register_profile("deep", max_examples=2_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def uvloop() -> asyncio.AbstractEventLoop:
    """Make a loop of uvloop's."""
    import uvloop

    return uvloop.new_event_loop()


def eager() -> asyncio.AbstractEventLoop:
    """Make a loop of asyncio's whose tasks run at once until they first wait."""
    loop = asyncio.new_event_loop()
    if sys.version_info >= (3, 12):
        loop.set_task_factory(asyncio.eager_task_factory)
    return loop


LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop,
    "eager": eager,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the event loop be chosen."""
    parser.addoption("--loop", choices=LOOPS, help="run only the tests that need an event loop, on this one")


def pytest_asyncio_loop_factories(
    config: pytest.Config,
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run coroutine tests on the loop that was asked for."""
    name = config.getoption("loop") or "asyncio"
    return {name: LOOPS[name]}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that another loop cannot make a difference to."""
    if config.getoption("loop") is None:
        return
    if config.getoption("loop") == "eager" and sys.version_info < (3, 12):
        pytest.exit("Eager tasks need Python 3.12 or newer.", returncode=pytest.ExitCode.USAGE_ERROR)
    others = [item for item in items if not _depends_on_the_loop(item)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if _depends_on_the_loop(item)]


def _depends_on_the_loop(item: pytest.Item) -> bool:
    """Tell coroutine tests from others; those in a browser are about its page."""
    return item.get_closest_marker("asyncio") is not None and "browser" not in item.path.parent.parts


@pytest.fixture(autouse=True)
def no_blocking_call_on_the_loop() -> Iterator[BlockBuster]:
    """Fail a test in which Sideband's own code blocks a running event loop."""
    with blockbuster_ctx("sideband") as guard:
        yield guard


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a global handler registered, or a run current, for the tests after it."""
    yield
    left = registry.entries
    run = current_run()
    # Only the test that left them fails, not those after it.
    for registration in registry._registrations:
        registration.remove()
    assert not left, f"The test left global handlers behind: {left!r}"
    assert run is None, f"The test left a run current: {run!r}"
