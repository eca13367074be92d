from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sideband import Component, Handler, Outcome, Run
from sideband.app.corpus import Corpus, Part, Skipped
from sideband.app.errors import NothingToIndexError, StoreAccessError
from sideband.app.files import file_corpus
from sideband.app.index import IndexReport, index
from sideband.app.meter import Meter
from sideband.app.store import Entry, Store
from sideband.components import Document
from sideband.embedders import Embedder, Embeddings

from .helpers import generated


class Recorder(Handler):
    """Keeps every run that ended, and every event."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self.events: list[tuple[str, str, Any]] = []

    def on_end(self, run: Run, output: Any) -> None:
        self.runs.append(run)

    def on_error(self, run: Run, error: BaseException) -> None:
        self.runs.append(run)

    def on_event(self, run: Run, name: str, payload: Any) -> None:
        self.events.append((run.name, name, payload))

    def of(self, kind: Component) -> list[Run]:
        return [run for run in self.runs if run.component is kind]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "docs"
    found.mkdir()
    for name, text in (
        ("a.md", "# Apples\n\nApples are red."),
        ("b.txt", "Bananas are yellow."),
        ("c.py", "'''Cherries.'''"),
    ):
        (found / name).write_text(text)
    return found


async def found(*folders: Path) -> Corpus:
    """Return the corpus of some folders, looked up beside the loop."""
    return await asyncio.to_thread(file_corpus, folders)


def counts(report: IndexReport) -> tuple[int, int, int, int, int]:
    return report.new, report.changed, report.unchanged, report.removed, len(report.skipped)


async def test_documents_are_found_once_they_are_indexed(
    store: Store, embedder: Embedder, folder: Path
) -> None:
    """Every file is new, and a search by its words finds it first."""
    report = await index([await found(folder)], store, embedder, batch_size=4)

    assert counts(report) == (3, 0, 0, 0, 0)
    (best,) = store.search(embedder.embed(["yellow bananas"])[0], 1)
    assert best.metadata["title"] == "b.txt"


async def test_what_has_not_changed_is_not_embedded_again(store: Store, embedder: Any, folder: Path) -> None:
    """A second run embeds what is new or changed, and removes what is gone."""
    await index([await found(folder)], store, embedder, batch_size=4)
    embedder.batches.clear()
    (folder / "a.md").write_text("# Apples\n\nApples are green.")
    (folder / "b.txt").unlink()
    (folder / "d.md").write_text("Dates are brown.")

    report = await index([await found(folder)], store, embedder, batch_size=4)

    assert counts(report) == (1, 1, 1, 1, 0)
    assert sum(embedder.batches) == 2
    assert sorted(Path(source).name for source in store.hashes("files")) == ["a.md", "c.py", "d.md"]


async def test_a_run_over_what_is_unchanged_embeds_nothing(store: Store, embedder: Any, folder: Path) -> None:
    """The model is not asked at all."""
    await index([await found(folder)], store, embedder, batch_size=4)
    embedder.batches.clear()

    assert counts(await index([await found(folder)], store, embedder, batch_size=4)) == (0, 0, 3, 0, 0)
    assert embedder.batches == []


async def test_deleted_files_leave_when_their_own_folder_is_indexed_again(
    store: Store, embedder: Embedder, folder: Path, tmp_path: Path
) -> None:
    """Each folder is brought up to date by itself, and others' documents stay; a renamed file is one document."""
    other = tmp_path / "docs2"
    other.mkdir()
    (other / "x.md").write_text("Other.")
    await index([await found(folder, other)], store, embedder, batch_size=4)
    (folder / "a.md").unlink()
    (folder / "b.txt").rename(folder / "z.txt")
    (other / "x.md").unlink()
    (other / "y.md").write_text("Another.")

    assert counts(await index([await found(other)], store, embedder, batch_size=4)) == (1, 0, 0, 1, 0)
    assert len(store.hashes("files")) == 4
    assert counts(await index([await found(folder)], store, embedder, batch_size=4)) == (1, 0, 1, 2, 0)
    assert sorted(Path(source).name for source in store.hashes("files")) == ["c.py", "y.md", "z.txt"]


async def test_a_file_is_one_document_however_it_is_named(
    store: Store, embedder: Embedder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given twice, by two roots, or from another working folder."""
    twice = await found(folder, folder / "a.md", folder / ".." / folder.name)
    assert counts(await index([twice], store, embedder, batch_size=4)) == (3, 0, 0, 0, 0)
    monkeypatch.chdir(folder)

    assert counts(await index([await found(Path("a.md"))], store, embedder, batch_size=4)) == (0, 0, 1, 0, 0)
    assert counts(await index([await found(Path())], store, embedder, batch_size=4)) == (0, 0, 3, 0, 0)


async def test_a_file_that_goes_away_between_finding_and_reading_is_named_and_leaves(
    store: Store, embedder: Embedder, folder: Path
) -> None:
    """What is not there any more is not searched."""
    await index([await found(folder)], store, embedder, batch_size=4)
    corpus = await found(folder)
    (folder / "b.txt").unlink()

    report = await index([corpus], store, embedder, batch_size=4)

    assert counts(report) == (0, 0, 2, 1, 1)
    assert "No such file" in report.skipped[0].reason


async def test_a_file_that_changes_while_it_is_indexed_is_replaced_by_the_next_run(
    store: Store, embedder: Embedder, folder: Path
) -> None:
    """What is stored is what was read, under the hash of what was read."""

    class Change(Handler):
        def on_end(self, run: Run, output: Any) -> None:
            if run.name == "read" and run.input.endswith("b.txt"):
                (folder / "b.txt").write_text("Bananas are brown.")

    await index([await found(folder)], store, embedder, batch_size=4, handlers=[Change()])
    before = store.search(embedder.embed(["bananas"])[0], 1)[0].text
    report = await index([await found(folder)], store, embedder, batch_size=4)

    assert counts(report) == (0, 1, 2, 0, 0)
    assert before == "Bananas are yellow."
    assert store.search(embedder.embed(["bananas"])[0], 1)[0].text == "Bananas are brown."


async def test_bad_files_are_named_and_the_others_indexed(
    store: Store, embedder: Embedder, folder: Path
) -> None:
    """Each is an event and in the report; an earlier version of a file that is now no text is removed."""
    await index([await found(folder)], store, embedder, batch_size=4)
    (folder / "a.md").write_bytes(b"\x00\x01")
    (folder / "bad.txt").write_bytes(b"\xff")
    recorder = Recorder()

    report = await index([await found(folder)], store, embedder, batch_size=4, handlers=[recorder])

    assert counts(report) == (0, 0, 2, 1, 2)
    assert [payload for _, name, payload in recorder.events if name == "skipped"] == list(report.skipped)


async def test_nothing_to_index_is_an_error_that_says_where(
    store: Store, embedder: Embedder, tmp_path: Path
) -> None:
    """An empty folder, and one in which every file is bad."""
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NothingToIndexError, match=r"empty.*no files there of a kind"):
        await index([await found(empty)], store, embedder, batch_size=4)
    (empty / "a.md").touch()
    with pytest.raises(NothingToIndexError, match="the only file there was skipped"):
        await index([await found(empty)], store, embedder, batch_size=4)


async def test_everything_on_the_way_is_a_run(store: Store, embedder: Embedder, folder: Path) -> None:
    """Reading, cutting, serving, batches and storing are seen by one handler, under one run."""
    recorder, meter = Recorder(), Meter()

    report = await index([await found(folder)], store, embedder, batch_size=2, handlers=[recorder, meter])

    (whole,) = recorder.of(Component.WORKFLOW)
    assert whole.output is report
    assert [len(recorder.of(kind)) for kind in (Component.LOADER, Component.INDEXER, Component.SERVING)] == [
        3,
        2,
        2,
    ]
    assert all(run.parent is whole for run in recorder.of(Component.SERVING) + recorder.of(Component.INDEXER))
    assert sum(run.attributes["batch_size"] for run in recorder.of(Component.BATCH)) == 3
    assert (meter.files, meter.files_read, meter.chunks, meter.chunks_found, meter.documents_stored) == (
        3,
        3,
        3,
        3,
        3,
    )
    assert meter.tokens == sum(
        item["tokens"] for _, event, payload in recorder.events if event == "progress" for item in payload
    )


async def test_hundreds_of_documents_come_out_with_their_own_vectors(store: Store, embedder: Any) -> None:
    """Over many windows and batches, no vector goes to another document."""
    report = await index([generated(500)], store, embedder, batch_size=8)

    assert report.new == 500
    assert max(embedder.batches) <= 8
    for n in (0, 123, 499):
        text = f"d{n}\ntext number {n} " + "word " * (n % 40)
        (best, *_) = store.search(embedder.embed([text.strip()])[0], 5)
        assert best.score == pytest.approx(1, abs=1e-5)


async def test_reading_waits_for_the_model(store: Store, embedder: Any) -> None:
    """A slow model holds a fast reader back, so that a corpus does not fill the memory."""
    read: list[int] = []
    gate = threading.Event()
    ahead: list[int] = []
    plain = embedder.embed_with_tokens

    def slow(texts: Sequence[str]) -> Embeddings:
        if not gate.is_set():
            settled = -1
            while settled != len(read):
                settled = len(read)
                gate.wait(0.3)
            ahead.append(settled)
            gate.set()
        found: Embeddings = plain(texts)
        return found

    embedder.embed_with_tokens = slow
    report = await index([generated(1_000, read.append)], store, embedder, batch_size=1)

    assert report.new == 1_000
    assert ahead[0] < 400


async def test_a_failing_model_fails_the_run_with_its_own_error(
    store: Store, embedder: Any, folder: Path
) -> None:
    """The very exception comes out, not a group of it, and nothing was stored in part."""
    error = RuntimeError("the model is broken")

    def broken(texts: Sequence[str]) -> Embeddings:
        raise error

    embedder.embed_with_tokens = broken
    recorder = Recorder()
    with pytest.raises(RuntimeError) as caught:
        await index([await found(folder)], store, embedder, batch_size=4, handlers=[recorder])

    assert caught.value is error
    assert recorder.of(Component.WORKFLOW)[0].outcome is Outcome.ERROR
    assert store.info().chunks == 0


async def test_a_failing_store_fails_the_run(
    store: Store, embedder: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk stops reading and embedding, too."""

    def full(self: Store, entries: Iterator[Entry]) -> None:
        raise StoreAccessError(self.path, "disk full")

    monkeypatch.setattr(Store, "write", full)
    with pytest.raises(StoreAccessError, match="disk full"):
        await index([generated(500)], store, embedder, batch_size=4)


async def test_two_corpora_of_one_id_do_not_disturb_each_other(
    store: Store, embedder: Embedder, folder: Path
) -> None:
    """Ids are unique in their collection only."""
    other = Corpus(
        collection="stdlib",
        places=("std",),
        parts=[Part(name="p", read=lambda: [Document(id=str(folder / "a.md"), text="other")])],
        covers=lambda _: True,
    )

    report = await index([other, await found(folder)], store, embedder, batch_size=4)

    assert report.new == 4
    assert store.info().sources == {"files": 3, "stdlib": 1}


async def test_a_skipped_file_is_kept_where_it_could_only_not_be_read_now(
    store: Store, embedder: Embedder
) -> None:
    """A file whose disk is away for a moment is not thrown out of the store."""
    await index([generated(2)], store, embedder, batch_size=4)
    away = Corpus(
        collection="files",
        places=("generated",),
        parts=[
            *generated(1).parts,
            Part(name="d1", read=lambda: Skipped(path="d1", reason="input/output error", keep=True)),
        ],
        covers=lambda _: True,
    )

    assert counts(await index([away], store, embedder, batch_size=4)) == (0, 0, 1, 0, 1)
    assert sorted(store.hashes("files")) == ["d0", "d1"]
