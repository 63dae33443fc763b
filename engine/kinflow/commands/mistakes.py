"""Mistyped commands and options: what was perhaps meant, in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from .common import UsageError
from .entries import Command, Group
from .inputs import similar

_OPTION = re.compile(r"--[A-Za-z][\w.-]*")


def check_words(program: str, entry: Command | Group, words: Sequence[str], depth: int) -> None:
    """Raises UsageError for a command or an option that is not there."""
    called = " ".join((program, *words[:depth]))
    rest = words[depth:]
    if isinstance(entry, Command):
        _check_options(called, entry, rest)
    elif rest and rest[0] not in ("--help", "-h") and not rest[0].startswith("--tyro"):
        raise UsageError(*_no_command(called, entry, rest[0]))


def _no_command(called: str, group: Group, word: str) -> tuple[str, str]:
    if word.startswith("-"):
        return f"Options come after a command, and {word} before it.", f"See {called} --help"
    near = similar(word, list(group.commands)) or _within(group, word)
    if near:
        hint = f"Did you mean {called} {near[0]}?"
    elif Path(word).exists() and "fit" in group.commands:
        hint = f"Did you mean {called} fit {word}?"
    else:
        hint = f"See them all: {called} --help"
    return f"{called} has no command '{word}'.", hint


def _within(group: Group, word: str) -> list[str]:
    """A command of one of the groups, of just that name."""
    groups = [(n, entry) for n, entry in group.commands.items() if isinstance(entry, Group)]
    return [f"{name} {word}" for name, entry in groups if word in entry.commands]


def _check_options(called: str, command: Command, words: Sequence[str]) -> None:
    known = {"--help", *_options(command.load_options())}
    for word in words:
        if word == "--":
            return
        match = _OPTION.fullmatch(word.split("=")[0])
        name = match[0].replace("_", "-") if match else ""
        if name and name not in known:
            near = similar(name, sorted(known))
            meant = f"Did you mean {near[0]}? " if near else ""
            raise UsageError(
                f"{called} has no option {name}.", f"{meant}All of them: {called} --help"
            )


def _options(kind: type, prefix: str = "") -> Iterator[str]:
    """Names of a dataclass' options, as tyro makes them."""
    hints = get_type_hints(kind)
    for field in fields(kind):
        name = f"{prefix}{field.name}".replace("_", "-")
        hint: Any = hints[field.name]
        if is_dataclass(hint):
            inner = "" if getattr(kind, "grouped", False) else f"{name}."
            yield from _options(hint, inner)  # type: ignore[arg-type]
        else:
            yield f"--{name}"
            if hint is bool:
                head, _, last = name.rpartition(".")
                yield f"--{head}{'.' if head else ''}no-{last}"
