"""Language models, each through its maker's own library. May import generation, components, errors.

`load("local")` gives one that runs on this machine, offline; `load("openai", "gpt-5-mini")`, `load("anthropic", …)` and so
on those of their makers. Each needs an extra of its own; importing this package needs none, and loads nothing but the
standard library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sideband.errors import MissingExtraError
from sideband.providers._errors import (
    LocalModelError,
    LocalModelNotRunningError,
    LocalModelStartError,
    LocalModelTimeoutError,
    ModelFileNotFoundError,
    UnknownProviderError,
)
from sideband.providers._protocol import ClosableProvider
from sideband.providers.local import LocalModel

if TYPE_CHECKING:
    from sideband.providers.anthropic import Anthropic as Anthropic
    from sideband.providers.google import Google as Google
    from sideband.providers.litellm import LiteLLM as LiteLLM
    from sideband.providers.ollama import Ollama as Ollama
    from sideband.providers.openai import OpenAI as OpenAI
    from sideband.providers.openai import OpenAIResponses as OpenAIResponses

# LiteLLM goes with no other SDK: `import *` would fail for it everywhere.
__all__ = [
    "PROVIDERS",
    "Anthropic",
    "ClosableProvider",
    "Google",
    "LocalModel",
    "LocalModelError",
    "LocalModelNotRunningError",
    "LocalModelStartError",
    "LocalModelTimeoutError",
    "MissingExtraError",
    "ModelFileNotFoundError",
    "Ollama",
    "OpenAI",
    "OpenAIResponses",
    "UnknownProviderError",
    "load",
]


class _Place(NamedTuple):
    extra: str
    module: str
    attribute: str


_PLACES = {
    "local": _Place("local", "sideband.providers.local", "LocalModel"),
    "openai": _Place("openai", "sideband.providers.openai", "OpenAI"),
    "openai-responses": _Place("openai", "sideband.providers.openai", "OpenAIResponses"),
    "anthropic": _Place("anthropic", "sideband.providers.anthropic", "Anthropic"),
    "google": _Place("google", "sideband.providers.google", "Google"),
    "ollama": _Place("ollama", "sideband.providers.ollama", "Ollama"),
    "litellm": _Place("litellm", "sideband.providers.litellm", "LiteLLM"),
}

PROVIDERS = tuple(_PLACES)
"""The names that `load` takes."""


def load(name: str = "local", model: str = "", **options: Any) -> ClosableProvider:
    """Make a provider by its name; nothing is sent or started.

    Args:
        name: one of `PROVIDERS`.
        model: which model answers requests that name none; of "local" the path of a GGUF file, by default SmolLM2's.
        options: what its class takes.

    Raises:
        UnknownProviderError: no provider has the name.
        MissingExtraError: its SDK is not installed; the message has the command that installs it.
        AuthenticationError: it needs a key, and none is given or in the environment.
    """
    place = _PLACES.get(name)
    if place is None:
        raise UnknownProviderError(name, PROVIDERS)
    make = cast("type[Any]", _imported(place))
    provider: ClosableProvider = make(model or None, **options) if name == "local" else make(model, **options)
    return provider


def _imported(place: _Place) -> object:
    """Return the class of a provider."""
    try:
        module = import_module(place.module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "sideband":
            raise
        raise MissingExtraError(place.extra, error.name) from error
    return getattr(module, place.attribute)


# Hidden from type checkers, which would else take every name for one that there is.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a provider's class when it is first asked for."""
        for place in _PLACES.values():
            if place.attribute == name:
                return _imported(place)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
