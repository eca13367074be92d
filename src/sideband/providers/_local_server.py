"""The program in which the embedded model runs: a process of its own. Imports nothing of Sideband; the one place that imports xllamacpp.

Its first line of input is its settings, in JSON; the end of its input is its own end, so that it outlives nobody who
started it. It answers with one line that begins with `MARK`: the address, or what went wrong.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any

__all__ = ["MARK"]

MARK = "sideband-local-model:"
_WARNINGS = 2


def main() -> None:
    """Serve until the input ends."""
    settings: dict[str, Any] = json.loads(sys.stdin.readline())
    ended = threading.Thread(target=end_with_input, daemon=True)
    ended.start()
    try:
        server = started(settings)
    except Exception as error:  # noqa: BLE001 - the library raises what it likes; whoever started us raises it again
        answer(error=str(error))
        sys.exit(1)
    answer(url=server.listening_address)
    ended.join()


def end_with_input() -> None:
    """End the process, whatever it is doing, when nobody holds the other end of its input any more."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os._exit(0)


def answer(**facts: str) -> None:
    """Say one thing to whoever started this, on a line of its own among the server's."""
    os.write(sys.stderr.fileno(), f"\n{MARK}{json.dumps(facts)}\n".encode())


def started(settings: dict[str, Any]) -> Any:
    """Load the model and listen."""
    import xllamacpp  # type: ignore[import-untyped]  # noqa: PLC0415 - where an error can be answered

    library: Any = xllamacpp
    given = library.CommonParams()
    given.model.path = settings["path"]
    given.model_alias = {settings["name"]}
    given.chat_template = settings["chat_template"]
    given.use_jinja = True
    given.hostnames = ["127.0.0.1"]
    given.port = settings["port"]
    given.api_keys = [settings["api_key"]]
    given.n_parallel = settings["parallel"]
    given.n_ctx = settings["context"] * settings["parallel"]
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = settings["threads"]
    given.cache_prompt = settings["prompt_cache"]
    # Beside the prompts that the slots hold anyway: memory that a small model does not pay back.
    given.cache_ram_mib = 0
    given.cache_idle_slots = False
    given.offline = True
    given.ui = False
    given.fit_params = False
    given.warmup = False
    given.verbosity = _WARNINGS
    return library.Server(given)


if __name__ == "__main__":
    main()
