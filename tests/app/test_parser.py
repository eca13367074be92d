from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sideband import Component, Handler, Run
from sideband.app.corpus import Skipped
from sideband.app.files import SUFFIXES, FileReader, file_corpus
from sideband.app.formats.extracted import FormatError
from sideband.app.index import index
from sideband.app.parser import Parser, ParserFailedError
from sideband.app.store import Store
from sideband.embedders import Embedder

SAMPLES = Path(__file__).parent / "samples"
ENDLESS = b"<div>" * 1_000_000
"""A page for which the algorithm of the HTML standard takes an hour: each element looks at all that are open."""

linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for what a process may use")


@pytest.fixture
def parser() -> Iterator[Parser]:
    """Return a parser that gives a file little time."""
    parser = Parser(seconds=20)
    yield parser
    parser.close()


def pid(parser: Parser) -> int:
    parser.parse("html", b"started")
    assert parser._process is not None
    return parser._process.pid


def test_one_process_parses_many_files(parser: Parser) -> None:
    """Files of all formats go to the process that there is."""
    first = pid(parser)

    assert "nine metres" in parser.parse("html", (SAMPLES / "harbour.html").read_bytes()).text
    assert parser.parse("pdf", (SAMPLES / "harbour.pdf").read_bytes()).places[1][1] == "page 2"
    with pytest.raises(FormatError, match="encrypted"):
        parser.parse("pdf", (SAMPLES / "encrypted.pdf").read_bytes())
    assert pid(parser) == first


def test_a_file_that_takes_too_long_costs_nobody_else_anything() -> None:
    """Its process is ended, and the next file has another."""
    parser = Parser(seconds=1)
    with pytest.raises(ParserFailedError, match="over 1 s"):
        parser.parse("html", ENDLESS)

    assert parser.parse("html", b"<p>next").text == "next"
    parser.close()


@linux
def test_a_file_that_crashes_its_parser_costs_nobody_else_anything(parser: Parser) -> None:
    """What a signal ended is named, and the next file has another process."""
    import resource

    resource.prlimit(pid(parser), resource.RLIMIT_CPU, (1, 2))
    with pytest.raises(ParserFailedError, match=r"crashed \(SIGXCPU\)"):
        parser.parse("html", ENDLESS)

    assert parser.parse("html", b"<p>next").text == "next"


@linux
def test_a_file_that_takes_too_much_memory_is_refused(parser: Parser) -> None:
    """It is told, or its process ends; no other process gets short of memory."""
    import resource

    used = int(Path(f"/proc/{pid(parser)}/statm").read_text().split()[0]) * resource.getpagesize()
    resource.prlimit(pid(parser), resource.RLIMIT_AS, (used + 2**20, used + 2**20))
    with pytest.raises((FormatError, ParserFailedError), match=r"too big|crashed"):
        parser.parse("html", b"<p>text" * 1_000_000)

    assert parser.parse("html", b"<p>next").text == "next"


def test_a_process_that_somebody_ended_is_replaced(parser: Parser) -> None:
    """A parser that is gone between two files is not missed."""
    os.kill(pid(parser), signal.SIGKILL)
    assert parser._process is not None
    parser._process.wait()

    assert parser.parse("html", b"<p>next").text == "next"


def test_text_nested_too_deeply_is_refused(parser: Parser) -> None:
    """Python's stack is not for files to fill."""
    quotes = "\n".join(" " * depth + "deep\n" for depth in range(400))

    with pytest.raises(FormatError, match="nested too deeply"):
        parser.parse("rst", quotes.encode())


def test_the_folder_of_the_documents_is_no_place_for_modules(
    parser: Parser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file named like a module of Python's is not run for lying where the program was started."""
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)

    assert parser.parse("html", b"<p>read").text == "read"


def test_closing_ends_the_process_and_reading_goes_on_with_another(parser: Parser) -> None:
    """Nothing is left running, and closing twice is harmless."""
    process = pid(parser)
    parser.close()
    parser.close()

    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert parser.parse("html", b"<p>again").text == "again"


def test_closing_gives_up_the_file_that_is_being_parsed(parser: Parser) -> None:
    """Whoever waits for it is told."""
    pid(parser)
    with ThreadPoolExecutor() as pool:
        parsing = pool.submit(parser.parse, "html", ENDLESS)
        while not parsing.done():
            parser.close()

        with pytest.raises(ParserFailedError, match="crashed"):
            parsing.result()


async def test_a_cancelled_run_does_not_wait_for_a_file_that_takes_long(
    embedder: Embedder, tmp_path: Path
) -> None:
    """A page that would take minutes is given up at once, and so are those after it."""
    for number in range(3):
        (tmp_path / f"{number}.html").write_bytes(ENDLESS)
    reading, loop = asyncio.Event(), asyncio.get_running_loop()

    class Reading(Handler):
        def on_start(self, run: Run, input: Any) -> None:  # noqa: A002
            if run.component is Component.LOADER:
                loop.call_soon_threadsafe(reading.set)

    corpus = await asyncio.to_thread(file_corpus, [tmp_path])
    path, dimensions = tmp_path / "s.db", embedder.dimensions
    store = await asyncio.to_thread(partial(Store.create, path, model=embedder.name, dimensions=dimensions))
    task = asyncio.create_task(index([corpus], store, embedder, batch_size=4, handlers=[Reading()]))
    await reading.wait()
    task.cancel()
    await asyncio.wait([task], timeout=20)

    assert task.cancelled()
    assert store.info().chunks == 0
    await asyncio.to_thread(store.close)


SAMPLE_BYTES = [path.read_bytes() for path in sorted(SAMPLES.iterdir())]


@st.composite
def hostile(draw: st.DrawFn) -> bytes:
    """Return any bytes, or a real file with a piece of it replaced."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=2_000))
    data = draw(st.sampled_from(SAMPLE_BYTES))
    start = draw(st.integers(0, len(data)))
    return data[:start] + draw(st.binary(max_size=50)) + data[start + draw(st.integers(0, 2_000)) :]


@pytest.fixture(scope="module")
def reader() -> Iterator[FileReader]:
    """Return one reader for many files."""
    reader = FileReader(parser=Parser(seconds=20))
    yield reader
    reader.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=hostile(), suffix=st.sampled_from(sorted(SUFFIXES)))
def test_any_bytes_under_any_name_are_read_or_skipped_with_a_reason(
    tmp_path: Path, reader: FileReader, data: bytes, suffix: str
) -> None:
    """No file makes the reader fail, and what is read can be stored and printed."""
    path = tmp_path / f"any{suffix}"
    path.write_bytes(data)

    found = reader.read(str(path))

    if isinstance(found, Skipped):
        assert found.reason
        assert found.category
        return
    (document,) = found
    assert document.text.strip()
    document.text.encode()
    starts = [start for start, _ in document.metadata["places"]]
    assert starts == sorted(starts)
    assert all(0 <= start <= len(document.text) + 2 for start in starts)
