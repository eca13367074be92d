"""WordLlama's static word vectors, without its package's code. May import observe, components, errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import numpy as np

# Its annotations name a bare os.PathLike.
from safetensors.numpy import load_file  # pyright: ignore[reportUnknownVariableType]
from tokenizers import Tokenizer

from sideband.embedders._local import LocalEmbedder, identity, model_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["WordLlama"]

_EXTRA = "wordllama"
_WEIGHTS = "weights/l2_supercat_256.safetensors"
_TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
_SPACE = 29871


@final
class WordLlama(LocalEmbedder):
    """WordLlama: 256 dimensions, the mean of fixed vectors of a text's tokens; thousands of chunks a second.

    It knows words, not their order or context: worse vectors than `MiniLM`'s, a hundred times as fast.
    Nearly all the time is tokenisation, which uses all processors: give it many texts at once.

    The package's own code is not imported: that would set up logging and look for a download.
    """

    def __init__(self, *, max_tokens: int = 2048) -> None:
        """Load the vectors and the tokenizer from their package; nothing is downloaded.

        Args:
            max_tokens: how much of a text is read; the model itself has no limit.

        Raises:
            MissingExtraError: the model's package is not installed.
            ValueError: `max_tokens` is out of its range.
        """
        if max_tokens < 1:
            msg = f"max_tokens must be 1 or more, got {max_tokens!r}"
            raise ValueError(msg)
        self.name: str = identity("wordllama-l2-supercat-256", "wordllama", _EXTRA)
        self.max_tokens: int = max_tokens
        weights = load_file(model_file("wordllama", _WEIGHTS, _EXTRA))
        self._table = weights["embedding.weight"].astype(np.float32)
        self.dimensions: int = self._table.shape[1]
        self._tokenizer = Tokenizer.from_file(str(model_file("wordllama", _TOKENIZER, _EXTRA)))

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        # The empty text has no token and so no mean: it is read as a space.
        return [encoding.ids or [_SPACE] for encoding in encodings]

    def _cut(self, ids: list[int]) -> list[int]:
        return ids[: self.max_tokens]

    def _pooled(self, texts: list[list[int]]) -> NDArray[np.float32]:
        return np.stack([self._table.take(ids, axis=0).mean(axis=0) for ids in texts])
