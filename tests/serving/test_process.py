from __future__ import annotations

import asyncio
import functools
import logging
import os
import re
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from sideband import callbacks
from sideband.errors import (
    LengthMismatchError,
    RemoteError,
    UnpicklableError,
    WorkerCrashedError,
)
from sideband.serving import BatchOutput, HookEvent
from sideband.testing import Recorder, check_lifecycle

from . import models
from .helpers import gathered, join_threads, until, watched
from .processes import alive, serve

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let worker processes, which inherit the path, find the tests."""
    monkeypatch.syspath_prepend(str(ROOT))


# -- executing -------------------------------------------------------------------------------------


async def test_each_partition_has_its_own_process_and_model() -> None:
    """A class is set up once in each, with the number of its partition, and results keep the caller's order."""
    serving = serve(models.Model, batch_size=2, partitions=2)
    async with serving:
        results = await serving.dispatch_many(range(8))

    assert [item for _, item in results] == list(range(8))
    places = {place for place, _ in results}
    assert {partition for partition, _ in places} == {0, 1}
    assert len(places) == 2
    assert os.getpid() not in {pid for _, pid in places}
    await until(lambda: not any(alive(pid) for _, pid in places))


def test_a_synchronous_program_uses_processes_too() -> None:
    """With plain `with`, from any thread; after it neither processes nor threads are left."""
    serving = serve(models.obey, name="synchronous")
    with serving:
        assert serving.dispatch_many_sync([("say", 1), ("say", 2)]) == [1, 2]
        pid = serving.dispatch_sync(("pid", None))
        assert alive(pid)

    assert not alive(pid)
    join_threads("synchronous")


async def test_a_decorated_function_is_found_by_its_name() -> None:
    """Although its module's name for it is the serving's."""
    async with models.decorated:
        assert await models.decorated.dispatch_many([1, 2]) == [2, 4]


@pytest.mark.parametrize(
    "model",
    [
        models.Asynchronous,
        functools.partial(models.obey),
        models.Model().handle_batch,
        models.Counted("/dev/null"),
    ],
)
async def test_what_else_can_be_served_can_be_served_in_processes(model: Any) -> None:
    """Asynchronous models, on one loop of the worker's; partials; methods; instances, of which each worker has a copy."""
    if not isinstance(model, type) and getattr(model, "__name__", "") == "handle_batch":
        model.__self__.setup(0)
    item: Any = 1 if isinstance(model, type) else ("say", 1)
    async with serve(model) as serving:
        result = await serving.dispatch(item)

    assert result in (2, 1, ((0, os.getpid()), ("say", 1)))


async def test_a_worker_has_nothing_of_its_parents_but_the_pipe(tmp_path: Path) -> None:
    """No thread, no open file, no context variable."""
    file = (tmp_path / "open").open("w")
    models.VARIABLE.set("the starter's")
    with file:
        async with serve() as serving:
            found = await serving.dispatch(("surroundings", None))

    assert sorted(found["threads"]) == ["MainThread", "sideband-parent"]
    assert str(tmp_path / "open") not in found["files"]
    assert found["variable"] == "nobody's"


async def test_inline_needs_no_process() -> None:
    """`inline` executes in the caller's process, as ever."""
    assert await serve().inline(("pid", None)) == os.getpid()


async def test_ctrl_c_is_the_parents_business() -> None:
    """The signal goes to the whole group of processes; a worker goes on."""
    async with serve() as serving:
        pid = await serving.dispatch(("pid", None))
        os.kill(pid, signal.SIGINT)
        assert await serving.dispatch(("pid", None)) == pid


# -- events, usage, runs ---------------------------------------------------------------------------


async def test_events_come_while_the_worker_is_busy(tmp_path: Path) -> None:
    """An event is there before the function has returned: it waits for what its consumer does then."""
    seen = tmp_path / "seen"
    async with serve(models.tell, hooks=("progress",)) as serving:
        events = []
        async for event in serving.stream(("wait", str(seen))):
            events.append(event)
            seen.touch()

    assert events == [
        HookEvent(name="progress", payload=[str(seen)], offset=0),
        BatchOutput(output=[None], offset=0),
    ]


async def test_a_worker_knows_whether_anybody_listens() -> None:
    """`batch.wants` is true there for streams, and false for calls that nobody watches."""
    async with serve(models.tell, hooks=("progress",)) as serving:
        assert await serving.dispatch(("wants", None)) is False
        assert [
            event.output async for event in serving.stream(("wants", 0)) if isinstance(event, BatchOutput)
        ] == [[True]]


async def test_runs_are_as_with_threads() -> None:
    """A call is linked to its batch, which has its items and results."""
    batches = Recorder()
    async with serve(models.tell, hooks=("progress",), callbacks=[batches]) as serving:
        with watched() as recorder:
            await serving.dispatch_many([("say", 1), ("say", 2)])

    check_lifecycle(batches)
    call, batch = recorder.run(), batches.run()
    assert (batch.input, batch.output) == ([("say", 1), ("say", 2)], [1, 2])
    assert call.links == (batch.link(),)
    assert recorder.events("progress") == [[1, 2]]


# -- what cannot cross -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (threading.Lock(), r"cannot be pickled \(TypeError: cannot pickle '_thread.lock'"),
        (models.Unreadable(), r"cannot be unpickled in the other process \(ValueError: invalid literal"),
    ],
)
async def test_an_item_that_cannot_cross_fails_its_caller_alone(bad: Any, reason: str) -> None:
    """The error names its type; all others get their results, and their own events."""
    async with serve(models.tell, hooks=("progress",), batch_size=4) as serving:
        with watched() as recorder:
            others = asyncio.create_task(serving.dispatch_many([("say", "a"), ("say", "b")]))
            first, result, again = await gathered(serving, [("say", bad), ("say", "c"), ("say", "d")])
            assert await others == ["a", "b"]

    assert isinstance(first, UnpicklableError)
    assert re.search(f"an item of type tuple {reason}", str(first))
    assert (result, again) == ("c", "d")
    assert sorted(map(str, recorder.events("progress"))) == sorted(["['a', 'b']", "[None]", "['c']", "['d']"])


async def test_a_result_that_cannot_cross_fails_its_caller_alone() -> None:
    """The error names its type."""
    async with serve(batch_size=4) as serving:
        lock, fine = await gathered(serving, [("lock", None), ("say", 1)])
        with pytest.raises(UnpicklableError, match=r"the list of results .* cannot be unpickled"):
            await serving.dispatch(("unreadable", None))
        assert await serving.dispatch(("say", 2)) == 2

    assert isinstance(lock, UnpicklableError)
    assert lock.kind == "_thread.lock"
    assert fine == 1


async def test_exceptions_come_back_as_themselves_where_they_can() -> None:
    """With the worker's traceback as a note; others as a `RemoteError` with their text."""
    async with serve(batch_size=2) as serving:
        with pytest.raises(KeyError, match="gone") as caught:
            await serving.dispatch(("raise", KeyError("gone")))
        with pytest.raises(
            RemoteError, match=r"raised tests\.serving\.models\.AwkwardError: 7: awkward"
        ) as remote:
            await serving.dispatch(("raise awkward", 7))
        given, awkward = await gathered(serving, [("give", ValueError("bad item")), ("give awkward", 8)])

    assert "in obey" in caught.value.__notes__[0]
    assert remote.value.kind == "tests.serving.models.AwkwardError"
    assert isinstance(given, ValueError)
    assert isinstance(awkward, RemoteError)


async def test_errors_of_the_library_cross_as_themselves() -> None:
    """A wrong number of results is what it is with threads."""
    async with serve(models.short) as serving:
        with pytest.raises(LengthMismatchError, match="expected 2, got 1") as caught:
            await serving.dispatch_many([1, 2])

    assert (caught.value.expected, caught.value.got) == (2, 1)


# -- crashes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "exitcode", "text"),
    [
        (("exit", 3), 3, "exited with code 3 while it executed a batch"),
        (("leave", 4), 4, "exited with code 4"),
        (("signal", signal.SIGKILL), -signal.SIGKILL, "was ended by SIGKILL"),
        (("signal", signal.SIGSEGV), -signal.SIGSEGV, "was ended by SIGSEGV"),
    ],
)
async def test_a_crash_fails_its_batch_and_nothing_else(
    command: Any, exitcode: int, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The callers learn how the worker ended; it is replaced, and the next batch is executed. Statement 37."""
    async with serve(batch_size=2) as serving:
        before = await serving.dispatch(("pid", None))
        errors = await gathered(serving, [command, ("say", 1)])
        after = await serving.dispatch(("pid", None))

    for error in errors:
        assert isinstance(error, WorkerCrashedError)
        assert text in str(error)
        assert (error.pid, error.exitcode, error.executing) == (before, exitcode, True)
    assert before != after
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


async def test_a_worker_that_dies_idle_is_replaced_unnoticed(caplog: pytest.LogCaptureFixture) -> None:
    """The next batch is executed by another one."""
    async with serve() as serving:
        pid = await serving.dispatch(("pid", None))
        os.kill(pid, signal.SIGKILL)
        await until(lambda: not alive(pid))
        assert await serving.dispatch(("pid", None)) != pid

    assert "was ended by SIGKILL while it was idle" in caplog.text


async def test_a_batch_that_a_dying_worker_had_not_taken_is_executed_by_the_next_one() -> None:
    """It was sent, and not read: nothing of it was executed, so that nobody need notice."""
    async with serve() as serving:
        pid = await serving.dispatch(("pid", None))
        os.kill(pid, signal.SIGSTOP)
        waiting = asyncio.create_task(serving.dispatch(("pid", None)))
        await until(lambda: serving.stats().executing == 1)
        os.kill(pid, signal.SIGKILL)

        assert await waiting != pid


async def test_a_crash_of_one_partition_is_nothing_to_the_other(tmp_path: Path) -> None:
    """What the other one executes meanwhile goes on."""
    go = tmp_path / "go"
    async with serve(batch_size=1, partitions=2) as serving:
        waiting = asyncio.create_task(serving.dispatch(("wait", str(go))))
        with pytest.raises(WorkerCrashedError):
            await serving.dispatch(("exit", 1))
        assert await serving.dispatch(("say", 1)) == 1
        go.touch()
        await waiting


async def test_an_item_that_crashes_workers_is_isolated() -> None:
    """With `isolate_errors` only the item that crashes its worker fails."""
    async with serve(batch_size=4, isolate_errors=True) as serving:
        results = await gathered(serving, [("say", 0), ("exit", 1), ("say", 2), ("say", 3)])

    assert isinstance(results.pop(1), WorkerCrashedError)
    assert results == [0, 2, 3]


@pytest.mark.deep
async def test_among_many_callers_only_those_whose_item_crashes_fail() -> None:
    """Whatever batches form, on several partitions, while workers crash and are replaced."""
    crashing = {17, 18, 91, 150}
    async with serve(batch_size=8, partitions=2, isolate_errors=True) as serving:
        commands = [("exit", 1) if n in crashing else ("say", n) for n in range(200)]
        results = await gathered(serving, commands)

    failed = {n for n, result in enumerate(results) if isinstance(result, WorkerCrashedError)}
    assert failed == crashing
    assert all(result == n for n, result in enumerate(results) if n not in crashing)


async def test_handlers_of_a_caller_are_told_of_a_crash() -> None:
    """Its run ends with the error, once."""
    async with serve() as serving:
        recorder = Recorder()
        with callbacks(recorder), pytest.raises(WorkerCrashedError) as caught:
            await serving.dispatch(("exit", 1))

    check_lifecycle(recorder)
    assert recorder.run().error is caught.value
