"""The documentation of Python's own standard library as a corpus. May import components and the corpus.

Modules written in Python are parsed, not imported: importing some of them opens windows or browsers.
Those written in C are imported from a list of names that do nothing when they are.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import sys
import sysconfig
import types
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from sideband.app.corpus import Corpus, Part, Reading, Skipped
from sideband.components import Document

__all__ = ["stdlib_corpus"]

_SKIPPED_FOLDERS = {
    "__pycache__",
    # Hundreds of tables of characters, whose docstrings say that a program made them.
    "encodings",
    "ensurepip",
    "idle_test",
    "idlelib",
    "lib-dynload",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "test",
    "tests",
    "turtledemo",
}

# Modules in C, and the public module under which what they define is known.
_COMPILED = {
    "_asyncio": "asyncio", "_bisect": "bisect", "_bz2": "bz2", "_codecs": "codecs",
    "_collections": "collections", "_contextvars": "contextvars", "_csv": "csv", "_ctypes": "ctypes",
    "_datetime": "datetime", "_decimal": "decimal", "_elementtree": "xml.etree.ElementTree",
    "_functools": "functools", "_hashlib": "hashlib", "_heapq": "heapq", "_io": "io", "_lzma": "lzma",
    "_operator": "operator", "_pickle": "pickle", "_queue": "queue", "_random": "random",
    "_signal": "signal", "_socket": "socket", "_sqlite3": "sqlite3", "_ssl": "ssl",
    "_statistics": "statistics", "_struct": "struct", "_weakref": "weakref",
    "_zoneinfo": "zoneinfo", "array": "array", "atexit": "atexit", "binascii": "binascii",
    "builtins": "", "cmath": "cmath", "errno": "errno", "faulthandler": "faulthandler",
    "fcntl": "fcntl", "gc": "gc", "grp": "grp", "itertools": "itertools", "marshal": "marshal",
    "math": "math", "mmap": "mmap", "posix": "os", "pwd": "pwd", "pyexpat": "xml.parsers.expat",
    "resource": "resource", "select": "select", "sys": "sys", "syslog": "syslog",
    "termios": "termios", "time": "time", "unicodedata": "unicodedata", "zlib": "zlib",
}  # fmt: skip

_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
_MIN_CHARACTERS = 20


def stdlib_corpus() -> Corpus:
    """Return the docstrings and language topics of the running Python, in a stable order.

    A document's id is the name under which it is imported ("json.loads", "str.join"), a topic's is
    "topics/…". What is private, and what has no docstring to speak of, is left out. A name that is
    defined twice, in Python and in C, say, comes twice; the first is the one to keep.
    """
    root = Path(sysconfig.get_path("stdlib"))
    parts = [_part(name, path) for name, path in _modules(root)]
    parts += [_compiled_part(module, public) for module, public in _COMPILED.items()]
    parts.append(Part(name="pydoc topics", read=_topics))
    return Corpus(
        collection="stdlib",
        places=(f"the standard library of Python {sys.version_info.major}.{sys.version_info.minor}",),
        parts=parts,
        covers=lambda _: True,
    )


def _modules(root: Path) -> Iterator[tuple[str, Path]]:
    """Find the modules' files, each with the public name of what it defines."""
    for folder, names, files in os.walk(root):
        names[:] = sorted(name for name in names if name.isidentifier() and name not in _SKIPPED_FOLDERS)
        packages = Path(folder).relative_to(root).parts
        for file in sorted(files):
            stem, suffix = os.path.splitext(file)
            dotted = packages if stem == "__init__" else (*packages, stem)
            if suffix == ".py" and dotted and stem != "__main__" and _public(dotted[0]):
                # What stands in `concurrent.futures._base` is known as part of `concurrent.futures`.
                yield ".".join(filter(_public, dotted)), Path(folder, file)


def _part(module: str, path: Path) -> Part:
    return Part(name=module, read=lambda: _read_module(module, path))


def _compiled_part(module: str, public: str) -> Part:
    return Part(name=public or module, read=lambda: list(_compiled_documents(module, public)))


def _read_module(module: str, path: Path) -> Reading:
    try:
        tree = ast.parse(path.read_bytes(), filename=str(path))
    except (OSError, SyntaxError, ValueError) as error:
        return Skipped(path=str(path), reason=str(error), keep=isinstance(error, OSError))
    return list(_module_documents(module, tree))


def _module_documents(module: str, tree: ast.Module) -> Iterator[Document]:
    yield from _document(module, ast.get_docstring(tree), "module", 1)
    waiting = [(module, node) for node in _definitions(tree.body)]
    waiting.reverse()
    while waiting:
        outer, node = waiting.pop()
        name = f"{outer}.{node.name}"
        is_class = isinstance(node, ast.ClassDef)
        yield from _document(name, ast.get_docstring(node), "class" if is_class else "function", node.lineno)
        if is_class:
            waiting.extend((name, inner) for inner in reversed(list(_definitions(node.body))))


def _definitions(body: list[ast.stmt]) -> Iterator[_Definition]:
    for node in body:
        if isinstance(node, _Definition):
            if _public(node.name):
                yield node
        elif isinstance(node, ast.If):
            yield from _definitions(node.body)
            yield from _definitions(node.orelse)
        elif isinstance(node, ast.Try):
            yield from _definitions(node.body)
            yield from chain.from_iterable(_definitions(handler.body) for handler in node.handlers)
            yield from _definitions(node.orelse)


def _compiled_documents(module: str, public: str) -> Iterator[Document]:
    try:
        found = importlib.import_module(module)
    except ImportError:  # built without it, or of another platform
        return
    if public == module:
        yield from _document(module, inspect.getdoc(found), "module", 0)
    prefix = f"{public}." if public else ""
    for name, value in sorted(vars(found).items()):
        if not _public(name) or not _is_defined_in(value, module, public):
            continue
        kind = "class" if isinstance(value, type) else "function"
        yield from _document(prefix + name, _own_doc(value), kind, 0)
        if isinstance(value, type):
            for inner, method in sorted(vars(value).items()):
                if _public(inner):
                    yield from _document(f"{prefix}{name}.{inner}", _own_doc(method), "method", 0)


def _is_defined_in(value: object, module: str, public: str) -> bool:
    if not isinstance(value, type | types.BuiltinFunctionType):
        return False
    return getattr(value, "__module__", None) in {module, public}


def _own_doc(value: object) -> str | None:
    doc = getattr(value, "__doc__", None)
    return inspect.cleandoc(doc) if isinstance(doc, str) else None


def _document(name: str, doc: str | None, kind: str, line: int) -> Iterator[Document]:
    if doc is not None and len(doc) >= _MIN_CHARACTERS:
        # Docstrings about text hold lone surrogates, which no database takes.
        text = doc.encode("utf-8", "backslashreplace").decode()
        yield Document(id=name, text=text, metadata={"title": name, "kind": kind, "line": line})


def _topics() -> Reading:
    try:
        topics: dict[str, str] = importlib.import_module("pydoc_data.topics").topics
    except ImportError:
        return []
    return [
        Document(id=f"topics/{name}", text=text, metadata={"title": f"Python topic: {name}", "kind": "topic"})
        for name, text in sorted(topics.items())
    ]


def _public(name: str) -> bool:
    return not name.startswith("_")
