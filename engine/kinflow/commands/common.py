"""What every command shares: its common options, messages and progress."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Common:
    """Options of every command."""

    json: bool = False
    """Print one machine-readable line at the end."""
    device: str = "auto"
    """auto, cpu or cuda."""
    seed: int = 0


def say(text: str) -> None:
    """A line for the user, beside the output that others read."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def progress(label: str) -> Iterator[Callable[[float, str], None]]:
    """A progress callback that writes one line, renewed in place on a terminal."""
    terminal = sys.stderr.isatty()
    last = 0.0

    def show(fraction: float, message: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < (0.1 if terminal else 5.0):
            return
        last = now
        end = "\r" if terminal else "\n"
        line = f"{label} {100 * fraction:3.0f}%  {message:<20}"
        print(line, end=end, file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        if terminal:
            print(" " * 60, end="\r", file=sys.stderr)
