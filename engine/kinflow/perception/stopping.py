"""Ending a search for people on its way: between two looks of a network at the photo."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

from ..errors import CancelledError

_goes_on: ContextVar[Callable[[], bool | None] | None] = ContextVar("goes_on", default=None)


@contextlib.contextmanager
def while_wanted(goes_on: Callable[[], bool | None]) -> Iterator[None]:
    """What looks at photos inside asks this on its way, and ends where it is False."""
    token = _goes_on.set(goes_on)
    try:
        yield
    finally:
        _goes_on.reset(token)


def question() -> Callable[[], None]:
    """To ask from any thread whether the search goes on. It raises CancelledError where not."""
    goes_on = _goes_on.get()

    def ask() -> None:
        if goes_on is not None and goes_on() is False:
            raise CancelledError("The search for people was cancelled.")

    return ask
