"""Providers that are asked together: their labels, and what they consumed. May import components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sideband.components import Usage
from sideband.generation._frames import Frame
from sideband.generation._join import join_frames
from sideband.generation._provider import Provider, provider_name

__all__ = ["labelled", "usage_of"]


def labelled(what: str, providers: Iterable[Provider], named: Mapping[str, Provider]) -> dict[str, Provider]:
    """Return providers by label: keywords, or their names, with a number from the second of a name on.

    Raises:
        ValueError: there is none.
        TypeError: one of them is no provider.
    """
    members: dict[str, Provider] = {**named}
    for provider in providers:
        name = label = provider_name(provider)
        number = 1
        while label in members:
            number += 1
            label = f"{name}-{number}"
        members[label] = provider
    if not members:
        raise ValueError(f"{what} needs at least one provider")
    for member in members.values():
        if not isinstance(member, Provider):
            raise TypeError(f"{what} takes providers, which have a method `generate`, got {member!r}")
    return members


def usage_of(answers: Iterable[Iterable[Frame]]) -> Usage | None:
    """Return what answers consumed together, as far as they tell."""
    used = [usage for frames in answers if (usage := join_frames(frames).usage) is not None]
    return sum(used[1:], used[0]) if used else None
