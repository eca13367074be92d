"""Language models, each through its maker's own library. May import generation, components, errors.

Each needs an extra of its own; importing this package needs none, and loads nothing but the standard library.
"""

from sideband.errors import MissingExtraError
from sideband.providers._errors import (
    LocalModelError,
    LocalModelNotRunningError,
    LocalModelStartError,
    LocalModelTimeoutError,
    ModelFileNotFoundError,
)
from sideband.providers.local import LocalModel

__all__ = [
    "LocalModel",
    "LocalModelError",
    "LocalModelNotRunningError",
    "LocalModelStartError",
    "LocalModelTimeoutError",
    "MissingExtraError",
    "ModelFileNotFoundError",
]
