"""What prompts raise. May import errors."""

from __future__ import annotations

from collections.abc import Iterable

from sideband.errors import SidebandError

__all__ = ["MissingVariableError", "PromptError", "TemplateError"]


class PromptError(SidebandError):
    """The root of what prompts raise; `prompt` is the prompt's name."""

    def __init__(self, prompt: str, message: str) -> None:
        """Name the prompt in front of what happened."""
        super().__init__(f"prompt {prompt!r}: {message}")
        self.prompt = prompt


class MissingVariableError(PromptError, LookupError):
    """A prompt was filled without some of its variables; nothing was made of it."""

    def __init__(self, prompt: str, missing: Iterable[str], given: Iterable[str]) -> None:
        """Name those that are missing, and those that were given."""
        self.missing: tuple[str, ...] = tuple(sorted(missing))
        self.given: tuple[str, ...] = tuple(sorted(given))
        wanted = ", ".join(map(repr, self.missing))
        there = ", ".join(map(repr, self.given)) or "nothing"
        super().__init__(prompt, f"{wanted} is missing; given was {there}")


class TemplateError(PromptError, ValueError):
    """A template cannot be read, or does what the sandbox forbids, or fails with the variables that it was given."""

    def __init__(self, prompt: str, reason: str, line: int | None = None) -> None:
        """Say why, and in which line, where that is known."""
        where = "" if line is None else f" in line {line}"
        super().__init__(prompt, f"its template fails{where}: {reason}")
        self.reason = reason
        self.line = line
