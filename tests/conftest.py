"""What every test stands on: Hypothesis profiles, a guard for the event loop, and a guard for what a test leaves behind."""

import os
from collections.abc import Iterator

import pytest
from blockbuster import BlockBuster, blockbuster_ctx
from hypothesis import settings

settings.register_profile("default", max_examples=50, deadline=None, derandomize=True, database=None)
settings.register_profile("deep", max_examples=2_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def no_blocking_call_on_the_loop() -> Iterator[BlockBuster]:
    """Fail a test in which Sideband's own code blocks a running event loop."""
    with blockbuster_ctx("sideband") as guard:
        yield guard
