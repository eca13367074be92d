"""One Jinja2 template in the sandbox. May import errors; Jinja2 is imported when the first one is made.

The sandbox keeps a template from reaching into the program: no private attributes, nothing of what it is given
is changed. What variables hold is text to it, never a template.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, final

from sideband.errors import MissingExtraError
from sideband.prompts._errors import MissingVariableError, TemplateError

__all__ = ["Template"]


@cache
def _environment() -> Any:
    try:
        from jinja2 import StrictUndefined  # noqa: PLC0415 - an extra, and it takes time to import
        from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415
    except ImportError as error:
        raise MissingExtraError("prompts", "jinja2") from error
    # What is made goes to a model, not into a page: there is nothing to escape.
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )


@final
class Template:
    """A text with gaps."""

    __slots__ = ("_name", "_template", "variables")

    def __init__(self, text: str, name: str) -> None:
        """Read a template.

        Raises:
            TemplateError: it cannot be read.
            MissingExtraError: Jinja2 is not installed.
        """
        environment = _environment()
        from jinja2 import TemplateSyntaxError, meta  # noqa: PLC0415

        self._name = name
        try:
            self._template: Any = environment.from_string(text)
            parsed = environment.parse(text)
        except TemplateSyntaxError as error:
            raise TemplateError(name, error.message or "", error.lineno) from error
        self.variables: frozenset[str] = frozenset(meta.find_undeclared_variables(parsed))
        """All names that it uses, those that it has a default for among them."""

    def fill(self, variables: Mapping[str, Any]) -> str:
        """Return the text with its gaps filled.

        Raises:
            MissingVariableError: a variable that it needs was not given.
            TemplateError: it fails for another reason.
        """
        from jinja2 import TemplateError as JinjaError  # noqa: PLC0415
        from jinja2 import UndefinedError  # noqa: PLC0415

        try:
            text: str = self._template.render(variables)
        except UndefinedError as error:
            missing = self.variables - set(variables)
            if missing:
                raise MissingVariableError(self._name, missing, variables) from error
            raise TemplateError(self._name, str(error)) from error
        except (JinjaError, ArithmeticError, LookupError, TypeError, ValueError, OverflowError) as error:
            raise TemplateError(self._name, f"{type(error).__name__}: {error}") from error
        return text
