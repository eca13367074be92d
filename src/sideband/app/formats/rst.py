"""reStructuredText by docutils, Sphinx's directives and roles included. May import encoding and extracted.

Nothing is read or run that a text names: no other file, no raw output, no configuration. A directive
keeps its argument and its content, whatever it is; a role keeps its text. What docutils objects to
stays as it was written.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, final

from docutils import frontend, nodes, utils
from docutils.parsers.rst import Directive, Parser, directives, states

from sideband.app.formats.encoding import decoded
from sideband.app.formats.extracted import Extracted, Outline

__all__ = ["extract"]

# fmt: off
_DROPPED = {
    "currentmodule", "default-domain", "default-role", "highlight", "include", "index",
    "literalinclude", "meta", "program", "raw", "role", "sectionauthor", "tabularcolumns", "toctree",
}
_VERBATIM = {
    "code", "code-block", "doctest", "math", "parsed-literal", "productionlist", "prompt",
    "sourcecode", "testcode", "testoutput", "testsetup",
}
_PROSE = {
    "admonition", "attention", "availability", "caution", "danger", "deprecated", "error", "hint",
    "important", "note", "rubric", "seealso", "tip", "topic", "versionadded", "versionchanged",
    "versionremoved", "warning",
}
# fmt: on
_OF_DOCUTILS = {"csv-table", "figure", "image", "list-table", "replace", "table", "unicode"}
_OPTIONS_OF_TEXT = ("synopsis", "caption", "alt", "title")
_SILENT = (nodes.comment, nodes.substitution_definition, nodes.target, nodes.pending, nodes.raw)
_CODE = (nodes.literal_block, nodes.doctest_block, nodes.math_block)
# In Sphinx a role's text may be `title <target>`, and start with ! or ~.
_TITLED = re.compile(r"(.+?)\s*<[^<>]*>", re.DOTALL)


def extract(data: bytes) -> Extracted:
    """Read a document with its sections.

    Raises:
        FormatError: it is no text.
    """
    outline = Outline()
    _add(outline, _parsed(decoded(data)), 0)
    return outline.extracted()


def _parsed(text: str) -> nodes.document:
    settings = frontend.get_default_settings(Parser())
    settings.report_level = settings.halt_level = 5
    settings.warning_stream = False
    settings.file_insertion_enabled = settings.raw_enabled = False
    settings.syntax_highlight = "none"
    settings.line_length_limit = len(text) + 1
    document = utils.new_document("document", settings)
    # A subclass would not do: the inliner makes its patterns of what its own class holds.
    inliner: Any = states.Inliner()
    inliner.interpreted = _interpreted
    parser = Parser(inliner=inliner)
    with _every_directive_known():
        parser.parse(text, document)
    return document


def _add(outline: Outline, node: nodes.Node, level: int) -> None:
    if isinstance(node, _SILENT):
        return
    if isinstance(node, nodes.title) and isinstance(node.parent, nodes.section):
        outline.heading(level, node.astext())
    elif isinstance(node, _CODE):
        outline.code(node.astext())
    elif (text := _block(node)) is not None:
        outline.block(text)
    else:
        for child in node.children:
            _add(outline, child, level + isinstance(node, nodes.section))


def _block(node: nodes.Node) -> str | None:
    """Return what a node says, where nothing in it stands on its own."""
    if isinstance(node, nodes.system_message):
        return "\n\n".join(lost.astext() for lost in node.findall(nodes.literal_block))
    if isinstance(node, nodes.tgroup):
        return "\n".join(" | ".join(map(_line, row.children)) for row in node.findall(nodes.row))
    if isinstance(node, nodes.list_item) and len(node.children) == 1:
        return f"- {_line(node)}"
    if isinstance(node, nodes.image):
        return str(node.get("alt", ""))
    return node.astext() if isinstance(node, nodes.TextElement) else None


def _line(node: nodes.Node) -> str:
    return " ".join(node.astext().split())


@final
class _AnyOption(dict[str, Any]):
    """Says of every option that it may have any value."""

    def __missing__(self, name: str) -> Any:
        return directives.unchanged


class _Described(Directive):
    """A directive whose argument and content are text: `.. method:: glob(pattern)`, `.. note::`."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    # Not empty, since docutils would then look for no options.
    option_spec = _AnyOption(synopsis=directives.unchanged)

    def run(self) -> list[nodes.Node]:
        found = [nodes.paragraph(text, text) for text in self._told()]
        content = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, content)
        return [*found, content]

    def _told(self) -> Iterator[str]:
        for argument in self.arguments:
            if self.name.startswith(("version", "deprecated")):
                yield f"{self.name}: {argument}"
            else:
                yield argument
        for name in _OPTIONS_OF_TEXT:
            if self.options.get(name):
                yield str(self.options[name])


@final
class _Prose(_Described):
    """A directive whose argument is prose: the beginning of its content, as in `.. note:: Mind the gap`."""

    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        for text in self._told():
            inline, messages = self.state.inline_text(text, self.lineno)
            found += [nodes.paragraph(text, "", *inline), *messages]
        self.arguments = []
        self.options = {}
        return found + super().run()


@final
class _Verbatim(Directive):
    """A directive whose content is kept line by line."""

    optional_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = _Described.option_spec

    def run(self) -> list[nodes.Node]:
        # Of a formula the argument is the first line, of code the language.
        lines = [*(self.arguments if self.name in {"math", "productionlist"} else ()), *self.content]
        text = "\n".join(lines)
        return [nodes.literal_block(text, text)]


@final
class _Dropped(_Described):
    """A directive that says nothing to a reader."""

    def run(self) -> list[nodes.Node]:
        return []


def _directive(name: str) -> type[Directive] | None:
    if name in _OF_DOCUTILS:
        return None
    if name in _DROPPED:
        return _Dropped
    if name in _VERBATIM:
        return _Verbatim
    return _Prose if name in _PROSE else _Described


def _interpreted(rawsource: str, text: str, role: str, lineno: int) -> Any:  # noqa: ARG001 - docutils' call
    """Take every role as text."""
    titled = _TITLED.fullmatch(text)
    shown = titled[1] if titled else utils.unescape(text).lstrip("!~")
    return [nodes.inline(rawsource, utils.unescape(shown))], []


@contextmanager
def _every_directive_known() -> Generator[None]:
    """Have docutils take every directive, as Sphinx has it know its own: there is no way but for the process."""
    registry: Any = directives
    original = registry.directive

    def directive(name: str, language: Any, document: nodes.document) -> Any:
        found = _directive(name.lower().rpartition(":")[2])
        return (found, []) if found else original(name, language, document)

    registry.directive = directive
    try:
        yield
    finally:
        registry.directive = original
