"""What the live view takes of the watched program's CPU at 1,000 runs/s, with and without a browser that listens.

    python benchmarks/live.py [--rate 1000] [--seconds 10]

The program makes nested runs with small payloads at a steady rate, in a process of its own that also serves the page;
a reader in another process takes what is streamed. CPU is the program's own time, user and system. Reported as a part
of one core: unwatched, watched by a handler that does nothing, watched by the history, and with browsers listening.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Any

import uvicorn
from starlette.applications import Starlette

from sideband import Handler, add_global_handler, component
from sideband.exporters import live_view

READER = """
import socket, sys
found = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
found.sendall(b"GET /live/events HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
while found.recv(1 << 20):
    pass
"""


class Nothing(Handler):
    def on_start(self, run, input):
        pass

    def on_end(self, run, output):
        pass


@component("Tool")
def tool(question: str, limit: int) -> dict[str, Any]:
    return {"answer": question, "score": 0.5}


@component("Agent")
def agent(question: str) -> dict[str, Any]:
    return tool(question, 3) | tool(question, 4) | tool(question, 5)


async def work(rate: float, seconds: float) -> float:
    """Make runs at a rate, four at a time, and return the CPU seconds that the process took a second."""
    began, cpu, made = time.perf_counter(), time.process_time(), 0
    while (elapsed := time.perf_counter() - began) < seconds:
        while made < rate * elapsed:
            agent("What is a sideband?")
            made += 4
        await asyncio.sleep(0.01)
    return (time.process_time() - cpu) / (time.perf_counter() - began)


def browser(port: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", READER, port])


async def measured(mode: str, rate: float, seconds: float) -> float:
    listener = socket.create_server(("127.0.0.1", 0))
    app = Starlette()
    with ExitStack() as stack:
        browsers: list[subprocess.Popen[bytes]] = []
        if mode == "a handler that does nothing":
            stack.enter_context(add_global_handler(Nothing()))
        elif mode != "unwatched":
            view = live_view()
            app.mount("/live", view)
            stack.callback(view.close)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        task = asyncio.create_task(server.serve([listener]))
        count = {"one browser": 1, "three browsers": 3}.get(mode, 0)
        for _ in range(count):
            port = str(listener.getsockname()[1])
            browsers.append(browser(port))
        await work(rate, min(seconds, 12_000 / rate))  # the history is full, as it is after some seconds
        found = await work(rate, seconds)
        for one in browsers:
            one.kill()
            one.wait()
        stack.close()
        server.should_exit = True
        await task
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mode")
    given = parser.parse_args()
    if given.mode:
        print(asyncio.run(measured(given.mode, given.rate, given.seconds)))
        return
    modes = ["unwatched", "a handler that does nothing", "the history", "one browser", "three browsers"]
    found: dict[str, list[float]] = {mode: [] for mode in modes}
    for _ in range(given.rounds):
        for mode in modes:
            command = [
                sys.executable,
                __file__,
                "--mode",
                mode,
                "--rate",
                str(given.rate),
                "--seconds",
                str(given.seconds),
            ]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[mode].append(float(done.stdout))
    base = min(found["unwatched"])
    print(
        f"{given.rate:,.0f} runs/s, least of {given.rounds} rounds of {given.seconds:g} s; parts of one core"
    )
    for mode in modes:
        least, middle = min(found[mode]), statistics.median(found[mode])
        more = least - base
        print(
            f"{mode:30} {least:7.2%}  median {middle:7.2%}  more than unwatched {more:6.2%}  {more / given.rate * 1e6:5.1f} µs a run"
        )


if __name__ == "__main__":
    main()
