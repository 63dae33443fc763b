"""What a table of commands is made of, and the page that lists it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import __version__


@dataclass(frozen=True)
class Command:
    """Options, a function that does what they ask for, and a line of help.

    options: a dataclass, or a function that gives it where it stands beside what loads torch.
    """

    options: Any
    run: Callable[[Any], dict[str, Any]]
    help: str = ""

    @property
    def line(self) -> str:
        """What it does, in a line."""
        return self.help or str(self.options.__doc__).split("\n\n")[0]

    def load_options(self) -> type:
        """The dataclass of its options."""
        return self.options if isinstance(self.options, type) else self.options()


@dataclass(frozen=True)
class Group:
    """Commands under one word, in the order of work; headings: by the command below each."""

    help: str
    commands: Mapping[str, Command | Group]
    headings: Mapping[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """What it is for, in a line."""
        return self.help

    def find(self, words: Sequence[str]) -> tuple[Command | Group, int]:
        """-> the command (or group) that the words call, and how many of the words name it."""
        entry: Command | Group = self
        depth = 0
        while isinstance(entry, Group) and depth < len(words) and words[depth] in entry.commands:
            entry = entry.commands[words[depth]]
            depth += 1
        return entry, depth

    def front_page(self, program: str) -> str:
        """All commands, a line each."""
        width = max(map(len, self.commands))
        lines = [f"{program} {__version__}. {self.help}"]
        for name, entry in self.commands.items():
            if name in self.headings:
                lines += ["", self.headings[name]]
            lines.append(f"  {name:<{width}}  {entry.line}")
        lines += [
            "",
            f"To begin:  {program} setup    then    {program} fit photo.jpg",
            f"{program} COMMAND --help explains a command; {program} --version says which this is.",
        ]
        return "\n".join(lines)
