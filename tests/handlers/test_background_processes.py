"""The ends and the forks of processes: real ones, which exit, fail, fork and get stuck, with a handler in the background."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

COMMON = """
import asyncio, atexit, os, sys, threading
import sideband
from sideband import *

def write(line):
    # One system call a line, so that the lines of two processes do not mix.
    os.write(1, f"{line}\\n".encode())

class Slow(Handler):
    def on_start(self, run, input):
        threading.Event().wait(0.002)
        write(f"start {input}")
    def on_end(self, run, output):
        write(f"end {output}")

@component("Tool")
def work(number):
    return number
"""


def python(code: str, folder: Path, *, status: int = 0) -> tuple[list[str], str]:
    """Run a program, warnings being errors; return the lines that it wrote, and its standard error."""
    script = folder / "program.py"
    script.write_text(COMMON + textwrap.dedent(code), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", str(script)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == status, done.stderr
    return done.stdout.splitlines(), done.stderr


def told(*numbers: int) -> list[str]:
    """Return what the handler writes of these runs."""
    return [line for number in numbers for line in (f"start {number}", f"end {number}")]


@pytest.mark.parametrize(
    ("last", "status"),
    [("", 0), ("sys.exit(3)", 3), ("raise ValueError", 1), ("add_global_handler(background(Handler()))", 0)],
)
def test_an_exit_loses_nothing(last: str, status: int, tmp_path: Path) -> None:
    """However the program ends, with a queue that is far from empty; nobody has closed anything."""
    lines, _ = python(
        f"""
        add_global_handler(background(Slow()))
        for number in range(100):
            work(number)
        {last}
        """,
        tmp_path,
        status=status,
    )

    assert lines == told(*range(100))


@pytest.mark.parametrize("waits", ["threading.Event().wait()", "asyncio.run(asyncio.Event().wait())"])
def test_an_exit_does_not_wait_for_ever(waits: str, tmp_path: Path) -> None:
    """Behind a stuck handler, the close has its limit, and says what is lost."""
    started = time.monotonic()
    lines, errors = python(
        f"""
        class Stuck(Handler):
            def on_end(self, run, output):
                {waits}

        stuck, slow = background(Stuck(), close_timeout=0.3), background(Slow())
        with callbacks(stuck, slow):
            for number in range(10):
                work(number)
        """,
        tmp_path,
    )

    assert time.monotonic() - started < 20
    assert lines == told(*range(10))
    assert "was closed with 10 events not delivered" in errors


def test_threads_and_executors_that_go_on_after_the_program_lose_nothing(tmp_path: Path) -> None:
    """Python waits for them; the queue is closed after that."""
    lines, _ = python(
        """
        from concurrent.futures import ThreadPoolExecutor

        add_global_handler(background(Slow()))
        go = threading.Event()

        def later(number):
            go.wait()
            work(number)

        pool = ThreadPoolExecutor()
        pool.submit(later, 1)
        threading.Thread(target=later, args=(2,)).start()
        atexit.register(work, 3)
        threading.Timer(0.2, go.set).start()
        """,
        tmp_path,
    )

    assert sorted(lines) == sorted(told(1, 2, 3))


def test_a_handler_may_use_executors_while_the_program_ends(tmp_path: Path) -> None:
    """What was queued by the end of the program is delivered before Python ends its executors."""
    lines, _ = python(
        """
        class Lookup(Handler):
            async def on_end(self, run, output):
                await asyncio.sleep(0.002)
                await asyncio.to_thread(write, f"end {output}")

        add_global_handler(background(Lookup()))
        for number in range(20):
            work(number)
        """,
        tmp_path,
    )

    assert lines == [f"end {number}" for number in range(20)]


def test_events_are_delivered_where_no_thread_can_be_started(tmp_path: Path) -> None:
    """The close calls the handler itself."""
    lines, errors = python(
        """
        add_global_handler(background(Slow()))
        threading.stack_size(1 << 46)
        for number in range(3):
            work(number)
        """,
        tmp_path,
    )

    assert lines == told(0, 1, 2)
    assert "cannot start its thread" in errors


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@needs_fork
def test_a_forked_child_delivers_its_own_events_and_the_parent_its_own(tmp_path: Path) -> None:
    """Also where the parent's queue was full, its worker busy, and a run under way on both sides."""
    lines, _ = python(
        """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks beside threads

        class Named(Slow):
            def on_start(self, run, input):
                super().on_start(run, f"{input} in {names[os.getpid()]}")
            def on_end(self, run, output):
                super().on_end(run, f"{output} in {names[os.getpid()]}")

        names = {os.getpid(): "parent"}
        behind = background(Named())
        with callbacks(behind), observe("told", input="told") as told:
            told.output = "told"
            behind.flush()
            for number in range(50):
                work(number)
            with observe("untold", input="untold") as untold:
                untold.output = "untold"
                child = os.fork()
                if not child:
                    names = {os.getpid(): "child"}
                    assert (behind.delivered, behind.dropped, behind.pending) == (0, 0, 0)
                    work("own")
        if not child:
            assert behind.flush()
            assert (behind.delivered, behind.dropped) == (3, 1)
            behind.close()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        """,
        tmp_path,
    )

    parents = [line.removesuffix(" in parent") for line in lines if line.endswith(" in parent")]
    runs = [line for number in range(50) for line in (f"start {number}", f"end {number}")]
    assert parents == ["start told", *runs, "start untold", "end untold", "end told"]
    assert [line for line in lines if line.endswith(" in child")] == [
        "start own in child",
        "end own in child",
        "end told in child",
    ]
    assert len(lines) == 104 + 3


@needs_fork
def test_a_fork_in_a_handler_leaves_one_worker_each(tmp_path: Path) -> None:
    """The child's copy of the worker delivers nothing of what the parent had queued."""
    lines, _ = python(
        """
        import warnings
        warnings.simplefilter("ignore", DeprecationWarning)

        class Forks(Handler):
            def on_start(self, run, input):
                if input == 0 and not os.fork():
                    return
                write(f"start {input}")

        go = threading.Event()
        with background(Forks()) as behind, callbacks(behind):
            for number in range(5):
                work(number)
        os.wait()
        """,
        tmp_path,
    )

    assert lines == [f"start {number}" for number in range(5)]


@pytest.mark.parametrize("method", [pytest.param("fork", marks=needs_fork), "spawn"])
def test_a_child_of_multiprocessing_loses_nothing(method: str, tmp_path: Path) -> None:
    """Nobody closes anything in it, and it ends in its own way; what handlers put into a queue arrives."""
    lines, _ = python(
        f"""
        import multiprocessing, warnings
        warnings.simplefilter("ignore", DeprecationWarning)

        class Puts(Slow):
            def __init__(self, queue):
                self.queue = queue
            def on_end(self, run, output):
                super().on_end(run, output)
                self.queue.put(output)

        def child(queue, arrived, attached):
            if not attached:
                add_global_handler(background(Puts(queue)))
            work(0)
            assert arrived.wait(30)  # the queue has begun to send by itself, and ends with the process
            for number in range(1, 20):
                work(number)

        if __name__ == "__main__":
            context = multiprocessing.get_context({method!r})
            queue, arrived = context.Queue(), context.Event()
            attached = {method!r} == "fork"
            if attached:
                add_global_handler(background(Puts(queue)))
            process = context.Process(target=child, args=(queue, arrived, attached))
            process.start()
            got = [queue.get(timeout=30)]
            arrived.set()
            got += [queue.get(timeout=30) for _ in range(19)]
            process.join()
            assert got == list(range(20)), got
            assert process.exitcode == 0
        """,
        tmp_path,
    )

    assert lines == told(*range(20))


def test_importing_and_wrapping_cost_nothing_at_the_exit(tmp_path: Path) -> None:
    """A background handler that nobody used is no reason to wait, whatever its limit."""
    started = time.monotonic()

    lines, errors = python("add_global_handler(background(Slow(), close_timeout=3600.0))", tmp_path)

    assert (lines, errors) == ([], "")
    assert time.monotonic() - started < 20
