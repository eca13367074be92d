"""The process in which files are parsed: `python -m sideband.app.formats.worker`. May import the formats.

A parser is a program that is driven by whoever wrote the file: here it may crash, run in circles or
ask for more memory than there is, and nobody but that one file loses anything by it.

Each request is a line of JSON (`format`, `size`, `seconds`) and the file's bytes; each answer is a line
of JSON, with `title`, `text` and `places`, or with `reason`.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import signal
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import IO, Any

from sideband.app.formats.extracted import Extracted, FormatError

__all__ = ["answer", "main"]

_MEMORY_BYTES = 2 * 2**30
_MAX_REASON = 200


def main() -> None:
    """Answer requests until there are no more."""
    requests, answers = _streams()
    _quiet()
    _bounded()
    while line := requests.readline():
        request = json.loads(line)
        data = requests.read(request["size"])
        _alarm(math.ceil(request["seconds"]) + 1)
        answers.write(json.dumps(answer(request["format"], data)).encode() + b"\n")
        answers.flush()
        _alarm(0)


def answer(name: str, data: bytes) -> dict[str, Any]:
    """Parse one file; what goes wrong is a part of the answer."""
    try:
        extract: Callable[[bytes], Extracted] = import_module(f"sideband.app.formats.{name}").extract
        found = extract(data)
    except FormatError as error:
        return {"reason": str(error)}
    except MemoryError:
        return {"reason": f"too big: parsing it takes over {_MEMORY_BYTES // 2**30} GiB of memory"}
    except RecursionError:
        return {"reason": "nested too deeply"}
    except ImportError as error:
        return {"reason": f"no parser: {error}; install sideband[app]"}
    except Exception as error:  # noqa: BLE001 - whatever a library raises for a hostile file, it is that file's
        return {"reason": f"damaged: {type(error).__name__}: {error}"[:_MAX_REASON]}
    return {"title": found.title, "text": found.text, "places": found.places}


def _streams() -> tuple[IO[bytes], IO[bytes]]:
    """Return the pipes to the parent, out of the way of libraries that print."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return sys.stdin.buffer, answers


def _quiet() -> None:
    warnings.simplefilter("ignore")
    logging.disable()
    # Ctrl-C in the terminal reaches this process, too: it ends without a word.
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _bounded() -> None:
    # Windows has no such bound.
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # noqa: PLC0415

        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _alarm(seconds: int) -> None:
    # The parent ends a parser that takes too long; this is for one whose parent is gone.
    if hasattr(signal, "alarm"):
        signal.alarm(seconds)


if __name__ == "__main__":
    main()
