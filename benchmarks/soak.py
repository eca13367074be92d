"""Many callers who come and go: who is answered, with what, and what stays behind.

Ten thousand callers, a tenth of them cancelled at random, a tenth of the batches failing. Every other caller must have
its own right answer; and after a warm-up the process must not grow over the rounds.

    python benchmarks/soak.py --callers 10000 --rounds 10
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import sys
import time

from sideband.serving import Batch, Serving


class BatchFailedError(Exception):
    """What a tenth of the batches raises."""


def resident() -> int:
    """Return the bytes of this process that are in memory."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def caller(serving: Serving[int, int], number: int, share: float) -> str:
    try:
        if share < 0.6:
            right = await serving.dispatch(number) == 2 * number
        elif share < 0.8:
            right = await serving.dispatch_many([number, -number]) == [2 * number, -2 * number]
        else:
            events = [event async for event in serving.stream_many([number, -number])]
            right = [value for event in events for value in event.output] == [2 * number, -2 * number]
    except BatchFailedError:
        return "failed"
    return "right" if right else "WRONG"


async def soak(callers: int, seed: int, executor: str) -> dict[str, int]:
    """Let the callers of one round come and go; return how many ended how."""
    chance = random.Random(seed)

    def model(batch: Batch[int]) -> list[int]:
        if chance.random() < 0.1:
            raise BatchFailedError
        return [2 * value for value in batch]

    async with Serving(model, batch_size=32, partitions=2, executor=executor) as serving:
        tasks = []
        for number in range(callers):
            tasks.append(asyncio.create_task(caller(serving, number, chance.random())))
            if chance.random() < 0.1:
                await asyncio.sleep(0)
            if chance.random() < 0.1:
                waiting = [task for task in tasks[-100:] if not task.done() and not task.cancelling()]
                if waiting:
                    chance.choice(waiting).cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        stats = serving.stats()
    if stats.waiting or stats.executing:
        sys.exit(f"something is left behind: {stats}")
    outcomes = [
        "cancelled" if isinstance(result, asyncio.CancelledError) else str(result) for result in results
    ]
    return {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--callers", type=int, default=10_000, metavar="N", help="in a round (default 10,000)"
    )
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="measured (default 10)")
    parser.add_argument("--warm-up", type=int, default=3, metavar="N", help="rounds before (default 3)")
    parser.add_argument("--executor", choices=("thread", "inline"), default="thread")
    parser.add_argument(
        "--limit", type=float, default=5.0, metavar="MIB", help="growth that fails (default 5)"
    )
    options = parser.parse_args()
    before = 0
    for number in range(-options.warm_up, options.rounds):
        if number == 0:
            gc.collect()
            before = resident()
        started = time.perf_counter()
        outcomes = asyncio.run(soak(options.callers, number, options.executor))
        seconds = time.perf_counter() - started
        name = f"round {number + 1}" if number >= 0 else "warm-up"
        print(f"{name:9} {seconds:6.2f} s  {resident() / 2**20:7.1f} MiB  {outcomes}", flush=True)
        if set(outcomes) - {"right", "failed", "cancelled"}:
            sys.exit("a caller got a wrong answer, or an error that is not its own")
    gc.collect()
    growth = (resident() - before) / 2**20
    print(f"grown by {growth:.2f} MiB in {options.rounds} rounds")
    if growth > options.limit:
        sys.exit(f"more than {options.limit} MiB")


if __name__ == "__main__":
    main()
