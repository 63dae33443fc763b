"""What is said to the person at the terminal: news, and bars with rate and time left."""

import contextlib
import shutil
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
Show = Callable[[float, str], None]
_BAR = "{desc} {percentage:3.0f}%|{bar}| {postfix}{elapsed}<{remaining}"
_COUNTING_BAR = "{desc} {n:.0f}/{total:.0f}{unit} |{bar}| {rate_noinv_fmt}, {remaining} left"


@dataclass
class _Voice:
    """Whether news are spoken; of this process, as its standard error is."""

    quiet: bool = False


_voice = _Voice()


def set_quiet(quiet: bool) -> None:
    """Whether `say` and `progress` are silent from now on."""
    _voice.quiet = quiet


def say(text: str) -> None:
    """A line of news for the user, beside the output that others read; none with --quiet."""
    if not _voice.quiet:
        warn(text)


def warn(text: str) -> None:
    """A line that --quiet does not silence: what went wrong."""
    from tqdm import tqdm

    tqdm.write(text, file=sys.stderr)
    sys.stderr.flush()


@contextlib.contextmanager
def progress(label: str, count: int = 0, unit: str = "") -> Iterator[Show]:
    """A bar with rate and time left on a terminal's standard error; silent where it is piped.

    count: of what is done one by one, each a `unit`; without, the bar shows the share and the
    message. The share of the first call was done before, and does not count for the rate.
    """
    from tqdm import tqdm

    total, size = float(count or 1), shutil.get_terminal_size()
    bar = tqdm(
        desc=label,
        total=total,
        unit=f" {unit}",
        disable=True if _voice.quiet else None,
        file=sys.stderr,
        leave=False,
        smoothing=0,
        # of a terminal that does not know its own, tqdm would draw nothing
        ncols=size.columns - 1,
        nrows=size.lines,
        bar_format=_COUNTING_BAR if count else _BAR,
    )
    begun = False

    def show(share: float, message: str) -> None:
        nonlocal begun
        if not begun:
            begun, bar.initial = True, share * total
        if not count and message:
            bar.set_postfix_str(f"{message}  ", refresh=False)
        bar.update(share * total - bar.n)

    try:
        with bar:
            yield show
    finally:
        bar.close()


def counted(items: Collection[T], label: str, unit: str) -> Iterator[T]:
    """The items one by one, beside a bar that counts those that are done.

    >>> list(counted(range(3), "Training", "steps"))
    [0, 1, 2]
    """
    with progress(label, len(items), unit) as show:
        for done, item in enumerate(items):
            show(done / len(items), "")
            yield item
