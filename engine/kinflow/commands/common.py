"""What every command shares: its common options, and what it says of files."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import tyro

from ..errors import InvalidInputError
from ..terminal import say

UNSET = tyro.conf.arg(help_behavior_hint="")
"""Of an option that is nothing by default: its help need not say so."""


@dataclass(frozen=True, kw_only=True)
class Common:
    """Options of every command.

    grouped: those of its groups are called without the group's name.
    """

    grouped: ClassVar[bool] = False
    json: Annotated[bool, UNSET] = False
    """Print one machine-readable line at the end."""
    quiet: Annotated[bool, tyro.conf.arg(aliases=["-q"], help_behavior_hint="")] = False
    """Say nothing but errors."""
    device: str = "auto"
    """Where to compute: auto, cpu or cuda."""
    seed: int = 0
    """Of everything random: the same number, the same results."""


class UsageError(InvalidInputError):
    """The words of the command line are wrong: nothing was begun, and the exit code is 2."""


def say_written(paths: Iterable[Any]) -> None:
    """What was written, and where, in a sentence."""
    names = [str(path) for path in paths]
    if names:
        listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
        say(f"Written: {listed}")


def make_room_for(path: Path) -> None:
    """Makes the folder of a file that is about to be written."""
    path.parent.mkdir(parents=True, exist_ok=True)
