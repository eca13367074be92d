"""What the application's tests share: a small model that needs no weights, and a store for its vectors."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from sideband.app.store import Store
from sideband.embedders import Embedder, Embeddings


class HashingEmbedder:
    """A bag of hashed words: texts that share words are near each other. Enough to test a store by."""

    name = "hashing"
    dimensions = 64
    max_tokens = 256

    def __init__(self) -> None:
        """Remember the sizes of the batches that it is given."""
        self.batches: list[int] = []

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        return self.embed_with_tokens(texts).vectors

    def embed_with_tokens(self, texts: Sequence[str]) -> Embeddings:
        self.batches.append(len(texts))
        vectors = np.full((len(texts), self.dimensions), 1e-3, dtype=np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            for word in _words(text):
                vector[hashlib.blake2b(word.encode(), digest_size=1).digest()[0] % self.dimensions] += 1
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return Embeddings(vectors, self.count_tokens(texts))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(_words(text)) for text in texts]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


@pytest.fixture
def embedder() -> HashingEmbedder:
    """Return a small deterministic model."""
    return HashingEmbedder()


@pytest.fixture
def store(tmp_path: Path, embedder: Embedder) -> Iterator[Store]:
    """Return a new store for the small model's vectors."""
    with Store.create(tmp_path / "s.db", model=embedder.name, dimensions=embedder.dimensions) as store:
        yield store
