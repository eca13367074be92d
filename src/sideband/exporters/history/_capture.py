"""What is kept of a payload: as text, what somebody leaves of it, or nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, cast, final

from sideband.exporters.history._record import Fact, is_sound
from sideband.exporters.history._text import MASK, is_secret, shape, to_text

__all__ = ["Capture", "CaptureMode", "Redact", "in_production"]

CaptureMode: TypeAlias = Literal["on", "redacted", "off"]
Redact: TypeAlias = Callable[[str, Any], Any]
"""Given what a value is ("input", "output", "chunk", "event", "error") and the value; returns what may be shown."""

_MODES: Final = ("on", "redacted", "off")


def in_production() -> bool:
    """Tell whether the environment variable `SIDEBAND_ENV` says production."""
    return os.environ.get("SIDEBAND_ENV", "").strip().lower() in ("production", "prod")


@final
class Capture:
    """Turns payloads into bounded text at once, so that nothing of the program's is held or changes later."""

    __slots__ = ("_max_value", "_redact", "mode")

    def __init__(self, mode: CaptureMode | None, redact: Redact | None, max_value: int) -> None:
        """Decide once; without a mode it is off in production, redacted with `redact`, else on.

        Raises:
            ValueError: there is no such mode.
        """
        if mode is None:
            mode = "off" if in_production() else "redacted" if redact is not None else "on"
        if mode not in _MODES:
            raise ValueError(f"capture must be 'on', 'redacted' or 'off', got {mode!r}")
        self.mode: CaptureMode = mode
        self._redact = redact
        self._max_value = max_value

    def text(self, what: str, value: Any, limit: int | None = None) -> str | None:
        """Return a payload as text; None where payloads are not kept."""
        if self.mode == "off":
            return None
        try:
            if self._redact is not None:
                value = self._redact(what, value)
            elif self.mode == "redacted":
                return shape(value)
            return to_text(value, self._max_value if limit is None else limit)
        except Exception as error:  # noqa: BLE001 - a user's value or function fails as it likes: the run goes on
            return f"<could not be shown: {type(error).__name__}>"

    def facts(self, values: Mapping[str, Any]) -> dict[str, Fact]:
        """Return metadata or attributes as plain values; with payloads off or redacted, the plain ones alone."""
        found: dict[str, Fact] = {}
        try:
            for name, value in list(values.items())[:_MOST_FACTS]:
                key = str(name)[:80]
                if is_secret(key):
                    found[key] = MASK
                elif type(value) is str:
                    found[key] = value[:200]
                elif type(value) in (int, float, bool):
                    found[key] = value if is_sound(value) else to_text(value, 200)
                elif type(value) is tuple and _are_counts(cast("Any", value)):
                    found[key] = value[:_MOST_COUNTS]
                elif self.mode == "on" and value is not None:
                    found[key] = to_text(value, 200)
        except Exception:  # noqa: BLE001 - as above
            found["…"] = "could not be shown"
        return found


_MOST_FACTS = 40
_MOST_COUNTS = 256


def _are_counts(values: Sequence[Any]) -> bool:
    return all(type(one) is int and is_sound(one) for one in values[:_MOST_COUNTS])
