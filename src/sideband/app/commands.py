"""The commands as they are typed: arguments, options, help. May import the app.

What a command needs is imported when it runs, so that `--help` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sideband import __version__
from sideband.app.options import (
    Batches,
    BatchSizes,
    BatchTimeouts,
    Callers,
    CallSize,
    Captured,
    Gitignore,
    Items,
    Json,
    Keys,
    MaxFileSize,
    MaxQueue,
    Model,
    Partitions,
    Plot,
    Rate,
    Seed,
    Store,
    Svg,
    Variation,
)

__all__ = ["app"]

app = typer.Typer(
    name="sideband",
    help="Index documents, search them by meaning, ask them; plan a batch server. "
    "Nothing leaves this machine unless you name a provider.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


@app.command(name="ui")
def _ui(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PATH", help="Files and folders that the page offers; it can name no others."),
    ] = None,
    store: Store = None,
    model: Annotated[
        Model | None, typer.Option(help="The embedding model; by default the store's own, or minilm.")
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen; others than this machine need the token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", help="The port; 0 for a free one.")] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            envvar="SIDEBAND_TOKEN",
            help="What everybody has to give; made and printed where it is needed.",
        ),
    ] = None,
    provider: Annotated[
        str, typer.Option(metavar="NAME", envvar="SIDEBAND_PROVIDER", help="Who answers; as for ask.")
    ] = "local",
    provider_model: Annotated[
        str, typer.Option(metavar="NAME", envvar="SIDEBAND_MODEL", help="The provider's model; as for ask.")
    ] = "",
    max_tokens: Annotated[int, typer.Option(metavar="N", help="How long an answer may get.")] = 256,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = False,
) -> None:
    """Serve a web page on which to index, search and ask, and to watch what goes on.

    Only this machine can reach it, unless you name another --host; then everybody needs the token.

    \b
    Examples:
      sideband ui --open
      sideband ui docs README.md --store project.db
      sideband ui --host 0.0.0.0 --port 80
    """
    _check_range("--max-tokens", max_tokens, 1_000_000)
    if not 0 <= port <= 65_535:
        raise typer.BadParameter(f"--port must be from 0 to 65535, not {port}")
    from sideband.app.ui_command import UiOptions, run_ui  # noqa: PLC0415
    from sideband.app.web.answering import Model as Answers  # noqa: PLC0415

    options = UiOptions(
        folders=folders or (), store=store, model=None if model is None else model.value,
        answers=Answers(provider, provider_model, max_tokens), host=host, port=port, token=token, open=open_,
    )  # fmt: skip
    raise typer.Exit(run_ui(options))


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


@app.command(name="simulate")
def _simulate(
    cost: Batches,
    rate: Rate = None,
    callers: Callers = None,
    batch_size: BatchSizes = "1,8,32,128",
    batch_timeout: BatchTimeouts = "0,5ms",
    partitions: Partitions = 1,
    call_size: CallSize = 1,
    keys: Keys = 1,
    variation: Variation = 0.0,
    max_queue: MaxQueue = 65_536,
    items: Items = 20_000,
    seed: Seed = 0,
    json: Json = False,
    plot: Plot = None,
    svg: Svg = None,
) -> None:
    """Tell which batch size and timeout give a batch server which throughput, latency and fill.

    Nothing is served: the server's own policy decides in virtual time. Measure --cost where the model is
    served; a server's `stats()` has the mean time and size of its batches.

    \b
    Examples:
      sideband simulate --rate 1000 --cost "5ms + 0.2ms*n"
      sideband simulate --callers 64 --cost "5ms + 0.2ms*n" --batch-size 16,32,64
      sideband simulate --rate 300 --cost "20ms + 1ms*n" --plot latency.svg
    """
    from sideband.app.quantities import counts_of, model_of, times_of  # noqa: PLC0415
    from sideband.app.simulate_command import SimulateOptions, run_simulate  # noqa: PLC0415

    options = SimulateOptions(
        cost=model_of(cost, variation), rate=rate, callers=callers, call_size=call_size, keys=keys,
        partitions=partitions, batch_sizes=counts_of("--batch-size", batch_size, 10**6),
        batch_timeouts=times_of("--batch-timeout", batch_timeout), max_queue=max_queue,
        items=items, seed=seed, json=json, plot=plot, svg=svg,
    )  # fmt: skip
    raise typer.Exit(run_simulate(options))


@app.command(name="watch", context_settings={"allow_interspersed_args": False})
def _watch(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="COMMAND [ARGUMENT]...", help="The program, and all that belongs to it."),
    ] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Draw nothing: a line for each tree of runs that has ended.")
    ] = False,
    max_depth: Annotated[int, typer.Option(metavar="N", help="How many levels of a tree are shown.")] = 8,
    capture: Annotated[
        Captured | None,
        typer.Option(
            help="Whether inputs, streamed text and messages of errors are shown; on, unless "
            "SIDEBAND_ENV is production.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Execute a program that uses sideband, and watch its runs as a live tree below what it prints.

    The program is not changed: it has its own output, input, signals and exit code. Processes that it starts
    are watched, too. Put -- before the program where it has options of its own that are meant for it.

    \b
    Examples:
      sideband watch -- python app.py --verbose
      sideband watch --capture off -- python -m package
    """
    if not command:
        raise typer.BadParameter("name the program to watch, as in: sideband watch -- python app.py")
    _check_range("--max-depth", max_depth, 100)
    try:
        from sideband.app.watch_command import WatchOptions, run_watch  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if error.name not in {"fcntl", "pty", "termios"}:
            raise
        msg = "watch needs a Unix system; elsewhere put `with console():` (sideband.exporters.console) into the program"
        raise typer.BadParameter(msg) from error
    options = WatchOptions(
        command=tuple(command),
        plain=plain,
        max_depth=max_depth,
        capture=None if capture is None else capture.value,
    )
    raise typer.Exit(run_watch(options))


def _check_range(option: str, value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise typer.BadParameter(f"{option} must be from 1 to {most}, not {value}")
