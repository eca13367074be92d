"""The systems that are compared: read from their files, without importing the libraries that these stand on."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "peers"


@dataclass(frozen=True)
class Answer:
    """A function that answers a case."""

    module: str
    about: str
    """Its docstring."""


@dataclass(frozen=True)
class System:
    """One file or folder of benchmarks/peers: this project, a peer, or what stands for no library at all."""

    name: str
    title: str
    distribution: str
    """The package whose version is reported; empty where there is none."""
    cases: dict[str, Answer]
    """What it answers, by the name of the case."""

    @property
    def version(self) -> str | None:
        """The installed version; None where it is not installed, or no package."""
        try:
            return version(self.distribution) if self.distribution else None
        except PackageNotFoundError:
            return None


def read_systems(folder: Path = FOLDER) -> dict[str, System]:
    """Return the systems of a folder by name, this project first."""
    found = {path.stem: read_system(path) for path in sorted(folder.glob("[!_]*"))}
    return dict(sorted(found.items(), key=lambda item: item[0] != "sideband"))


def read_system(path: Path) -> System:
    """Return what a file, or the files of a folder, say about a system."""
    root = f"benchmarks.peers.{path.stem}"
    modules = {root: path}
    if path.is_dir():
        modules = {root: path / "__init__.py"}
        modules |= {f"{root}.{file.stem}": file for file in sorted(path.glob("[!_]*.py"))}
    parsed = {module: ast.parse(file.read_text(encoding="utf-8")).body for module, file in modules.items()}
    constants = dict(_constants(parsed[root]))
    cases = {name: answer for module, body in parsed.items() for name, answer in _answers(module, body)}
    return System(path.stem, constants["TITLE"], constants["DISTRIBUTION"], cases)


def _constants(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, str(node.value.value)


def _answers(module: str, body: list[ast.stmt]) -> Iterator[tuple[str, Answer]]:
    for node in body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, Answer(module, " ".join((ast.get_docstring(node) or "").split()))
