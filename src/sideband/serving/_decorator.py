"""The decorator that makes a serving."""

from __future__ import annotations

import functools
from typing import Any, Protocol, TypeVar, Unpack, overload

from sideband.serving._model import BatchFunction, BatchModel
from sideband.serving._serving import Serving
from sideband.serving._settings import ServingOptions

__all__ = ["serving"]

T = TypeVar("T")
R = TypeVar("R")


class _Decorate(Protocol):
    @overload
    def __call__(self, model: type[BatchModel[T, R]], /) -> Serving[T, R]: ...
    @overload
    def __call__(self, model: BatchFunction[T, R], /) -> Serving[T, R]: ...


@overload
def serving(model: type[BatchModel[T, R]], /) -> Serving[T, R]: ...
@overload
def serving(model: BatchFunction[T, R], /) -> Serving[T, R]: ...
@overload
def serving(**options: Unpack[ServingOptions]) -> _Decorate: ...
def serving(model: Any = None, /, **options: Any) -> Any:
    """Make a `Serving` of the decorated function or class; takes its options.

    ```python
    @serving(batch_size=32, hooks=("progress",))
    def embed(batch: Batch[str]) -> list[Vector]: ...
    ```
    """
    if model is not None:
        return Serving(model, **options)
    return functools.partial(_make, options)


def _make(options: dict[str, Any], model: Any) -> Serving[Any, Any]:
    return Serving(model, **options)
