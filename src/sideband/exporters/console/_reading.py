"""From a history's records to what the terminal shows, and over a socket. May import the history.

What comes over a socket was made by another program: it is checked field by field, and cleaned as any other text.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

from sideband.exporters.console._node import Node, duration
from sideband.exporters.history import Record
from sideband.exporters.history._progress import Progress
from sideband.runs import Component

__all__ = ["clean", "from_wire", "node_of", "to_wire"]

_NAME, _TEXT, _TAIL, _ABOUT = 120, 400, 400, 80
_FACTS = 4
_CAUSES = 4
_STRUCTURED: Final = re.compile(r"- |\[|[A-Z]\w*\n\s*\w+: ")
_UNTOLD: Final = {"queued", "executing", "progress"}
"""Events that are shown as what they tell: how many wait, how much is done."""
_SHORT: Final = {
    "id": 64, "kind": 24, "name": _NAME, "parent": 64, "outcome": 16, "tail": _TAIL, "about": _ABOUT,
}  # fmt: skip
_NUMBERS: Final = ("started", "duration", "first_chunk", "cost", "done", "total")
_COUNTS: Final = ("order", "chunks", "size", "input_tokens", "output_tokens")


@functools.lru_cache(4_096)
def clean(text: str, limit: int = _TEXT) -> str:
    """Return text on one line without control characters, of so many characters at most.

    Also without what shows no sign of its own but changes its neighbours': marks of direction, joiners, selectors
    of a variation.
    """
    if len(text) <= limit and text.isascii() and text.isprintable() and "  " not in text:
        return text.strip()
    cut = text[: limit * 4]
    shown = "".join(
        letter if letter.isprintable() and not "\ufe00" <= letter <= "\ufe0f" else " " for letter in cut
    )
    line = " ".join(shown.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def node_of(record: Record) -> Node:
    """Return what is shown of a run, by what is known of it now."""
    outcome = record.outcome
    done, total = _filled(record) if record.component is Component.BATCH else record.progress
    return Node(
        id=str(record.number),
        kind=record.component.value,
        name=clean(record.name, _NAME),
        started=record.started_at,
        order=record.number,
        parent=str(record.parent) if record.parent else None,
        duration=record.duration,
        outcome=None if outcome is None else outcome.value,
        error=tuple(_failures(record)),
        tail="" if outcome is not None else _tail(record),
        chunks=record.chunk_count,
        first_chunk=record.time_to_first_chunk,
        input_tokens=record.input_tokens,
        output_tokens=record.output_tokens,
        cost=record.cost,
        done=done,
        total=total,
        about=_about(record.input),
        size=_size(record),
        facts=tuple(_facts(record)),
    )


def _about(given: str | None) -> str:
    """Return the beginning of an input; nothing of a list or an object, which do not begin with what they are about."""
    return "" if given is None or _STRUCTURED.match(given) else clean(given, _ABOUT)


def _failures(record: Record) -> Iterable[str]:
    for failure in record.error[:_CAUSES]:
        text = f"{failure.type}: {failure.text}" if failure.text else failure.type
        yield clean(text)


def _tail(record: Record) -> str:
    text = ""
    for chunk in reversed(list(record.chunks)):
        if chunk.text is None or len(text) >= _TAIL:
            break
        text = (chunk.text if chunk.written else f" {chunk.text}") + text
    return clean(text[-_TAIL:], _TAIL)


def _facts(record: Record) -> Iterable[str]:
    size = _size(record)
    if size and (record.component is not Component.BATCH or not _filled(record)[1]):
        yield f"batch of {size:,}"
    if isinstance(waited := record.attributes.get("queue_time"), float):
        yield f"queued {duration(waited)}"
    if record.waiting and record.running:
        yield f"{record.waiting:,} waiting"
    if record.running:
        names = [event.name for event in list(record.events) if event.name not in _UNTOLD]
        if names:
            yield clean(names[-1], 40)


def _filled(record: Record) -> Progress:
    """Return how many items are in a batch, and how many may be."""
    limit = record.attributes.get("max_batch_size")
    return float(_size(record)), float(limit) if isinstance(limit, int) else 0.0


def _size(record: Record) -> int:
    size = record.attributes.get("batch_size")
    return size if isinstance(size, int) else 0


def to_wire(node: Node) -> dict[str, Any]:
    """Return a run as plain values, those alone that say something."""
    told = {name: getattr(node, name) for name in (*_SHORT, *_NUMBERS, *_COUNTS, "error", "facts")}
    return {name: value for name, value in told.items() if value or value == 0.0}


def from_wire(told: object, process: str) -> Node | None:
    """Return the run that somebody tells of; None where that is none."""
    if not isinstance(told, dict):
        return None
    given: dict[Any, Any] = cast("Any", told)
    texts = {name: _text(given.get(name), limit) for name, limit in _SHORT.items()}
    if not texts["id"] or not texts["kind"]:
        return None
    numbers = {name: _number(given.get(name)) for name in _NUMBERS}
    counts = {name: int(_number(given.get(name)) or 0) for name in _COUNTS}
    node = Node(f"{process}/{texts['id']}", texts["kind"], texts["name"], numbers["started"] or 0.0)
    node.process = process
    node.parent = f"{process}/{texts['parent']}" if texts["parent"] else None
    node.outcome = texts["outcome"] or None
    node.error, node.facts = _texts(given.get("error"), _CAUSES), _texts(given.get("facts"), _FACTS)
    node.tail, node.about = texts["tail"], texts["about"]
    node.duration, node.first_chunk, node.cost = (
        numbers["duration"],
        numbers["first_chunk"],
        numbers["cost"],
    )
    node.done, node.total = numbers["done"] or 0.0, numbers["total"] or 0.0
    for name, count in counts.items():
        setattr(node, name, count)
    return node


def _text(given: object, limit: int) -> str:
    return clean(given, limit) if isinstance(given, str) else ""


def _texts(given: object, most: int) -> tuple[str, ...]:
    if not isinstance(given, list | tuple):
        return ()
    entries = cast("Sequence[Any]", given)
    return tuple(clean(text) for text in entries[:most] if isinstance(text, str))


def _number(given: object) -> float | None:
    """Return a number that can be shown: finite, not negative, and of a sane size."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    try:
        number = float(given)
    except OverflowError:
        return None
    return number if math.isfinite(number) and 0 <= number < 1e15 else None
