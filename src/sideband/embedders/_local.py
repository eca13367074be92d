"""What embedders whose model runs in this process have in common. May import observe, components, errors."""

from __future__ import annotations

import os
import re
import reprlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sideband.components import Usage
from sideband.embedders._protocol import Embeddings
from sideband.errors import MissingExtraError
from sideband.observe import observe

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from tokenizers import Tokenizer

__all__ = ["LocalEmbedder", "available_cpus", "identity", "model_file"]

_SURROGATES = re.compile("[\ud800-\udfff]")
# Texts tokenised at once: enough to find others of like length, few enough that a long list needs little memory.
_WINDOW = 1024


class LocalEmbedder(ABC):
    """An embedder whose model runs in this process; a subclass tokenises and computes vectors.

    Each call of `embed` or `embed_with_tokens` is a run of kind Embedding: its input is the texts, its
    output the vectors, its usage the tokens read.

    Order: vectors stand in the order of the texts, whatever was computed first.
    Cancellation: none; a call runs to its end.
    Closing: nothing to close.
    Threads: one instance may be used from any number of threads at once: nothing changes after it is made.
        Do not use it in a process forked after it was made.
    Cost: computes, so call it from a worker thread, not on an event loop.
    """

    name: str
    """The model and its version, as `load` takes it; stored with an index, to search it with the same model."""
    dimensions: int
    """The length of each vector."""
    max_tokens: int
    """How much of a text is read, in tokens; what is behind that does not count."""
    _tokenizer: Tokenizer

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector of length 1 for each text, in order: shape (number of texts, dimensions).

        A text longer than `max_tokens` is cut there; the empty text has a vector too; lone surrogates
        are read as U+FFFD, the replacement character.

        Args:
            texts: any number of texts, also none.

        Raises:
            TypeError: `texts` is one string, or an entry is no string.
        """
        return self.embed_with_tokens(texts).vectors

    def embed_with_tokens(self, texts: Sequence[str]) -> Embeddings:
        """Return what `embed` does, and the number of tokens read of each text, tokenising once.

        Raises:
            TypeError: `texts` is one string, or an entry is no string.
        """
        with observe("embed", component="Embedding", type=type(self).__name__, input=texts) as run:
            embeddings = self._embed(_checked(texts))
            run.output = embeddings.vectors
            run.usage = Usage(input_tokens=sum(embeddings.tokens))
        return embeddings

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each whole text has, which may be more than `max_tokens`.

        Raises:
            TypeError: `texts` is one string, or an entry is no string.
        """
        checked = _checked(texts)
        windows = (checked[start : start + _WINDOW] for start in range(0, len(checked), _WINDOW))
        return [len(ids) for window in windows for ids in self._tokenize(window)]

    def _embed(self, texts: list[str]) -> Embeddings:
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        tokens: list[int] = []
        for start in range(0, len(texts), _WINDOW):
            read = [self._cut(ids) for ids in self._tokenize(texts[start : start + _WINDOW])]
            tokens += map(len, read)
            vectors[start : start + len(read)] = self._pooled(read)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Embeddings(vectors, tokens)

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]

    @abstractmethod
    def _cut(self, ids: list[int]) -> list[int]:
        """Return the tokens that are read of a text: `max_tokens` at most."""

    @abstractmethod
    def _pooled(self, texts: list[list[int]]) -> NDArray[np.float32]:
        """Return the mean of each text's token vectors, in order."""


def identity(model: str, distribution: str, extra: str) -> str:
    """Return the model's name with the version of the distribution that it came in."""
    try:
        return f"{model}@{version(distribution)}"
    except PackageNotFoundError as error:
        raise MissingExtraError(extra, distribution) from error


def model_file(package: str, path: str, extra: str) -> Path:
    """Return where a file of a package lies, without importing the package."""
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder, path)
        if file.is_file():
            return file
    raise MissingExtraError(extra, f"{path} of the package {package}")


def available_cpus() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _checked(texts: Sequence[object]) -> list[str]:
    if isinstance(texts, str):
        msg = f"texts must be a sequence of strings, got the string {reprlib.repr(texts)}; write [text] for a single one"
        raise TypeError(msg)
    return [_readable(text, index) for index, text in enumerate(texts)]


def _readable(text: object, index: int) -> str:
    if not isinstance(text, str):
        msg = f"texts[{index}] must be a string, got {type(text).__name__}: {reprlib.repr(text)}"
        raise TypeError(msg)
    # The tokenizers take what can be written as UTF-8, which lone surrogates cannot.
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)
