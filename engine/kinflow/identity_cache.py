"""A small cache by identity, for values made from large objects that are no dictionary keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class IdentityCache:
    """The last few values by the very objects they were made from, which are kept alive with them."""

    def __init__(self, size: int = 8) -> None:
        self._size = size
        self._entries: list[tuple[tuple, object]] = []

    def get(self, sources: tuple, make: Callable[[], T]) -> T:
        """The value of these objects (strings and numbers count by equality), made where it is not there yet."""
        for entry in self._entries:
            if len(entry[0]) == len(sources) and all(
                _same(a, b) for a, b in zip(entry[0], sources, strict=True)
            ):
                return entry[1]  # type: ignore[return-value]
        value = make()
        self._entries = [(sources, value), *self._entries[: self._size - 1]]
        return value


def _same(a: object, b: object) -> bool:
    return a is b or (isinstance(a, (str, int, bool)) and a == b)
