"""Which embedding model an index is made with. May import the store and the embedders."""

from __future__ import annotations

from pathlib import Path

from sideband.app.errors import StoreModelError, StoreNotFoundError
from sideband.app.store import Store
from sideband.embedders import Embedder, ModelChangedError, load

__all__ = ["DEFAULT_MODEL", "default_batch_size", "load_model", "model_name"]

DEFAULT_MODEL = "minilm"

_BATCH_SIZES = {"all-MiniLM-L6-v2-int8": 64}
"""MiniLM gains hardly anything from more, and in smaller batches progress is seen sooner."""
_DEFAULT_BATCH_SIZE = 256


def default_batch_size(embedder: Embedder) -> int:
    """Return the batch size with which an embedder is used where none is asked for."""
    return _BATCH_SIZES.get(embedder.name.partition("@")[0], _DEFAULT_BATCH_SIZE)


def model_name(given: str | None, path: Path) -> str:
    """Return the model asked for, else the one with which the store was made, else the default.

    Raises:
        StoreError: it is no store, or cannot be read.
    """
    if given is not None:
        return given
    try:
        with Store.open(path) as store:
            return store.model
    except StoreNotFoundError:
        return DEFAULT_MODEL


def load_model(name: str, path: Path) -> Embedder:
    """Load the model for a store.

    Raises:
        StoreModelError: another version of it is installed than that with which the store was made.
        MissingExtraError: what it needs is not installed.
    """
    try:
        return load(name)
    except ModelChangedError as error:
        raise StoreModelError(path, stored=error.wanted, wanted=error.installed) from error
