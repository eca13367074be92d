"""The commands as they are typed: arguments, options, help. May import the app.

What a command needs is imported when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sideband import __version__

__all__ = ["app"]

app = typer.Typer(
    name="sideband",
    help="Index documents with live progress, search them by meaning, ask them. Nothing leaves this machine unless you name a provider.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Model(StrEnum):
    """The embedding models."""

    MINILM = "minilm"
    WORDLLAMA = "wordllama"


Store = Annotated[
    Path | None,
    typer.Option(
        "--store",
        metavar="FILE",
        envvar="SIDEBAND_STORE",
        help="The store's file; by default sideband.db in your data folder.",
        show_default=False,
    ),
]
Gitignore = Annotated[
    bool, typer.Option("--gitignore/--no-gitignore", help="Leave out what git ignores (the default), or not.")
]
MaxFileSize = Annotated[
    int | None,
    typer.Option(
        metavar="MIB", help="The largest file that is read; by default 16 MiB, with pictures in it 128."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Svg = Annotated[
    Path | None,
    typer.Option("--svg", metavar="FILE", help="Also draw what is shown in the end as an SVG picture."),
]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sideband {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(name="index")
def _index(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH",
            help="Files, or folders of them: text, Markdown, reStructuredText, HTML, PDF, Word, notebooks, Python.",
        ),
    ] = None,
    stdlib: Annotated[
        bool, typer.Option("--stdlib", help="Index the documentation of Python's standard library.")
    ] = False,
    store: Store = None,
    model: Annotated[
        Model | None,
        typer.Option(help="The model: minilm (default) understands best, wordllama is many times faster."),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(metavar="N", help="How many chunks are embedded at once, at most.")
    ] = None,
    gitignore: Gitignore = True,
    max_file_size: MaxFileSize = None,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Index anew; the old store is replaced when the new one is whole."),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only what went wrong.")] = False,
    svg: Svg = None,
) -> None:
    """Index documents: cut them into chunks, embed these in batches, store them.

    Run it again to bring the store up to date, or to go on after it was stopped: what has not changed
    is not embedded again, and what is gone is removed. A file that cannot be read is named and skipped.
    Hidden files, virtual environments and what git ignores are left out of folders.

    \b
    Examples:
      sideband index --stdlib
      sideband index docs README.md --store project.db
      sideband index --stdlib --model wordllama --store fast.db
    """
    if batch_size is not None:
        _check_range("--batch-size", batch_size, 4096)
    if max_file_size is not None:
        _check_range("--max-file-size", max_file_size, 1024)
    from sideband.app.index_command import IndexOptions, run_index  # noqa: PLC0415

    options = IndexOptions(
        paths=tuple(paths or ()),
        stdlib=stdlib,
        store=store,
        model=None if model is None else model.value,
        batch_size=batch_size,
        gitignore=gitignore,
        max_file_bytes=None if max_file_size is None else max_file_size * 2**20,
        rebuild=rebuild,
        quiet=quiet,
        svg=svg,
    )
    raise typer.Exit(run_index(options))


@app.command(name="search")
def _search(
    question: Annotated[
        list[str], typer.Argument(metavar="QUESTION", help="What to look for, in your own words.")
    ],
    results: Annotated[int, typer.Option("-k", metavar="N", help="How many results to show, at most.")] = 5,
    store: Store = None,
    json: Json = False,
    svg: Svg = None,
) -> None:
    """Search what was indexed, by meaning; the best results come first.

    \b
    Examples:
      sideband search "how do I parse a date from a string"
      sideband search "open a file" -k 3 --json
    """
    from sideband.app.search_command import run_search  # noqa: PLC0415

    words = " ".join(question).strip()
    if not words:
        raise typer.BadParameter("the question is empty")
    _check_range("-k", results, 1000)
    run_search(words, results, store, json=json, svg=svg)


@app.command(name="ask")
def _ask(
    question: Annotated[list[str], typer.Argument(metavar="QUESTION", help="What you want to know.")],
    passages: Annotated[
        int, typer.Option("-k", metavar="N", help="How many passages the model is given, at most.")
    ] = 3,
    store: Store = None,
    provider: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            envvar="SIDEBAND_PROVIDER",
            help="Who answers: local (on this machine), openai, openai-responses, anthropic, google, ollama.",
        ),
    ] = "local",
    model: Annotated[
        str,
        typer.Option(
            metavar="NAME", envvar="SIDEBAND_MODEL", help="The provider's model; for local a GGUF file."
        ),
    ] = "",
    max_tokens: Annotated[int, typer.Option(metavar="N", help="How long the answer may get.")] = 256,
    json: Json = False,
    svg: Svg = None,
) -> None:
    """Answer a question from what was indexed, and show the passages that the answer stands on.

    The local model is small: it answers simple questions in English, and makes mistakes. Read the
    passages. Ctrl-C ends the answer; what it took is still shown.

    \b
    Examples:
      sideband ask "how do I read a CSV file into dictionaries"
      sideband ask "what changed in asyncio" --provider anthropic --model claude-sonnet-5
    """
    from sideband.app.ask_command import AskOptions, run_ask  # noqa: PLC0415

    words = " ".join(question).strip()
    if not words:
        raise typer.BadParameter("the question is empty")
    _check_range("-k", passages, 50)
    _check_range("--max-tokens", max_tokens, 1_000_000)
    options = AskOptions(
        question=words,
        passages=passages,
        store=store,
        provider=provider,
        model=model,
        max_tokens=max_tokens,
        json=json,
        svg=svg,
    )
    raise typer.Exit(run_ask(options))


@app.command(name="info")
def _info(store: Store = None, json: Json = False) -> None:
    """Tell what a store holds: model, documents, chunks, size.

    \b
    Examples:
      sideband info
      sideband info --store project.db --json
    """
    from sideband.app.search_command import run_info  # noqa: PLC0415

    run_info(store, json=json)


def _check_range(option: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise typer.BadParameter(f"{option} must be from 1 to {most}, not {value}")
