"""What all embedders have in common: shapes, order, odd inputs, threads, and runs that handlers see."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import pytest

from sideband import Handler, Run, callbacks
from sideband.components import Usage
from sideband.embedders import Embedder, _local
from sideband.errors import MissingExtraError


class Seen(Handler):
    """Keeps the runs and outputs that it is told of."""

    def __init__(self) -> None:
        self.ended: list[tuple[Run, Any]] = []

    def on_end(self, run: Run, output: Any) -> None:
        self.ended.append((run, output))


def test_each_text_has_one_unit_vector(embedder: Embedder, texts: list[str]) -> None:
    """The shape is (texts, dimensions), 32-bit floats, and each row has length 1, whatever the text."""
    vectors = embedder.embed(texts)

    assert vectors.shape == (len(texts), embedder.dimensions)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_vectors(embedder: Embedder) -> None:
    """An empty list gives an empty array that still has its width."""
    vectors, tokens = embedder.embed_with_tokens([])

    assert vectors.shape == (0, embedder.dimensions)
    assert tokens == []
    assert embedder.count_tokens([]) == []


def test_vectors_stand_in_the_order_of_the_texts(embedder: Embedder, texts: list[str]) -> None:
    """Reversed texts give reversed vectors."""
    some = texts[:24]

    np.testing.assert_allclose(embedder.embed(some[::-1]), embedder.embed(some)[::-1], atol=1e-6)


def test_more_texts_than_are_tokenised_at_once_come_out_whole(wordllama: Embedder) -> None:
    """Long lists are worked through in windows, which nobody sees."""
    numbers = [f"number {n}" for n in range(_local._WINDOW + 10)]

    vectors, tokens = wordllama.embed_with_tokens(numbers)

    assert vectors.shape == (len(numbers), 256)
    assert tokens == wordllama.count_tokens(numbers)
    np.testing.assert_allclose(vectors[-3:], wordllama.embed(numbers[-3:]), atol=1e-6)


def test_long_texts_are_cut_and_counted_whole(embedder: Embedder) -> None:
    """What is read stops at `max_tokens`; `count_tokens` tells how long the text really is."""
    text = "word " * 3000

    vectors, tokens = embedder.embed_with_tokens([text])

    assert tokens == [embedder.max_tokens]
    assert embedder.count_tokens([text])[0] > 3000
    np.testing.assert_allclose(vectors, embedder.embed([text + "and more"]), atol=1e-6)


def test_meaning_is_near(embedder: Embedder) -> None:
    """A question is closer to its answer than to something else."""
    question, answer, other = embedder.embed(
        [
            "How do I read a CSV file?",
            "csv.reader: iterate over the rows of a CSV file",
            "Bake the bread for an hour",
        ]
    )

    assert question @ answer > question @ other + 0.2


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "nul\x00nul", "\ufffe\uffff", "e\u0301" * 50])
def test_odd_characters_do_no_harm(embedder: Embedder, text: str) -> None:
    """Lone surrogates, NULs and noncharacters are text, too."""
    assert np.isfinite(embedder.embed([text])).all()


def test_an_entry_that_is_no_string_is_named(embedder: Embedder) -> None:
    """The error has the entry's place and type."""
    wrong = cast("list[str]", ["a", b"b"])

    with pytest.raises(TypeError, match=r"texts\[1\] must be a string, got bytes: b'b'"):
        embedder.embed(wrong)
    with pytest.raises(TypeError, match=r"texts\[1\]"):
        embedder.count_tokens(wrong)


def test_one_string_is_not_taken_for_a_sequence(embedder: Embedder) -> None:
    """A bare string would else be embedded letter by letter."""
    with pytest.raises(TypeError, match=r"write \[text\]"):
        embedder.embed("text")


def test_one_instance_serves_several_threads(embedder: Embedder, texts: list[str]) -> None:
    """Four threads at once get what one gets."""
    parts = [texts[start : start + 5] for start in range(0, 40, 5)]
    expected = [embedder.embed_with_tokens(part) for part in parts]

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(embedder.embed_with_tokens, parts))

    for (vectors, tokens), wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(vectors, wanted.vectors, atol=1e-6)
        assert tokens == wanted.tokens


@pytest.mark.parametrize("method", ["embed", "embed_with_tokens"])
def test_handlers_see_an_embedding(embedder: Embedder, method: str) -> None:
    """A call is one run: its kind and type, the texts, the vectors, and the tokens read."""
    seen = Seen()
    texts = ["one text", "another"]

    with callbacks(seen):
        getattr(embedder, method)(texts)

    ((run, output),) = seen.ended
    assert (run.component, run.type, run.name) == ("Embedding", type(embedder).__name__, "embed")
    assert run.input == texts
    assert output.shape == (2, embedder.dimensions)
    assert run.usage == Usage(input_tokens=sum(embedder.embed_with_tokens(texts).tokens))


def test_what_is_not_installed_is_named_with_the_command() -> None:
    """A missing distribution, package or file says how to get it."""
    with pytest.raises(MissingExtraError, match=r'needs no-such.*pip install "sideband\[minilm\]"'):
        _local.identity("model", "no-such-distribution", "minilm")
    with pytest.raises(MissingExtraError, match=r"a\.bin of the package no_such_package"):
        _local.model_file("no_such_package", "a.bin", "minilm")
    with pytest.raises(MissingExtraError, match=r"a\.bin of the package sideband"):
        _local.model_file("sideband", "a.bin", "minilm")


def test_processors_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the system does not tell which ones this process may use."""
    assert _local.available_cpus() >= 1
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    assert _local.available_cpus() >= 1
