"""The embedded model, started once for all tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sideband.providers import LocalModel


@pytest.fixture(scope="session")
def local_model() -> Iterator[LocalModel]:
    """Run SmolLM2 so that equal requests get equal answers, in whatever order the tests run."""
    with LocalModel(prompt_cache=False, context=2048) as model:
        yield model
