"""A run's summary as JSON: what a page shows of a run before anybody asks for more. May import the history."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import Any, Final

from sideband.exporters.history import Changes, Histogram, History, Record, Totals

__all__ = ["encode", "message", "row", "totals"]

# ASCII alone, so that lone surrogates, which a hostile text may have, can be sent; never NaN, which is no JSON.
encode: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False, check_circular=False).encode

_WHERE_NOT_EMPTY: Final = (
    "type", "metadata", "attributes", "path", "links", "waiting", "input_tokens", "output_tokens", "dropped_children",
    "streamed",
)  # fmt: skip
_WHERE_KNOWN: Final = ("duration", "time_to_first_chunk", "cost")


def row(record: Record) -> str:
    """Return a run's summary, made once for each of its changes and so for all browsers."""
    made = record.encoded
    if made is None or made[0] != record.sequence:
        record.encoded = made = record.sequence, encode(_summary(record))
    return made[1]


def _summary(record: Record) -> dict[str, Any]:
    told: dict[str, Any] = {
        "number": record.number,
        "id": record.id,
        "kind": record.component.value,
        "name": record.name,
        "started": round(record.started_at, 6),
    }
    if record.parent:
        told["parent"] = record.parent
    if record.outcome is not None:
        told["outcome"] = record.outcome.value
    if record.chunk_count:
        told["chunks"] = record.chunk_count
    if record.error:
        told["error"] = record.error[0].type
    for name in _WHERE_NOT_EMPTY:
        value = getattr(record, name)
        if value:
            told[name] = dict(value) if name in ("metadata", "attributes") else value
    for name in _WHERE_KNOWN:
        value = getattr(record, name)
        if value is not None:
            told[name] = round(value, 7)
    return told


def totals(history: History) -> dict[str, Any]:
    """Return what there was since the beginning."""
    found = history.totals
    return {
        "runs": found.runs,
        "running": found.running,
        "kept": len(history),
        "most": history.max_runs,
        "ended": {str(outcome): count for outcome, count in found.ended.items()},
        "dropped_runs": found.dropped_runs,
        "dropped_payloads": found.dropped_payloads,
        "input_tokens": found.input_tokens,
        "output_tokens": found.output_tokens,
        "cost": found.cost,
        "histograms": _histograms(found),
    }


def _histograms(found: Totals) -> dict[str, Any]:
    return {
        "queue_time": _histogram(found.queue_time),
        "time_to_first_chunk": _histogram(found.time_to_first_chunk),
        "tokens_per_second": _histogram(found.tokens_per_second),
    }


def _histogram(found: Histogram) -> dict[str, Any]:
    return {
        "count": found.count,
        "bins": [[round(low, 9), round(high, 9), amount] for low, high, amount in found.bins],
        "p50": found.quantile(0.5),
        "p95": found.quantile(0.95),
    }


def message(changes: Changes, history: History) -> str:
    """Return what a browser has not been told, as one JSON value."""
    rest = {
        "anew": changes.anew,
        "more": changes.more,
        "now": time.time(),
        "dropped": changes.dropped,
        "totals": totals(history),
    }
    return f'{encode(rest)[:-1]},"rows":{array(changes.records)}}}'


def array(records: Iterable[Record]) -> str:
    """Return the summaries of several runs."""
    return f"[{','.join(map(row, records))}]"
