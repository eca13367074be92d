"""An exception and its causes, as text; no file is read for it. May import what is beside it."""

from __future__ import annotations

from collections import deque
from itertools import islice
from types import TracebackType
from typing import Any, cast

from sideband.exporters.history._capture import Capture
from sideband.exporters.history._record import Failure
from sideband.exporters.history._text import error_text

__all__ = ["failures"]

_MOST = 8
_FRAMES = 12


def failures(error: BaseException, capture: Capture, *, frames: bool = True) -> tuple[Failure, ...]:
    """Return the exception, then what it came from: causes, contexts, the members of a group; eight at most."""
    found: list[Failure] = []
    seen: set[int] = set()
    waiting: deque[tuple[BaseException, str]] = deque([(error, "")])
    while waiting and len(found) < _MOST:
        one, relation = waiting.popleft()
        if id(one) in seen:
            continue
        seen.add(id(one))
        text = capture.text("error", error_text(one))
        found.append(
            Failure(type(one).__name__, text, _frames(one.__traceback__) if frames else (), relation)
        )
        if isinstance(one, BaseExceptionGroup):
            members: tuple[BaseException, ...] = cast("Any", one).exceptions
            waiting.extend((member, "one of") for member in islice(members, _MOST))
        if one.__cause__ is not None:
            waiting.append((one.__cause__, "caused by"))
        elif one.__context__ is not None and not one.__suppress_context__:
            waiting.append((one.__context__, "raised while handling"))
    return tuple(found)


def _frames(traceback: TracebackType | None) -> tuple[str, ...]:
    kept: deque[str] = deque(maxlen=_FRAMES)
    while traceback is not None:
        code = traceback.tb_frame.f_code
        kept.append(f"{code.co_filename}:{traceback.tb_lineno} {code.co_qualname}")
        traceback = traceback.tb_next
    return tuple(kept)
