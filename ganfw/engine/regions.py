"""Names for what the loop does, seen in a profile where one is being recorded."""

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

from torch.autograd import profiler

T = TypeVar("T")

_NOTHING: AbstractContextManager[object] = contextlib.nullcontext()


def region(name: str) -> AbstractContextManager[object]:
    """Return a context whose block torch.profiler shows as `ganfw.<name>`; next to free where nothing is recorded."""
    return profiler.record_function(f"ganfw.{name}") if getattr(profiler, "_is_profiler_enabled", True) else _NOTHING


def each_within(name: str, items: Iterable[T]) -> Iterator[T]:
    """Yield items, each fetched within a region."""
    iterator = iter(items)
    while True:
        with region(name):
            try:
                item = next(iterator)
            except StopIteration:
                return
        yield item
