"""The systems that are compared: read from their files, without importing the libraries that these stand on."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "peers"


@dataclass(frozen=True)
class System:
    """One file of benchmarks/peers: this project, a peer, or what stands for no library at all."""

    name: str
    title: str
    distribution: str
    """The package whose version is reported; empty where there is none."""
    cases: dict[str, str]
    """What it does, by the name of the case: the docstring of the function."""

    @property
    def version(self) -> str | None:
        """The installed version; None where it is not installed, or no package."""
        try:
            return version(self.distribution) if self.distribution else None
        except PackageNotFoundError:
            return None


def read_systems(folder: Path = FOLDER) -> dict[str, System]:
    """Return the systems of a folder by name, this project first."""
    found = {path.stem: read_system(path) for path in sorted(folder.glob("[!_]*.py"))}
    return dict(sorted(found.items(), key=lambda item: item[0] != "sideband"))


def read_system(path: Path) -> System:
    """Return what a file says about its system."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    constants = {
        target.id: ast.literal_eval(node.value)
        for node in body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    functions = {
        node.name: " ".join((ast.get_docstring(node) or "").split())
        for node in body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }
    return System(path.stem, constants["TITLE"], constants["DISTRIBUTION"], functions)
