"""WordLlama: the same vectors as the package's own code gives."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from sideband.embedders import Embedder, WordLlama

# In a Python of its own, since the package sets up logging when it is imported.
REFERENCE = """
import json, sys
from pathlib import Path
import wordllama
model = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
print(json.dumps(model.embed(json.load(sys.stdin), norm=True).tolist()))
"""


def test_vectors_are_those_of_the_packages_own_code(wordllama: Embedder, texts: list[str]) -> None:
    """Reading the files directly gives what the package's own model gives, to five digits."""
    few = [text for text in texts if text][:50]
    done = subprocess.run(
        [sys.executable, "-c", REFERENCE], input=json.dumps(few), capture_output=True, text=True, check=True
    )

    expected = np.array(json.loads(done.stdout))

    np.testing.assert_allclose(wordllama.embed(few), expected, atol=1e-5)


def test_the_empty_text_is_read_as_a_space(wordllama: Embedder) -> None:
    """A text without tokens has a vector of length 1 all the same."""
    vectors, tokens = wordllama.embed_with_tokens([""])

    assert tokens == [1]
    assert np.linalg.norm(vectors) == pytest.approx(1)


def test_a_limit_below_one_is_refused() -> None:
    """At least one token is read."""
    with pytest.raises(ValueError, match="max_tokens must be 1 or more, got 0"):
        WordLlama(max_tokens=0)
