"""The store as a retriever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from sideband import callbacks
from sideband.app.chunks import Chunk
from sideband.app.errors import StoreModelError, StoreNotFoundError
from sideband.app.retriever import StoreRetriever
from sideband.app.store import Entry, Store
from sideband.components import Document
from sideband.embedders import Embedder
from sideband.graph import Chain
from sideband.testing import Recorder, check_lifecycle


@pytest.fixture
def filled(store: Store, embedder: Embedder) -> Path:
    """Return the file of a store with three documents."""
    texts = {
        "sea": "the sea is blue and deep",
        "hill": "the hill is green",
        "sun": "the sun is hot and bright",
    }
    vectors = embedder.embed(list(texts.values()))
    store.write(
        Entry(
            collection="files",
            source=name,
            title=name,
            hash=name,
            chunks=[Chunk(text=text, start=0, line=1)],
            vectors=vectors[place : place + 1],
        )
        for place, (name, text) in enumerate(texts.items())
    )
    return store.path


@pytest.fixture
def retriever(filled: Path, embedder: Embedder) -> Iterator[StoreRetriever]:
    """Return a retriever over it, opened where no loop has to wait for that."""
    with StoreRetriever(filled, top_k=2, embedder=embedder) as retriever:
        yield retriever


async def test_what_fits_best_comes_first(retriever: StoreRetriever) -> None:
    """As documents, `top_k` of them, in a run of kind Retriever."""
    recorder = Recorder()
    with callbacks(recorder):
        found = await retriever("deep blue sea")

    check_lifecycle(recorder)
    assert [type(one) for one in found] == [Document, Document]
    assert found[0].text == "the sea is blue and deep"
    run = recorder.runs()[0]
    assert (run.component.value, run.name, run.type, run.input, run.output) == (
        "Retriever",
        "retriever",
        "sqlite-vec",
        "deep blue sea",
        found,
    )


def test_what_fits_too_little_is_left_out(filled: Path, embedder: Embedder) -> None:
    """By the cosine similarity."""
    with StoreRetriever(filled, score_threshold=0.99, embedder=embedder) as retriever:
        assert [one.text for one in asyncio.run(retriever("the hill is green"))] == ["the hill is green"]
        assert asyncio.run(retriever("something else entirely")) == []


async def test_a_retriever_is_a_node_and_many_may_ask_at_once(retriever: StoreRetriever) -> None:
    """One after the other, in threads."""
    chain = Chain[str, list[Document]]("find").append(retriever).compile()
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(chain.invoke(text)) for text in ("the hill is green", "the sun is hot") * 5
        ]

    assert {task.result()[0].text for task in tasks} == {"the hill is green", "the sun is hot and bright"}


def test_what_cannot_be_asked_is_refused_at_once(filled: Path, tmp_path: Path, embedder: Embedder) -> None:
    """No store, another model's, no results."""
    with pytest.raises(StoreNotFoundError):
        StoreRetriever(tmp_path / "none.db")
    with pytest.raises(ValueError, match="top_k must be within 1 to 4096, got 0"):
        StoreRetriever(filled, top_k=0)
    Store.create(tmp_path / "other.db", model="another", dimensions=2).close()
    with pytest.raises(StoreModelError):
        StoreRetriever(tmp_path / "other.db", embedder=embedder)
