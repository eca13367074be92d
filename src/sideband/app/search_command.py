"""`sideband search` and `sideband info`. May import the app and the embedders."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from sideband import Component, observe
from sideband.app.screen import output_console, print_json, printable, save_picture, size, store_path
from sideband.app.store import Store
from sideband.components import Document
from sideband.embedders import load

__all__ = ["listing", "result_rows", "run_info", "run_search", "search"]

_SNIPPET_CHARACTERS = 280


def search(store: Store, question: str, k: int) -> list[Document]:
    """Return the `k` chunks that fit a question best, embedded by the store's own model.

    Raises:
        StoreError: the store cannot be read.
    """
    with observe("search", component=Component.RETRIEVER, type="sqlite-vec", input=question) as run:
        run.output = found = store.search(load(store.model).embed([question])[0], k)
        return found


def run_search(question: str, k: int, path: Path | None, *, json: bool, svg: Path | None) -> None:
    """Search a store and print what was found."""
    with Store.open(store_path(path)) as store:
        found = search(store, question, k)
        if json:
            print_json(
                {
                    "query": question,
                    "store": str(store.path),
                    "model": store.model,
                    "results": result_rows(found),
                }
            )
    shown = Group(*listing(found)) if found else Text("nothing found: the store is empty")
    if not json:
        output_console().print(shown)
    if svg is not None:
        save_picture(svg, shlex.join(["sideband", "search", question]), [shown])


def run_info(path: Path | None, *, json: bool) -> None:
    """Print what a store holds."""
    with Store.open(store_path(path)) as store:
        info = store.info()
    if json:
        print_json(dataclasses.asdict(info))
        return
    documents = ", ".join(f"{count:,} ({collection})" for collection, count in info.sources.items()) or "none"
    lines = [
        f"store      {info.path} ({size(info.bytes)})",
        f"model      {info.model}, {info.dimensions} dimensions",
        f"documents  {documents}",
        f"chunks     {info.chunks:,}",
        f"created    {_moment(info.created_at)}",
        f"updated    {_moment(info.updated_at)}",
    ]
    output_console().print(Text("\n".join(lines)), soft_wrap=True)


def result_rows(found: Sequence[Document]) -> list[dict[str, Any]]:
    """Return results as they are written in JSON, numbered from 1."""
    return [
        {"rank": rank, "score": document.score, "id": document.id, **document.metadata, "text": document.text}
        for rank, document in enumerate(found, start=1)
    ]


def listing(found: Sequence[Document], marked: Collection[int] = ()) -> Iterator[RenderableType]:
    """Give results as they are shown, numbered from 1, some of them marked."""
    for rank, document in enumerate(found, start=1):
        head = Text(f"{'*' if rank in marked else '':1}{rank:>2}  {document.score:.3f}  ")
        head.append(printable(document.metadata["title"]), style="bold")
        place = _place(document)
        if place:
            head.append(f"  {place}", style="dim")
        yield head
        yield Padding(Text(_snippet(document.text)), (0, 0, 0, 12))


def _place(document: Document) -> str:
    source, title = printable(document.metadata["source"]), printable(document.metadata["title"])
    if document.metadata["place"]:
        return f"{source}, {printable(document.metadata['place'])}"
    if document.metadata["collection"] != "stdlib":
        return f"{source}:{document.metadata['line']}"
    return "" if source == title else source


def _snippet(text: str) -> str:
    line = printable(text)
    if len(line) <= _SNIPPET_CHARACTERS:
        return line
    return line[:_SNIPPET_CHARACTERS].rsplit(" ", 1)[0] + " …"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
