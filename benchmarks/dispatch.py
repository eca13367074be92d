"""What dispatching through a serving costs, each figure as a ratio to what no server could beat.

    python benchmarks/dispatch.py                     all parts
    python benchmarks/dispatch.py single lists        some of them

1. single: standing callers, each with one item at a time, an identity function executed inline; the floor is the
   same callers awaiting plain futures that one callback resolves. Then with four keys, costs and three priorities
   among the callers. CPU time.
2. lists: the same items through `dispatch_many`, in lists of 64. CPU time.
3. model: a batch function that takes a fixed time and a time for each item; the ideal is the same function called
   with full batches back to back.
4. texts: callers with one short text each, against one call of the model with the whole list, and against plain
   futures around the same model. Real models; wall-clock time.
5. executors: full batches one after the other, an identity function executed inline, in a thread, and in a worker
   process, where items and results are pickled. Wall-clock time.

Variants are interleaved in each repetition and their order is rotated, so that what else the machine does hits all
alike. Judge CPU times by their minimum, wall-clock ratios by their median.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import statistics
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from sideband.serving import Batch, Serving

Row = dict[str, Any]


def interleave(variants: dict[str, Callable[[], float]], repetitions: int) -> dict[str, list[float]]:
    """Run each variant once, unmeasured, then all of them in turn; return their figures."""
    names = list(variants)
    for name in names:
        variants[name]()
    seen: dict[str, list[float]] = {name: [] for name in names}
    for repetition in range(repetitions):
        shift = repetition % len(names)
        for name in names[shift:] + names[:shift]:
            seen[name].append(variants[name]())
    return seen


def run(program: Callable[[], Coroutine[Any, Any, float]]) -> Callable[[], float]:
    return lambda: asyncio.run(program())


# -- single and lists ------------------------------------------------------------------------------


async def standing(
    call: Callable[[int], Any] | Sequence[Callable[[int], Any]], items: int, callers: int
) -> float:
    """Return the CPU seconds of callers that await one item after the other; they share the calls that there are."""
    calls = [call] if callable(call) else call

    async def caller(number: int, count: int) -> None:
        own = calls[number % len(calls)]
        for item in range(number, number + count):
            await own(item)

    started = time.process_time()
    await asyncio.gather(*[caller(number, items // callers) for number in range(callers)])
    return time.process_time() - started


async def plain_futures(items: int, callers: int) -> float:
    loop = asyncio.get_running_loop()
    waiting: list[asyncio.Future[None]] = []

    def resolve() -> None:
        batch = waiting[:]
        waiting.clear()
        for future in batch:
            future.set_result(None)

    def call(_item: int) -> asyncio.Future[None]:
        future: asyncio.Future[None] = loop.create_future()
        if not waiting:
            loop.call_soon(resolve)
        waiting.append(future)
        return future

    return await standing(call, items, callers)


def identity(batch: Batch[int]) -> list[int]:
    return batch.values


async def dispatched(items: int, callers: int) -> float:
    async with Serving(identity, batch_size=callers, executor="inline", max_queue=callers) as serving:
        return await standing(serving.dispatch, items, callers)


async def graded(items: int, callers: int, how: str) -> float:
    """Dispatch with what the policy has to know of each item: its key, its cost, its priority."""
    options: dict[str, Any] = {}
    if "key" in how:
        options["key"] = lambda item: item % 4
    if "cost" in how:
        options["cost"] = lambda item: 1 + item % 7
        options["max_cost"] = 7 * callers
    async with Serving(
        identity, batch_size=callers, executor="inline", max_queue=callers, **options
    ) as serving:
        if "priority" not in how:
            return await standing(serving.dispatch, items, callers)
        calls = [functools.partial(serving.dispatch, priority=priority) for priority in range(3)]
        return await standing(calls, items, callers)


GRADES = ["key", "cost", "priority", "key, cost, priority"]


def single(options: argparse.Namespace) -> list[Row]:
    n, callers = options.items, options.callers
    seen = interleave(
        {
            "plain futures": run(lambda: plain_futures(n, callers)),
            "dispatch": run(lambda: dispatched(n, callers)),
            **{f"dispatch, {how}": run(lambda how=how: graded(n, callers, how)) for how in GRADES},
        },
        options.repetitions,
    )
    floor = min(seen["plain futures"])
    return [
        {
            "part": "single",
            "what": name,
            "µs an item (min)": min(times) / n * 1e6,
            "µs an item (median)": statistics.median(times) / n * 1e6,
            "ratio": min(times) / floor,
        }
        for name, times in seen.items()
    ]


async def in_lists(items: int, length: int, senders: int, hooks: tuple[str, ...]) -> float:
    async with Serving(identity, batch_size=256, executor="inline", hooks=hooks) as serving:

        async def sender() -> None:
            for _ in range(items // length // senders):
                await serving.dispatch_many(range(length))

        started = time.process_time()
        await asyncio.gather(*[sender() for _ in range(senders)])
        return time.process_time() - started


def lists(options: argparse.Namespace) -> list[Row]:
    n = options.items * 10
    cases = {"1 sender": (1, ()), "16 senders": (16, ()), "16 senders, hooks": (16, ("progress",))}
    seen = interleave(
        {
            name: run(lambda senders=senders, hooks=hooks: in_lists(n, 64, senders, hooks))
            for name, (senders, hooks) in cases.items()
        },
        options.repetitions,
    )
    return [
        {
            "part": "lists of 64",
            "what": name,
            "µs an item (min)": min(times) / n * 1e6,
            "µs an item (median)": statistics.median(times) / n * 1e6,
        }
        for name, times in seen.items()
    ]


# -- a model that takes time -----------------------------------------------------------------------


def sleeps(batch: Batch[int]) -> list[int]:
    time.sleep(0.005 + 0.0002 * batch.size)
    return batch.values


async def awaits(batch: Batch[int]) -> list[int]:
    await asyncio.sleep(0.005 + 0.0002 * batch.size)
    return batch.values


async def against_ideal(callers: int, rounds: int, size: int, function: Any) -> float:
    """Return the seconds of full batches executed back to back over those that the callers had to wait."""

    async def caller(serving: Serving[int, int]) -> None:
        for item in range(rounds):
            await serving.dispatch(item)

    full = min(size, callers)
    batch = Batch(list(range(full)), serving="ideal")
    started = time.perf_counter()
    for _ in range(callers * rounds // full):
        result = function(batch)
        if function is awaits:
            await result
    ideal = time.perf_counter() - started
    async with Serving(function, batch_size=size) as serving:
        started = time.perf_counter()
        await asyncio.gather(*[caller(serving) for _ in range(callers)])
        return ideal / (time.perf_counter() - started)


def model(options: argparse.Namespace) -> list[Row]:
    variants = {
        f"{function.__name__}, size {size}": run(lambda f=function, s=size: against_ideal(64, 20, s, f))
        for function in (sleeps, awaits)
        for size in (64, 16)
    }
    seen = interleave(variants, options.repetitions)
    return [
        {"part": "5 + 0.2 n ms, 64 callers", "what": name, "of ideal (median)": statistics.median(ratios)}
        for name, ratios in seen.items()
    ]


# -- real models -----------------------------------------------------------------------------------

WORDS = "how do I read a large file line by line and write rows to a table without loading it all".split()


def short_texts(count: int) -> list[str]:
    return [" ".join(WORDS[(i + k) % len(WORDS)] for k in range(5 + i % 8)) + f" {i}" for i in range(count)]


async def one_text_each(call: Callable[[str], Any], some: list[str], rounds: int) -> float:
    """Return the seconds that callers with one text each took."""

    async def caller(text: str) -> None:
        for _ in range(rounds):
            await call(text)

    started = time.perf_counter()
    await asyncio.gather(*[caller(text) for text in some])
    return time.perf_counter() - started


async def by_plain_futures(embedder: Any, some: list[str], rounds: int) -> float:
    loop = asyncio.get_running_loop()
    waiting: list[tuple[str, asyncio.Future[Any]]] = []

    def resolve() -> None:
        batch = waiting[:]
        waiting.clear()
        for vector, (_, future) in zip(embedder.embed([text for text, _ in batch]), batch, strict=True):
            future.set_result(vector)

    def call(text: str) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = loop.create_future()
        if not waiting:
            loop.call_soon(resolve)
        waiting.append((text, future))
        return future

    return await one_text_each(call, some, rounds)


async def by_serving(embedder: Any, some: list[str], rounds: int, executor: Any) -> float:
    def embed(batch: Batch[str]) -> Any:
        return embedder.embed(batch.values)

    async with Serving(embed, batch_size=len(some), executor=executor) as serving:
        return await one_text_each(serving.dispatch, some, rounds)


def by_whole_lists(embedder: Any, some: list[str], rounds: int) -> float:
    started = time.perf_counter()
    for _ in range(rounds):
        embedder.embed(some)
    return time.perf_counter() - started


def texts(options: argparse.Namespace) -> list[Row]:
    from sideband.embedders import load

    rows: list[Row] = []
    some = short_texts(64)
    for name in options.models:
        rounds = 100 if name == "wordllama" else 3
        given = (load(name), some, rounds)
        variants: dict[str, Callable[[], float]] = {
            "whole list": functools.partial(by_whole_lists, *given),
            "plain futures": run(functools.partial(by_plain_futures, *given)),
            "dispatch, thread": run(functools.partial(by_serving, *given, "thread")),
            "dispatch, inline": run(functools.partial(by_serving, *given, "inline")),
        }
        seen = interleave(variants, options.repetitions)
        for variant, times in seen.items():
            ratios = [base / own for base, own in zip(seen["whole list"], times, strict=True)]
            rows.append(
                {
                    "part": f"64 short texts, {name}",
                    "what": variant,
                    "texts/s": 64 * rounds / statistics.median(times),
                    "of whole list (median)": statistics.median(ratios),
                }
            )
    return rows


# -- executors -------------------------------------------------------------------------------------


async def batches(executor: Any, items: list[Any], rounds: int) -> float:
    """Return the seconds of batches that are executed one after the other."""
    async with Serving(identity, batch_size=len(items), executor=executor) as serving:
        await serving.dispatch_many(items)
        started = time.perf_counter()
        for _ in range(rounds):
            await serving.dispatch_many(items)
        return time.perf_counter() - started


def executors(options: argparse.Namespace) -> list[Row]:
    rounds = 200
    vector = [float(n) for n in range(384)]
    cases: dict[str, list[Any]] = {
        "64 numbers": list(range(64)),
        "64 lists of 384 floats": [vector[:] for _ in range(64)],
    }
    rows: list[Row] = []
    for case, items in cases.items():
        variants = {
            name: run(lambda name=name, items=items: batches(name, items, rounds))
            for name in ("inline", "thread", "process")
        }
        seen = interleave(variants, options.repetitions)
        rows += [
            {
                "part": f"executors, {case}",
                "what": name,
                "µs a batch (median)": statistics.median(times) / rounds * 1e6,
            }
            for name, times in seen.items()
        ]
    return rows


# -- the command -----------------------------------------------------------------------------------

PARTS = {"single": single, "lists": lists, "model": model, "texts": texts, "executors": executors}


def show(rows: list[Row]) -> None:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    widths = [max(len(line[place]) for line in [columns, *cells]) for place in range(len(columns))]
    for line in [columns, *cells]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    print(flush=True)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument(
        "--repetitions", type=int, default=11, metavar="N", help="of each variant (default 11)"
    )
    parser.add_argument(
        "--items", type=int, default=20_000, metavar="N", help="single items (default 20,000)"
    )
    parser.add_argument(
        "--callers", type=int, default=256, metavar="N", help="standing callers (default 256)"
    )
    parser.add_argument("--models", nargs="+", default=["minilm", "wordllama"], metavar="NAME")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; the parts are {', '.join(PARTS)}")
    rows: list[Row] = []
    for part in options.parts or PARTS:
        found = PARTS[part](options)
        show(found)
        rows += found
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
