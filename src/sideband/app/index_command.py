"""`sideband index`: what stands between the command as typed and the pipeline. May import the app and the embedders."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import final

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from sideband.app.corpus import Corpus
from sideband.app.database import remove
from sideband.app.errors import StoreModelError, StoreNotFoundError
from sideband.app.files import file_corpus
from sideband.app.index import IndexReport, index
from sideband.app.meter import Meter
from sideband.app.progress import LiveProgress, SkippedNotice, duration, progress_view
from sideband.app.screen import errors_console, output_console, printable, save_picture, size, store_path
from sideband.app.stdlib import stdlib_corpus
from sideband.app.store import Store
from sideband.embedders import Embedder, ModelChangedError, load

__all__ = ["IndexOptions", "default_batch_size", "run_index"]

_DEFAULT_MODEL = "minilm"
_BATCH_SIZES = {"all-MiniLM-L6-v2-int8": 64}
"""MiniLM gains hardly anything from more, and in smaller batches progress is seen sooner."""
_DEFAULT_BATCH_SIZE = 256


def default_batch_size(embedder: Embedder) -> int:
    """Return the batch size with which an embedder is used where none is asked for."""
    return _BATCH_SIZES.get(embedder.name.partition("@")[0], _DEFAULT_BATCH_SIZE)


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOptions:
    """What was typed."""

    paths: tuple[Path, ...]
    stdlib: bool
    store: Path | None
    model: str | None
    batch_size: int | None
    rebuild: bool
    quiet: bool
    svg: Path | None


def run_index(options: IndexOptions) -> int:
    """Index what was asked for, showing progress and a summary; return the exit code.

    Raises:
        typer.BadParameter: nothing was named, or a path does not exist.
        SidebandError: it cannot be done; the message says why.
    """
    corpora = _corpora(options)
    path = store_path(options.store)
    model = _model(options, path)
    try:
        embedder = load(model)
    except ModelChangedError as error:
        raise StoreModelError(path, stored=error.wanted, wanted=error.installed) from error
    # Only now: a model that cannot be loaded must not cost the store.
    if options.rebuild:
        remove(path)
    with Store.create(path, model=embedder.name, dimensions=embedder.dimensions) as store:
        return _Indexing(options, corpora, store, embedder).run()


def _corpora(options: IndexOptions) -> list[Corpus]:
    if not options.paths and not options.stdlib:
        raise typer.BadParameter("name files or folders to index, or give --stdlib")
    for path in options.paths:
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise typer.BadParameter(f"there is no file or folder {str(path)!r}") from error
        except OSError:
            continue  # it is there; why it cannot be read is said when it is skipped
    corpora = [stdlib_corpus()] if options.stdlib else []
    if options.paths:
        corpora.append(file_corpus(options.paths))
    return corpora


def _model(options: IndexOptions, path: Path) -> str:
    """Return the model asked for, else the one with which the store was made, else the default."""
    if options.model is not None or options.rebuild:
        return options.model or _DEFAULT_MODEL
    try:
        with Store.open(path) as store:
            return store.model
    except StoreNotFoundError:
        return _DEFAULT_MODEL


@final
class _Indexing:
    def __init__(
        self, options: IndexOptions, corpora: list[Corpus], store: Store, embedder: Embedder
    ) -> None:
        self._options = options
        self._corpora = corpora
        self._store = store
        self._embedder = embedder
        self._batch_size = options.batch_size or default_batch_size(embedder)
        self._meter = Meter()
        # For the picture alone: made now, so that its clock shows the time the work took.
        self._bars = LiveProgress(self._meter, errors_console())

    def run(self) -> int:
        console = errors_console()
        view = progress_view(self._meter, console, quiet=self._options.quiet)
        handlers = (self._meter, SkippedNotice(console), *view.handlers)
        try:
            with view:
                report = asyncio.run(
                    index(
                        self._corpora,
                        self._store,
                        self._embedder,
                        batch_size=self._batch_size,
                        handlers=handlers,
                    )
                )
        except KeyboardInterrupt:
            console.print(Text(self._kept()), soft_wrap=True)
            return 130
        if not self._options.quiet:
            output_console().print(self._summary(report), soft_wrap=True)
        self._draw(report)
        return 0

    def _kept(self) -> str:
        meter = self._meter
        return (
            f"stopped: {meter.documents_stored:,} documents ({meter.chunks_stored:,} chunks) of this run are in "
            f"{self._store.path}; run the same command again to go on from there"
        )

    def _summary(self, report: IndexReport) -> RenderableType:
        meter = self._meter
        info = self._store.info()
        places = ", ".join(printable(place) for corpus in self._corpora for place in corpus.places)
        lines = [
            (
                f"  documents  {report.new:,} new, {report.changed:,} changed, {report.unchanged:,} unchanged, "
                f"{report.removed:,} removed, {len(report.skipped):,} skipped"
            )
        ]
        if report.chunks:
            lines += [
                (
                    f"  chunks     {report.chunks:,} in {duration(report.seconds)} "
                    f"({report.chunks / report.seconds:,.0f} chunks/s), {meter.tokens:,} tokens"
                ),
                (
                    f"  batches    {meter.batches:,} of {meter.mean_batch_size:.1f} chunks on average "
                    f"(at most {self._batch_size}), {duration(meter.mean_queue_time)} in the queue"
                ),
            ]
        lines.append(
            f"  store      {printable(info.path)} ({size(info.bytes)}, {info.chunks:,} chunks, {info.model})"
        )
        return Group(Text(f"Indexed {places}", style="bold"), *map(Text, lines))

    def _draw(self, report: IndexReport) -> None:
        if self._options.svg is not None:
            save_picture(self._options.svg, self._command(), [self._bars.render(), self._summary(report)])

    def _command(self) -> str:
        named = [str(path) for path in self._options.paths]
        return shlex.join(["sideband", "index", *(["--stdlib"] if self._options.stdlib else []), *named])
