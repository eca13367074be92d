"""What `import sideband` promises: whole `__all__`s, and an import that is quick, quiet and needs nothing else."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from types import ModuleType

import pytest

import sideband


def public_modules() -> list[str]:
    """Return the names of all modules without an underscore in front.

    The application is a program, not an interface, and what LiteLLM needs is in an environment of its own.
    """
    found = (module.name for module in pkgutil.walk_packages(sideband.__path__, prefix="sideband."))
    left_out = ("sideband.app", "sideband.providers.litellm")
    return ["sideband", *(name for name in found if "._" not in name and not name.startswith(left_out))]


def defined_in(module: ModuleType) -> set[str]:
    """Return the public names of the functions and classes that the module's own file defines."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    }


def run_python(code: str) -> str:
    """Run code in a Python of its own, warnings being errors, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", public_modules())
def test_each_public_module_has_a_complete_all(name: str) -> None:
    """`__all__` (which ruff sorts) names each thing once, nothing that is not there, and all that the module defines."""
    module = importlib.import_module(name)

    assert len(module.__all__) == len(set(module.__all__))
    assert [missing for missing in module.__all__ if not hasattr(module, missing)] == []
    assert defined_in(module) - set(module.__all__) == set()


def test_importing_loads_nothing_but_the_standard_library() -> None:
    """The core's import brings in no third-party module, nor the parts of the package that need one."""
    loaded = run_python(
        "import sys; before = set(sys.modules); import sideband; print(*sorted(set(sys.modules) - before))"
    ).split()

    assert {
        name for name in loaded if name.split(".")[0] not in {*sys.stdlib_module_names, "sideband"}
    } == set()
    assert {
        name for name in loaded if name.startswith(("sideband.app", "sideband.embedders", "sideband.testing"))
    } == set()


def test_importing_opens_nothing_and_starts_nothing() -> None:
    """The import opens no file but modules, no socket and no process, and starts no thread."""
    out = run_python(
        """
import sys, threading
seen = []
def hook(event, args):
    opened = event == "open" and not str(args[0]).endswith((".py", ".pyc", ".so"))
    if opened or event.startswith(("socket.", "subprocess.", "os.system", "os.fork", "_thread.start")):
        seen.append((event, args))
sys.addaudithook(hook)
import sideband
print(seen, threading.active_count())
"""
    )

    assert out.strip() == "[] 1"


def test_importing_takes_less_than_a_tenth_of_a_second() -> None:
    """The quickest of five imports needs under 100 ms of processor time, so that a busy machine does not fail it."""
    code = "import time; start = time.process_time(); import sideband; print(time.process_time() - start)"

    assert min(float(run_python(code)) for _ in range(5)) < 0.1
