"""`sideband index`: what stands between the command as typed and the pipeline. May import the app and the embedders."""

from __future__ import annotations

import dataclasses
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from sideband.app.corpus import Corpus
from sideband.app.database import check_replaceable, remove, replace
from sideband.app.errors import (
    NothingToIndexError,
    StoreDamagedError,
    StoreError,
    StoreModelError,
    StoreVersionError,
)
from sideband.app.files import file_corpus
from sideband.app.index import IndexReport, index
from sideband.app.lock import indexing
from sideband.app.meter import Meter
from sideband.app.models import DEFAULT_MODEL, default_batch_size, load_model, model_name
from sideband.app.progress import LiveProgress, SkippedNotice, duration, progress_view
from sideband.app.screen import errors_console, output_console, printable, save_picture, size, store_path
from sideband.app.stdlib import stdlib_corpus
from sideband.app.stopping import Stopping
from sideband.app.store import Store, StoreInfo
from sideband.embedders import Embedder

__all__ = ["IndexOptions", "run_index"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOptions:
    """What was typed."""

    paths: tuple[Path, ...]
    stdlib: bool
    store: Path | None
    model: str | None
    batch_size: int | None
    gitignore: bool
    max_file_bytes: int | None
    rebuild: bool
    quiet: bool
    svg: Path | None


def run_index(options: IndexOptions) -> int:
    """Index what was asked for, showing progress and a summary; return the exit code.

    Raises:
        typer.BadParameter: nothing was named, or a path does not exist.
        SidebandError: it cannot be done; the message says why.
    """
    with Stopping() as stopping:
        run = _Indexing(options, stopping)
        try:
            return run.run()
        except KeyboardInterrupt:
            run.tell_what_is_kept()
            return stopping.code


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
        corpora.append(
            file_corpus(options.paths, gitignore=options.gitignore, max_bytes=options.max_file_bytes)
        )
    return corpora


def _reasons(report: IndexReport) -> str:
    """Count what was skipped by reason, the most frequent first."""
    counts = Counter(skipped.category for skipped in report.skipped)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return " · ".join(f"{count:,} {printable(category)}" for category, count in ordered)


def _load(options: IndexOptions, path: Path) -> Embedder:
    # What is made anew need not fit what there is, which may be past reading.
    given = options.model or (DEFAULT_MODEL if options.rebuild else None)
    return load_model(model_name(given, path), path)


def _anew(path: Path, embedder: Embedder) -> Store:
    """Open what an earlier rebuild left, where it can be gone on with, else start with nothing."""
    try:
        return Store.create(path, model=embedder.name, dimensions=embedder.dimensions)
    except (StoreModelError, StoreDamagedError, StoreVersionError):
        remove(path)
        return Store.create(path, model=embedder.name, dimensions=embedder.dimensions)


def _alone(corpora: Sequence[Corpus], store: Store) -> list[Corpus]:
    """Return the corpora as all that the store is to hold: whatever else is there is gone."""
    others = store.info().sources.keys() - {corpus.collection for corpus in corpora}
    nothing = [Corpus(collection=each, places=(), parts=(), covers=_everything) for each in others]
    return [dataclasses.replace(corpus, covers=_everything) for corpus in corpora] + nothing


def _everything(_: str) -> bool:
    return True


@final
class _Indexing:
    """One run of the command.

    A store is made anew beside the old one and takes its place once it is whole, so that a rebuild
    that fails, or is stopped, costs nothing of what there was.
    """

    def __init__(self, options: IndexOptions, stopping: Stopping) -> None:
        self._options = options
        self._stopping = stopping
        self._corpora = _corpora(options)
        self._path = store_path(options.store)
        self._rebuilt = Path(f"{self._path}.rebuild") if options.rebuild else None
        self._batch_size = 0  # known with the model
        self._meter = Meter()
        # For the picture alone: made now, so that its clock shows the time the work took.
        self._bars = LiveProgress(self._meter, errors_console())

    def run(self) -> int:
        with indexing(self._path):
            check_replaceable(self._path)
            embedder = _load(self._options, self._path)
            self._batch_size = self._options.batch_size or default_batch_size(embedder)
            if self._rebuilt is None:
                with Store.create(self._path, model=embedder.name, dimensions=embedder.dimensions) as store:
                    report, info = self._index(self._corpora, store, embedder)
            else:
                report, info = self._rebuild(self._rebuilt, embedder)
        summary = self._summary(report, info)
        if not self._options.quiet:
            output_console().print(summary, soft_wrap=True)
        if self._options.svg is not None:
            save_picture(self._options.svg, self._command(), [self._bars.render(), summary])
        return 0

    def tell_what_is_kept(self) -> None:
        """Say what a run that goes no further leaves in the store."""
        meter = self._meter
        stored = f"{meter.documents_stored:,} documents ({meter.chunks_stored:,} chunks) of this run are in"
        if not meter.documents_stored:
            line = "stopped before anything new was stored"
        elif self._rebuilt is None:
            line = f"stopped: {stored} {self._path}; run the same command again to go on from there"
        else:
            line = (
                f"stopped: {self._path} is as it was; {stored} {self._rebuilt}; run the same command again to go "
                "on from there"
            )
        errors_console().print(Text(line), soft_wrap=True)

    def _rebuild(self, rebuilt: Path, embedder: Embedder) -> tuple[IndexReport, StoreInfo]:
        try:
            with _anew(rebuilt, embedder) as store:
                done = self._index(_alone(self._corpora, store), store, embedder)
        except NothingToIndexError:
            remove(rebuilt)
            raise
        replace(self._path, rebuilt)
        return done

    def _index(
        self, corpora: Sequence[Corpus], store: Store, embedder: Embedder
    ) -> tuple[IndexReport, StoreInfo]:
        console = errors_console()
        view = progress_view(self._meter, console, quiet=self._options.quiet)
        handlers = (self._meter, SkippedNotice(console), *view.handlers)
        try:
            with view:
                work = index(corpora, store, embedder, batch_size=self._batch_size, handlers=handlers)
                report = self._stopping.run(work)
            return report, store.info()
        except StoreError:
            if self._meter.documents_stored:
                self.tell_what_is_kept()
            raise

    def _summary(self, report: IndexReport, info: StoreInfo) -> RenderableType:
        meter = self._meter
        places = ", ".join(printable(place) for corpus in self._corpora for place in corpus.places)
        lines = [
            (
                f"  documents  {report.new:,} new, {report.changed:,} changed, {report.unchanged:,} unchanged, "
                f"{report.removed:,} removed, {len(report.skipped):,} skipped"
            )
        ]
        if report.skipped:
            lines.append(f"  skipped    {_reasons(report)}")
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
            f"  store      {printable(str(self._path))} ({size(info.bytes)}, {info.chunks:,} chunks, {info.model})"
        )
        return Group(Text(f"Indexed {places}", style="bold"), *map(Text, lines))

    def _command(self) -> str:
        named = [str(path) for path in self._options.paths]
        return shlex.join(["sideband", "index", *(["--stdlib"] if self._options.stdlib else []), *named])
