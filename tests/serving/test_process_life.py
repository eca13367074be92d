from __future__ import annotations

import asyncio
import functools
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from sideband.errors import (
    ServingClosedError,
    WorkerCrashedError,
)

from . import models
from .helpers import PATIENCE, gathered, until
from .processes import alive, serve

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let worker processes, which inherit the path, find the tests."""
    monkeypatch.syspath_prepend(str(ROOT))


# -- starting --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["always dies", "always raises"])
async def test_a_set_up_that_fails_fails_the_start(name: str, tmp_path: Path) -> None:
    """With its own exception, or with how its process ended; nothing is left running."""
    path = tmp_path / name
    serving = serve(models.Counted(str(path)), partitions=2, name="failing")
    with pytest.raises((WorkerCrashedError, LookupError)) as caught:
        await serving.start()

    if "dies" in name:
        assert "exited with code 7 while it set up the model" in str(caught.value)
    else:
        assert "no weights" in str(caught.value)
        assert "in setup" in caught.value.__notes__[0]
    assert path.read_text(encoding="utf-8").splitlines() in (["set up"], ["set up"] * 2)
    await until(lambda: not threads_of("failing"))


def threads_of(name: str) -> list[str]:
    """Return the names of a serving's threads."""
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(f"sideband-{name}")]


@pytest.mark.parametrize("name", ["dies", "raises"])
async def test_a_worker_that_cannot_be_replaced_is_not_started_again_and_again(
    name: str, tmp_path: Path
) -> None:
    """Batches wait a little for it, then fail at once, and say when the next one is started."""
    path = tmp_path / name
    async with serve(models.Counted(str(path)), isolate_errors=True) as serving:
        with pytest.raises(WorkerCrashedError):
            await serving.dispatch(("exit", 1))
        errors = [str(error) for _ in range(12) for error in await gathered(serving, [("say", 1)] * 2)]

    assert "in a row did so, and the next one is started in" in errors[-1]
    assert serving.stats().failed_batches == 13  # not divided: no item is to blame
    if name == "raises":
        assert "setting up the model again raised LookupError: no weights" in "".join(errors)
    assert len(path.read_text(encoding="utf-8").splitlines()) < 12


async def test_processes_are_started_at_the_same_time(tmp_path: Path) -> None:
    """A model that takes long to load does so once, whatever the number of partitions."""
    async with serve(models.Meets(str(tmp_path), 3), partitions=3) as serving:
        assert await serving.dispatch_many([1, 2]) == [1, 2]


async def test_a_start_that_is_cancelled_leaves_no_process(tmp_path: Path) -> None:
    """Although its set-up hangs."""
    path = tmp_path / "pid"
    serving = serve(models.Hangs(str(path)), name="cancelled")
    starting = asyncio.create_task(serving.start())
    await until(lambda: path.exists() and path.read_text(encoding="utf-8"))
    pid = int(path.read_text(encoding="utf-8"))
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting

    await until(lambda: not alive(pid) and not threads_of("cancelled"))


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (lambda batch: batch.values, "a lambda has no name"),
        (models.nested(), "it is defined inside a function"),
        (functools.partial(models.nested()), "it is defined inside a function"),
    ],
)
def test_what_no_process_can_import_is_refused_at_once(model: Any, text: str) -> None:
    """The error says why, and where to define it."""
    with pytest.raises(TypeError, match=f"{text}.*define it at the top of a module"):
        serve(model)


async def test_what_cannot_be_found_again_is_refused_at_the_start() -> None:
    """Another thing under the function's name; an instance that cannot be pickled."""
    with pytest.raises(TypeError, match="a worker that imports it finds <function obey"):
        await serve(models.original).start()
    model = models.Model()
    model.lock = threading.Lock()  # type: ignore[attr-defined]
    with pytest.raises(
        TypeError, match="Model cannot be served with executor='process': it cannot be pickled"
    ):
        await serve(model).start()


# -- ending ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["hang", "hang deaf"])
async def test_a_worker_that_hangs_is_ended_at_the_close(command: str, tmp_path: Path) -> None:
    """After `shutdown_timeout` by a signal, and by another that it cannot ignore; its caller is told."""
    path = tmp_path / "pid"
    serving = serve(shutdown_timeout=0.05, name="hanging")
    await serving.start()
    call = gathered(serving, [(command, str(path))])
    await until(lambda: path.exists() and path.read_text(encoding="utf-8"))
    await serving.aclose()

    assert not alive(int(path.read_text(encoding="utf-8")))
    [error] = await call
    assert isinstance(error, ServingClosedError)
    await until(lambda: not threads_of("hanging"))


PROGRAM = """
import sys
from tests.serving.models import obey
from sideband.serving import Serving

if __name__ == "__main__":
    with Serving(obey, executor="process") as serving:
        print(serving.dispatch_sync(("pid", None)), flush=True)
        if sys.argv[1] == "busy":
            serving.dispatch_sync(("hang", sys.argv[2]))
        sys.stdin.read()
"""


@pytest.mark.parametrize("state", ["idle", "busy"])
async def test_killing_the_parent_leaves_no_orphan(state: str, tmp_path: Path) -> None:
    """A worker ends when its parent is gone, whatever it is doing."""
    program, busy = tmp_path / "program.py", tmp_path / "busy"
    program.write_text(PROGRAM, encoding="utf-8")
    parent = await run_python(str(program), state, str(busy))
    assert parent.stdout
    pid = int(await asyncio.wait_for(parent.stdout.readline(), PATIENCE))
    if state == "busy":
        await until(busy.exists)
    assert alive(pid)
    parent.kill()
    await asyncio.wait_for(
        parent.communicate(), PATIENCE
    )  # to the end of its pipes, which are closed by that

    await until(lambda: not alive(pid))


async def test_a_program_without_a_guard_is_told_so(tmp_path: Path) -> None:
    """A worker imports the main module, which must not start workers again: the error shows the line that is missing."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.replace('if __name__ == "__main__":', "if True:"), encoding="utf-8")
    parent = await run_python(str(program), "idle")
    _, errors = await asyncio.wait_for(parent.communicate(), PATIENCE)

    assert parent.returncode == 1
    last = errors.decode().strip().splitlines()[-1]
    assert last.startswith("sideband.errors.WorkerCrashedError")
    assert 'under `if __name__ == "__main__":`' in last


async def run_python(*arguments: str) -> asyncio.subprocess.Process:
    """Start a program in a Python of its own."""
    pipe = asyncio.subprocess.PIPE
    path = os.pathsep.join([str(ROOT), *sys.path])
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env={**os.environ, "PYTHONPATH": path},
    )
