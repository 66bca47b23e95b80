"""Names for what the loop does, seen in a profile where one is being recorded."""

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

from torch.autograd import profiler

T = TypeVar("T")

_NOTHING: AbstractContextManager[object] = contextlib.nullcontext()


def is_recording() -> bool:
    """Whether a profile is being recorded; where torch does not say, it is taken to be one."""
    return bool(getattr(profiler, "_is_profiler_enabled", True))


def region(name: str) -> AbstractContextManager[object]:
    """Return a context whose block torch.profiler shows as `ganfw.<name>`; next to free where nothing is recorded."""
    return profiler.record_function(f"ganfw.{name}") if is_recording() else _NOTHING


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
