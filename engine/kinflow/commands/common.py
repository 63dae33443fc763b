"""What every command shares: its common options, messages and progress."""

import contextlib
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tyro

from ..errors import InvalidInputError

Show = Callable[[float, str], None]
_BAR = "{desc} {percentage:3.0f}%|{bar}| {postfix}{elapsed}<{remaining}"
_COUNTING_BAR = "{desc} {n:.0f}/{total:.0f}{unit} |{bar}| {rate_fmt}, {remaining} left"


@dataclass(frozen=True, kw_only=True)
class Common:
    """Options of every command.

    grouped: those of its groups are called without the group's name.
    """

    grouped: ClassVar[bool] = False
    json: bool = False
    """Print one machine-readable line at the end."""
    quiet: Annotated[bool, tyro.conf.arg(aliases=["-q"])] = False
    """Say nothing but errors."""
    device: str = "auto"
    """Where to compute: auto, cpu or cuda."""
    seed: int = 0
    """Of everything random: the same number, the same results."""


class UsageError(InvalidInputError):
    """The words of the command line are wrong: nothing was begun, and the exit code is 2."""


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


def say_written(paths: Iterable[Any]) -> None:
    """What was written, and where, in a sentence."""
    names = [str(path) for path in paths]
    if names:
        listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
        say(f"Written: {listed}")


def make_room_for(path: Path) -> None:
    """Makes the folder of a file that is about to be written."""
    path.parent.mkdir(parents=True, exist_ok=True)


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
