"""Numbers as people read them. Knows nothing of the rest."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

__all__ = ["FILTERS", "clock", "compact", "dollars", "duration", "size"]


def duration(seconds: float | None) -> str:
    """Write seconds with three digits or so, in a unit that fits."""
    if seconds is None:
        return "-"
    if seconds < 0.000_999_5:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.999_5:
        return f"{seconds * 1e3:.{1 if seconds < 0.01 else 0}f} ms"
    if seconds < 59.95:
        return f"{seconds:.{2 if seconds < 9.995 else 1}f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02} min"


def compact(number: float) -> str:
    """Write a count, from a million on in millions."""
    return f"{number / 1e6:.1f} M" if number >= 1e6 else f"{number:,.0f}"


def size(count: float) -> str:
    """Write a number of bytes."""
    for unit in ("B", "kB", "MB"):
        if count < 999.5:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def dollars(amount: float) -> str:
    """Write a price, with as many digits as a small one needs."""
    return f"${amount:,.2f}" if amount >= 0.1 else f"${amount:.6f}".rstrip("0").rstrip(".") or "$0"


def clock(unix: float) -> str:
    """Write a time of day, in the time zone of the server, to the millisecond."""
    return time.strftime("%H:%M:%S", time.localtime(unix)) + f".{int(unix * 1000) % 1000:03}"


FILTERS: Final[dict[str, Callable[[Any], str]]] = {
    "clock": clock,
    "compact": compact,
    "dollars": dollars,
    "duration": duration,
    "size": size,
}
