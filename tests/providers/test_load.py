"""Providers by name, and what is told where one cannot be had."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest

import sideband.providers
from sideband.generation import AuthenticationError, Provider
from sideband.providers import (
    PROVIDERS,
    ClosableProvider,
    LocalModel,
    MissingExtraError,
    UnknownProviderError,
    load,
)


@pytest.mark.parametrize("name", [name for name in PROVIDERS if name != "litellm"])
async def test_each_provider_is_made_by_its_name(name: str) -> None:
    """With the model that it is to ask by default; nothing is sent or started."""
    options: dict[str, str] = {} if name in {"local", "ollama"} else {"api_key": "any"}
    provider: ClosableProvider = await asyncio.to_thread(load, name, "some-model", **options)
    await provider.aclose()

    assert isinstance(provider, Provider)
    assert provider.name == name.removesuffix("-responses")
    assert provider.model == "some-model"


def test_the_default_is_the_embedded_model() -> None:
    """Without a name, and without a model."""
    provider = load()

    assert isinstance(provider, LocalModel)
    assert (provider.name, provider.model) == ("local", "smollm2-135m-instruct")


def test_an_unknown_name_lists_those_there_are() -> None:
    """The error is a LookupError."""
    with pytest.raises(UnknownProviderError, match=r"'openia'.*'openai'") as caught:
        load("openia")
    assert caught.value.known == PROVIDERS


@pytest.mark.parametrize("name", ["openai", "openai-responses", "anthropic", "google", "ollama", "litellm"])
def test_a_missing_sdk_names_its_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    extra = name.removesuffix("-responses")
    for module in list(sys.modules):
        if module == f"sideband.providers.{extra}":
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "google.genai" if extra == "google" else extra, None)

    with pytest.raises(MissingExtraError, match=rf'pip install "sideband\[{extra}\]"'):
        load(name)


@pytest.mark.parametrize("name", ["openai", "openai-responses", "anthropic", "google"])
def test_a_missing_key_is_told_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is asked."""
    for known in list(os.environ):
        if known.startswith(("OPENAI_", "ANTHROPIC_", "GOOGLE_", "GEMINI_")):
            monkeypatch.delenv(known)

    with pytest.raises(AuthenticationError, match=f"^{name.removesuffix('-responses')}: .*key"):
        load(name, "some-model")


def test_importing_the_package_loads_no_sdk() -> None:
    """Nor anything else beyond the standard library."""
    code = (
        "import sys, sideband.providers\n"
        "outside = {name.partition('.')[0] for name in sys.modules} - {'sideband'} - sys.stdlib_module_names\n"
        "print(sorted(name for name in outside if not name.startswith('_')))"
    )
    told = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": sideband.providers.__path__[0] + "/../.."},
    )

    assert told.stdout.strip() == "[]"


def test_there_is_no_other_name() -> None:
    """A name that the package does not have is an AttributeError, as in any module."""
    with pytest.raises(AttributeError, match="no attribute 'OpenIA'"):
        _ = sideband.providers.OpenIA  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
