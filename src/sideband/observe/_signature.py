"""How the calls of one function are named and described."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, final, get_origin

from sideband.handlers import Listeners
from sideband.observe._lifecycle import begin
from sideband.runs import Component, Run, RunInfo

if TYPE_CHECKING:
    from sideband.observe._tap import Tap

__all__ = ["Signature", "takes_stream"]

_STREAM = r"(\w+\.)*(Async)?(Iterator|Iterable|Generator)\b|(\w+\.)*(Sync)?(Stream|Copy)\b"


@final
class Signature:
    """How to name and describe the calls of one function."""

    __slots__ = ("_info", "_infos", "_names", "_skip", "_variadic", "streamed")

    def __init__(
        self,
        function: Callable[..., Any],
        kind: Component,
        name: str | None,
        type: str | None,  # noqa: A002
    ) -> None:
        """Look at the function once.

        `streamed` is the name of the parameter that takes a stream, if there is one.
        """
        parameters = list(inspect.signature(function).parameters.values())
        positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        self._skip = 1 if positional and positional[0] in ("self", "cls") else 0
        self._names = positional[self._skip :]
        own = [parameter for parameter in parameters if parameter.name not in positional[: self._skip]]
        first = own[0].name if own and getattr(function, "__sideband_transform__", False) else None
        self.streamed: str | None = first or next((p.name for p in own if takes_stream(p.annotation)), None)
        self._variadic = next((p.name for p in parameters if p.kind is p.VAR_POSITIONAL), "args")
        if type is None and inspect.ismethod(function):
            type = _owner(function.__self__).__name__  # noqa: A001 - as the parameter is named
        self._info = RunInfo(kind, name or function.__name__, type or "")
        self._infos: dict[str, RunInfo] | None = {} if self._skip and type is None else None

    def begin(self, found: Listeners, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Run:
        """Make the run of one call."""
        # Written out, without the calls of `info` and `input` where they have little to do: this is felt at each run.
        info = self._info if self._infos is None else self.info(args)
        alone = len(args) == self._skip + 1 and not kwargs
        return begin(info, found, args[-1] if alone else self.input(args, kwargs))

    def info(self, args: tuple[Any, ...]) -> RunInfo:
        """Return the identity of a call; a method's type is the class it is called on."""
        if self._infos is None or not args:
            return self._info
        owner = _owner(args[0])
        found = self._infos.get(owner.__name__)
        if found is None:
            found = RunInfo(self._info.component, self._info.name, owner.__name__)
            self._infos[owner.__name__] = found
        return found

    def input(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """Return the only positional argument, or all arguments by name."""
        own = args[self._skip :]
        if len(own) == 1 and not kwargs:
            return own[0]
        named: dict[str, Any] = dict(zip(self._names, own, strict=False))
        if len(own) > len(self._names):
            named[self._variadic] = own[len(self._names) :]
        return {**named, **kwargs}

    def shown(
        self, run: Run, args: tuple[Any, ...], kwargs: dict[str, Any], *, asynchronous: bool
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call as `tapped` has them; the run's handlers start with copies of the stream."""
        from sideband.observe._tap import listen  # noqa: PLC0415

        tapped, args, kwargs = self.tapped(args, kwargs)
        listen(run, tapped, asynchronous=asynchronous)
        return args, kwargs

    def tapped(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Tap | None, tuple[Any, ...], dict[str, Any]]:
        """Return the arguments of a call with a tap in place of the stream, if one was given."""
        # Loaded with the first function that takes a stream, as what watches streams is.
        from sideband.observe._tap import tap  # noqa: PLC0415

        name = self.streamed
        place = self._skip + self._names.index(name) if name in self._names else -1
        if 0 <= place < len(args):
            made = tap(args[place])
            if made is not None:
                return made[1], (*args[:place], made[0], *args[place + 1 :]), kwargs
        elif name is not None and name in kwargs:
            made = tap(kwargs[name])
            if made is not None:
                return made[1], args, {**kwargs, name: made[0]}
        return None, args, kwargs


def takes_stream(annotation: Any) -> bool:
    # By name: an annotation may be a string, and what it names need not exist at run time.
    text = (
        annotation
        if isinstance(annotation, str)
        else getattr(get_origin(annotation) or annotation, "__name__", "")
    )
    return re.match(_STREAM, text) is not None


def _owner(thing: Any) -> type:
    return thing if isinstance(thing, type) else type(thing)
