"""Prompts of one message and of several. May import observe and components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast, final, get_args

from sideband.components import Message, Role
from sideband.observe import component
from sideband.prompts._errors import TemplateError
from sideband.prompts._template import Template
from sideband.runs import Component

__all__ = ["ChatTemplate", "Placeholder", "PromptTemplate"]


@final
@dataclass(frozen=True, slots=True)
class Placeholder:
    """Where messages of a variable go, a conversation so far for instance."""

    variable: str
    optional: bool = False
    """Whether there may be none."""


Part: TypeAlias = Message | Placeholder | tuple[Role, str]
"""A message as it is, messages of a variable, or a role and its template."""


class ChatTemplate:
    """Messages made of templates: a component of the kind Prompt.

    ```python
    prompt = ChatTemplate([("system", "Answer in {{ language }}."), Placeholder("history"), ("user", "{{ question }}")])
    messages = prompt({"language": "Latin", "history": [], "question": "What is love?"})
    ```

    Threads: any number of calls at once.
    Cost: some 20 µs a template that is filled.
    """

    __sideband_component__ = True

    def __init__(self, parts: Iterable[Part], *, name: str = "prompt") -> None:
        """Read the templates.

        Args:
            parts: the messages, in their order; templates are Jinja2's.
            name: of the runs, and in errors.

        Raises:
            TemplateError: a template cannot be read.
            TypeError: a part is none.
            ValueError: a role is none.
            MissingExtraError: Jinja2 is not installed.
        """
        self.name = name
        self.parts: tuple[Part, ...] = tuple(parts)
        self._made = [_read(part, name) for part in self.parts]
        self._run = component(Component.PROMPT, name=name, type="Jinja2")(self._fill)

    @property
    def variables(self) -> frozenset[str]:
        """The names of all variables that can be given."""
        return frozenset[str]().union(*(made.variables for made in self._made))

    def __call__(self, variables: Mapping[str, Any]) -> tuple[Message, ...]:
        """Return the messages; further variables are passed over.

        Raises:
            MissingVariableError: a variable was not given.
            TemplateError: a template fails with them.
        """
        return self._run(variables)

    def _fill(self, variables: Mapping[str, Any]) -> tuple[Message, ...]:
        return tuple(message for made in self._made for message in made.messages(variables))

    def __repr__(self) -> str:
        """Show the name and the variables."""
        return f"<{type(self).__name__} {self.name!r} of {sorted(self.variables)}>"


@final
class PromptTemplate(ChatTemplate):
    """One message made of a template: a component of the kind Prompt."""

    def __init__(self, template: str, *, role: Role = "user", name: str = "prompt") -> None:
        """Read the template.

        Args:
            template: Jinja2's.
            role: of the message.
            name: of the runs, and in errors.

        Raises:
            TemplateError: the template cannot be read.
            ValueError: the role is none.
            MissingExtraError: Jinja2 is not installed.
        """
        super().__init__([(role, template)], name=name)

    def text(self, variables: Mapping[str, Any]) -> str:
        """Return the text alone, without a run.

        Raises:
            MissingVariableError: a variable was not given.
            TemplateError: the template fails with them.
        """
        (message,) = self._fill(variables)
        return message.text


@final
class _Fixed:
    """A message as it is."""

    variables: frozenset[str] = frozenset()

    def __init__(self, message: Message) -> None:
        self._message = message

    def messages(self, _: Mapping[str, Any]) -> Sequence[Message]:
        """Return it."""
        return (self._message,)


@final
class _Filled:
    """A role and a template."""

    def __init__(self, role: Role, template: Template) -> None:
        self._role: Role = role
        self._template = template
        self.variables = template.variables

    def messages(self, variables: Mapping[str, Any]) -> Sequence[Message]:
        """Fill it."""
        return (Message(self._role, self._template.fill(variables)),)


@final
class _Given:
    """Messages of a variable."""

    def __init__(self, placeholder: Placeholder, template: Template, name: str) -> None:
        self._placeholder = placeholder
        self._template = template
        self._name = name
        self.variables = frozenset({placeholder.variable})

    def messages(self, variables: Mapping[str, Any]) -> Sequence[Message]:
        """Look them up."""
        variable = self._placeholder.variable
        if variable not in variables:
            if self._placeholder.optional:
                return ()
            self._template.fill(variables)  # which says what is missing
        given: Any = variables[variable]
        found: list[Any] = [given] if isinstance(given, Message | str) else list(given)
        strangers = [one for one in found if not isinstance(one, Message)]
        if strangers:
            raise TemplateError(self._name, f"{variable!r} has to hold messages, got {strangers[0]!r}")
        return found


def _read(part: Any, name: str) -> _Fixed | _Filled | _Given:
    if isinstance(part, Message):
        return _Fixed(part)
    if isinstance(part, Placeholder):
        return _Given(part, Template(f"{{{{ {part.variable} }}}}", name), name)
    if isinstance(part, tuple) and len(cast("Sequence[Any]", part)) == 2:
        role, text = cast("Any", part)
        if role not in get_args(Role):
            raise ValueError(f"a role is one of {', '.join(get_args(Role))}, got {role!r}")
        return _Filled(role, Template(text, name))
    raise TypeError(f"a part of a prompt is a Message, a Placeholder, or a (role, template), got {part!r}")
