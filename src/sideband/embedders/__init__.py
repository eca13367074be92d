"""Embedding models that run in this process. May import observe, components, errors.

`load("minilm")` gives the default, `load("wordllama")` the fast one. Each needs an extra of its own; importing this
package needs none, and loads nothing but the standard library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, cast

from sideband.embedders._errors import ModelChangedError, UnknownEmbedderError
from sideband.embedders._protocol import Embedder, Embeddings
from sideband.errors import MissingExtraError

if TYPE_CHECKING:
    from sideband.embedders.minilm import MiniLM as MiniLM
    from sideband.embedders.static import WordLlama as WordLlama

__all__ = [
    "EMBEDDERS",
    "Embedder",
    "Embeddings",
    "MiniLM",
    "MissingExtraError",
    "ModelChangedError",
    "UnknownEmbedderError",
    "WordLlama",
    "load",
]


class _Place(NamedTuple):
    model: str
    module: str
    attribute: str


_PLACES = {
    "minilm": _Place("all-MiniLM-L6-v2-int8", "sideband.embedders.minilm", "MiniLM"),
    "wordllama": _Place("wordllama-l2-supercat-256", "sideband.embedders.static", "WordLlama"),
}

EMBEDDERS = tuple(_PLACES)
"""The names that `load` takes; each is also the name of the extra that it needs."""


def load(name: str = "minilm") -> Embedder:
    """Load an embedder from the packages installed; nothing is downloaded.

    Args:
        name: one of `EMBEDDERS`, or an embedder's own `name`, as an index keeps it: that very version, then.

    Raises:
        UnknownEmbedderError: no embedder has the name.
        MissingExtraError: what it needs is not installed; the message has the command that installs it.
        ModelChangedError: another version of the model is installed than `name` asks for.
    """
    model = name.partition("@")[0]
    extra = next((extra for extra, place in _PLACES.items() if name == extra or model == place.model), None)
    if extra is None:
        raise UnknownEmbedderError(name, EMBEDDERS)
    embedder = cast("type[Embedder]", _imported(extra))()
    if name not in (extra, embedder.name):
        raise ModelChangedError(name, embedder.name)
    return embedder


def _imported(extra: str) -> object:
    """Return the class of an embedder."""
    place = _PLACES[extra]
    try:
        module = import_module(place.module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "sideband":
            raise
        raise MissingExtraError(extra, error.name) from error
    return getattr(module, place.attribute)


# Hidden from type checkers, which would else take every name for one that there is.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import an embedder's class when it is first asked for."""
        for extra, place in _PLACES.items():
            if place.attribute == name:
                return _imported(extra)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
