"""How a worker process finds the model: by the name under which it can import it, or by a pickled copy.

Functions and classes go by name, since that is what the decorator `serving` leaves of them in their
module; anything else (an instance, a partial) is pickled when the worker is started. May import nothing
of the package.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import pickle
import sys
from typing import Any

__all__ = ["check_importable", "load", "reference"]

Reference = tuple[str, str] | bytes
"""A module and a qualified name, or what is pickled."""

_HOW = "executor='process' imports the model in each worker process, so define it at the top of a module"


def check_importable(model: Any) -> None:
    """Refuse at once what no other process can import.

    Raises:
        TypeError: the model, or its class, is a lambda, defined inside a function, or in an interactive session.
    """
    named = _named(model)
    name, module = named.__qualname__, named.__module__
    what = f"{name} of module {module!r}"
    if "<lambda>" in name:
        msg = f"{what} cannot be served: a lambda has no name; {_HOW}"
        raise TypeError(msg)
    if "<locals>" in name:
        msg = f"{what} cannot be served: it is defined inside a function; {_HOW}"
        raise TypeError(msg)
    if module == "__main__" and not _main_has_a_file():
        msg = f"{what} cannot be served: it is defined in an interactive session or a notebook; {_HOW}"
        raise TypeError(msg)


def _named(model: Any) -> Any:
    """Return the function or class by whose name the model is found."""
    if isinstance(model, functools.partial):
        return _named(model.func)
    if inspect.ismethod(model):
        return _named(model.__self__)
    return model if inspect.isroutine(model) or isinstance(model, type) else type(model)


def _main_has_a_file() -> bool:
    main = sys.modules["__main__"]
    return getattr(main, "__file__", None) is not None or getattr(main, "__spec__", None) is not None


def reference(model: Any) -> Reference:
    """Return how another process finds the model.

    Raises:
        TypeError: something else has its name, or an instance cannot be pickled.
    """
    if _named(model) is not model:
        try:
            return pickle.dumps(model, pickle.HIGHEST_PROTOCOL)
        except Exception as error:  # whatever an object's own way to be pickled raises
            msg = f"{type(model).__name__} cannot be served with executor='process': it cannot be pickled ({error})"
            raise TypeError(msg) from error
    place = (model.__module__, model.__qualname__)
    found = _find(*place)
    if found is not model:
        msg = (
            f"{place[1]} of module {place[0]!r} cannot be served with executor='process': a worker that "
            f"imports it finds {found!r} under this name"
        )
        raise TypeError(msg)
    return place


def load(found: Reference) -> Any:
    """Return the model, in a worker process.

    Raises:
        Exception: what importing its module or unpickling it raises.
    """
    return pickle.loads(found) if isinstance(found, bytes) else _find(*found)  # noqa: S301 - from the parent process


def _find(module: str, name: str) -> Any:
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    # A decorated function's name is its serving's now.
    return getattr(found, "__sideband_model__", found)
