"""Times, costs and lists of numbers as they are typed. May import the serving's cost model."""

from __future__ import annotations

import re

import typer

from sideband.serving import CostModel

__all__ = ["counts_of", "model_of", "seconds_of", "shown_seconds", "times_of", "told_seconds"]

_UNITS = {"": 0, "s": 0, "ms": -3, "us": -6, "µs": -6, "μs": -6}
"""Powers of ten of a second."""
_TIME = re.compile(r"(\d+\.?\d*|\.\d+)\s*([a-zµμ]*)")
_TIMES_N = re.compile(r"(?:n\s*[*x]\s*(?P<after>.+)|(?P<before>.+?)\s*[*x]?\s*n)", re.IGNORECASE)
_MOST_SECONDS = 86_400.0


def seconds_of(text: str) -> float:
    """Return the seconds of a time such as `5ms`, `0.005` or `1.5 s`.

    Raises:
        typer.BadParameter: it is none, or longer than a day.
    """
    matched = _TIME.fullmatch(text.strip().lower())
    if matched is None or matched[2] not in _UNITS:
        msg = f"{text.strip()!r} is no time; write it as 5ms, 200us, 1.5s, or 0.005 for seconds"
        raise typer.BadParameter(msg)
    seconds = float(f"{matched[1]}e{_UNITS[matched[2]]}")
    if seconds > _MOST_SECONDS:
        msg = f"{text.strip()!r} is longer than a day"
        raise typer.BadParameter(msg)
    return seconds


def model_of(text: str, variation: float) -> CostModel:
    """Return the cost of a batch of n items, such as `5ms + 0.2ms*n`.

    Raises:
        typer.BadParameter: it is none.
    """
    base = per_item = 0.0
    for term in text.split("+"):
        matched = _TIMES_N.fullmatch(term.strip())
        try:
            if matched is None:
                base += seconds_of(term)
            else:
                per_item += seconds_of(matched["after"] or matched["before"])
        except typer.BadParameter as error:
            msg = (
                f"--cost {text!r}: {error}; the whole is written as '5ms + 0.2ms*n', n being a batch's items"
            )
            raise typer.BadParameter(msg) from error
    if not 0 <= variation <= 100:
        msg = f"--variation must be from 0 to 100, not {variation:g}"
        raise typer.BadParameter(msg)
    try:
        return CostModel(base, per_item, variation)
    except ValueError as error:
        msg = f"--cost {text!r}: {error}"
        raise typer.BadParameter(msg) from error


def counts_of(option: str, text: str, most: int) -> list[int]:
    """Return different whole numbers from 1 on, such as `8,16,32`, in their order.

    Raises:
        typer.BadParameter: one is none, or greater than `most`.
    """
    counts: dict[int, None] = {}
    for word in text.split(","):
        if not re.fullmatch(r"\s*[0-9]{1,12}\s*", word) or not 1 <= int(word) <= most:
            msg = (
                f"{option} takes whole numbers from 1 to {most:,}, with commas between, not {word.strip()!r}"
            )
            raise typer.BadParameter(msg)
        counts[int(word)] = None
    return list(counts)


def times_of(option: str, text: str) -> list[float]:
    """Return different times, such as `0,2ms,5ms`, in their order, in seconds.

    Raises:
        typer.BadParameter: one is none.
    """
    try:
        return list(dict.fromkeys(seconds_of(word) for word in text.split(",")))
    except typer.BadParameter as error:
        msg = f"{option}: {error}; several with commas between"
        raise typer.BadParameter(msg) from error


def shown_seconds(seconds: float) -> str:
    """Return a time that was measured, in three digits, in the unit that suits it."""
    unit, factor = _unit(float(f"{seconds:.3g}"))
    number = seconds * factor
    # A trailing zero is a digit, too, but what is longer than three is a whole number.
    return f"{number:,.0f} {unit}" if number >= 99.95 else f"{number:#.3g} {unit}"


def told_seconds(seconds: float) -> str:
    """Return a time that was given, as it is, in the unit that suits it."""
    unit, factor = _unit(seconds)
    return f"{round(seconds * factor, 6):g} {unit}" if seconds else "0"


def _unit(seconds: float) -> tuple[str, float]:
    if seconds >= 1:
        return "s", 1.0
    return ("ms", 1e3) if seconds >= 1e-3 else ("us", 1e6)
