"""The rules of the direction of imports that import-linter's contracts cannot say."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sideband

PACKAGE = Path(sideband.__file__).parent
CORE = [
    "errors",
    "runs",
    "handlers",
    "scope",
    "observe",
    "streams",
    "components",
    "serving",
    "generation",
    "graph",
]
LAZY = {
    ("generation", "_retry.py", "tenacity"),
    ("generation", "_runtime.py", "pydantic"),
    ("generation", "_schema.py", "pydantic"),
    ("generation", "_structured.py", "pydantic"),
    ("generation", "_structured.py", "pydantic_core"),
    ("graph", "_picture.py", "mermaidx"),
}
"""What belongs to an extra, and is imported inside of a function, when it is needed."""


def sources(layer: str) -> list[Path]:
    """Return the files of one layer, which is a module or a package; none where it does not exist yet."""
    return [*PACKAGE.glob(f"{layer}.py"), *(PACKAGE / layer).rglob("*.py")]


def imported_modules(path: Path) -> Iterator[str]:
    """Give the module of each import in a file, wherever in the file it stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


@pytest.mark.parametrize("layer", CORE)
def test_the_core_imports_the_standard_library_alone(layer: str) -> None:
    """No file of a core layer imports a third-party module, but for those that an extra brings, where it is needed."""
    allowed = {*sys.stdlib_module_names, "sideband"}

    strangers = [
        f"{path.name}: {module}"
        for path in sources(layer)
        for module in imported_modules(path)
        if module.split(".")[0] not in allowed and (layer, path.name, module) not in LAZY
    ]
    assert strangers == []


@pytest.mark.parametrize("layer", CORE)
def test_the_core_does_not_import_the_package_root(layer: str) -> None:
    """Core layers name the layer that they import; the root, which gathers them all, would hide the direction."""
    roundabout = [path.name for path in sources(layer) if "sideband" in imported_modules(path)]

    assert roundabout == []
