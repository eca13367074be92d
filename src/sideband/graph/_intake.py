"""A workflow's mappings while it is executed: of values as a whole, of streams chunk by chunk. May import streams.

Who takes values gets the fields of what a stream comes to as a whole. Who takes a stream gets the fields of its chunks:
one that does not have a field gives nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sideband.graph._flow import copies, is_stream, stream_of, values_of
from sideband.graph._mapping import Intake, Taken
from sideband.graph._paths import NoFieldError, Path, value_at
from sideband.streams import SKIP, Stream, from_iterable, merge

__all__ = ["stream_for", "value_for", "wait_for"]

Keep = Callable[[Any], Any]
"""Remembers a stream, to be closed at the end; gives it back."""


async def wait_for(intake: Intake, inputs: Mapping[str, Any]) -> None:
    """Wait for the ends of streams whose nodes are to be done before, though nothing is taken from them."""
    for source, given in inputs.items():
        if source not in intake.takes_from and is_stream(given):
            async for _ in given:
                pass


async def value_for(intake: Intake, graph: str, inputs: Mapping[str, Any]) -> Any:
    """Return what a node that takes a value is given.

    Raises:
        FieldMissingError: a field is not there, or has to be and its node was skipped.
    """
    values = await values_of({source: inputs[source] for source in intake.takes_from if source in inputs})
    given = {
        taken.target: _field(intake, graph, taken, values[taken.source])
        for taken in intake.taken
        if taken.source in values
    }
    return intake.together(graph, given)


def stream_for(intake: Intake, graph: str, inputs: Mapping[str, Any], keep: Keep) -> Stream[Any]:
    """Return what a node that takes a stream is given: chunks that each have one entry, or are one whole.

    Raises:
        FieldMissingError: a field of a value is not there.
    """
    streams: list[Stream[Any]] = []
    if intake.statics:
        streams.append(from_iterable([_nested(target, value) for target, value in intake.statics]))
    for taken, value in _each(intake, inputs, keep):
        if is_stream(value):
            mapped = value.map(_Cut(taken)) if taken.path else value
        else:
            mapped = stream_of(_field(intake, graph, taken, value))
        streams.append(mapped.map(_Nest(taken.target)) if taken.target else mapped)
    if not streams:
        streams.append(from_iterable([intake.together(graph, {})]))
    kept: Stream[Any] = keep(streams[0] if len(streams) == 1 else merge(*streams))
    return kept


def _each(intake: Intake, inputs: Mapping[str, Any], keep: Keep) -> list[tuple[Taken, Any]]:
    """Return each mapping with what came for it, a stream's own copy."""
    pairs: list[tuple[Taken, Any]] = []
    for source, given in inputs.items():
        mine = [taken for taken in intake.taken if taken.source == source]
        pairs += zip(mine, map(keep, copies(given, len(mine))) if len(mine) > 1 else [given], strict=False)
    return pairs


def _field(intake: Intake, graph: str, taken: Taken, value: Any) -> Any:
    try:
        return value_at(value, taken.path)
    except NoFieldError as error:
        raise intake.missing(graph, taken, str(error)) from error


def _nested(target: Path, value: Any) -> Any:
    for step in reversed(target):
        value = {step: value}
    return value


class _Cut:
    """Takes a field out of each chunk that has it."""

    def __init__(self, taken: Taken) -> None:
        self._path = taken.path

    def __call__(self, chunk: Any) -> Any:
        try:
            return value_at(chunk, self._path)
        except NoFieldError:
            return SKIP


class _Nest:
    """Puts each chunk at its place."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __call__(self, chunk: Any) -> Any:
        return _nested(self._target, chunk)
