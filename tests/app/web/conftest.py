"""What tests of the web page share: a site with a real model, served on a free port."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest
from tests.web_site import serving_site

from sideband.app.web.site import Site

SiteAt = Callable[..., AbstractAsyncContextManager[tuple[Site, str]]]


@pytest.fixture
def site_at(tmp_path: Path) -> SiteAt:
    """Return what serves a new site: `async with site_at() as (site, url)`."""
    return partial(serving_site, tmp_path)
