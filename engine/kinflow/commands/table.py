"""The table of commands, and how one is called. Each has --json: a machine-readable last line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Union

import tyro

from ..errors import CancelledError, KinflowError
from . import bench, bodies, convert, fit, photos, pose, priors, system
from .common import Common, say

INTERRUPTED = 130  # what shells report of Ctrl-C


@dataclass(frozen=True)
class _Command:
    """Options, a function that does what they ask for, and a line of help.

    options: a dataclass, or a function that gives it where it stands beside what loads torch.
    """

    options: Any
    run: Callable[[Any], dict[str, Any]]
    help: str = ""


@dataclass(frozen=True)
class _Group:
    """Commands under one word."""

    help: str
    commands: Mapping[str, _Command | _Group]


@dataclass(frozen=True)
class _NotCalled:
    """Stands for the options of a command that is only listed."""


def _training(module: str, what: str, help: str) -> _Command:
    """A command of kinflow.training, whose options stand beside what loads torch."""

    def load(name: str) -> Any:
        return getattr(import_module(f"..training.{module}", __package__), name)

    def run(command: Any) -> dict[str, Any]:
        answer = load(f"train_{what}")(command, say)
        if isinstance(answer, list):
            return {"out": [str(path) for path in answer]}
        return {"out": str(answer)} if isinstance(answer, Path) else answer

    return _Command(partial(load, f"Train{what.title()}"), run, help)


_COMMANDS = _Group(
    "Bodies from photos: find people, fit them, and look after the models that do it.",
    {
        "setup": _Command(system.Setup, system.run_setup),
        "doctor": _Command(system.Doctor, system.run_doctor),
        "serve": _Command(system.Serve, system.run_serve),
        "observe": _Command(photos.Observe, photos.run_observe),
        "fit": _Command(fit.Fit, fit.run_fit),
        "pose": _Command(pose.PoseBody, pose.run_pose),
        "convert": _Command(convert.Convert, convert.run_convert),
        "overlay": _Command(photos.Overlay, photos.run_overlay),
        "compare": _Command(photos.Compare, photos.run_compare),
        "prior": _Group(
            "Pose priors: train, sample, evaluate, export.",
            {
                "train": _training("prior", "prior", "Train a pose prior on mocap clips."),
                "sample": _Command(priors.PriorSample, priors.run_sample),
                "eval": _Command(priors.PriorEval, priors.run_eval),
                "export": _Command(priors.PriorExport, priors.run_export),
            },
        ),
        "train": _Group(
            "Networks: train what labels body parts and what guesses a fit.",
            {
                "parts": _training("part_network", "parts", "Train the body-part network."),
                "regressor": _training("regressor", "regressor", "Train the regressor."),
            },
        ),
        "body": _Group(
            "Body files: what one holds, and a clean copy of it.",
            {
                "info": _Command(bodies.BodyInfo, bodies.run_info),
                "convert": _Command(bodies.BodyConvert, bodies.run_convert),
            },
        ),
        "bench": _Group(
            "The benchmarks of a source checkout.",
            {n: _Command(options, bench.run_bench) for n, options in bench.BENCHES.items()},
        ),
    },
)


def call(words: Sequence[str]) -> int:
    """Runs the command that the words ask for. -> its exit code."""
    try:
        entry, depth = _find(words)
        if isinstance(entry, _Group) and len(words) == depth:
            _parse([*words, "--help"])
        return _run(_parse(words), entry)
    except SystemExit as end:  # tyro's: help was printed, or what is wrong
        listed = "--help" in words or "-h" in words
        return end.code if isinstance(end.code, int) and (end.code or listed) else 2


def _find(words: Sequence[str]) -> tuple[_Command | _Group, int]:
    """-> the command (or group) that the words call, and how many of the words name it."""
    entry: _Command | _Group = _COMMANDS
    depth = 0
    while isinstance(entry, _Group) and depth < len(words) and words[depth] in entry.commands:
        entry = entry.commands[words[depth]]
        depth += 1
    return entry, depth


def _parse(words: Sequence[str]) -> Common:
    return tyro.cli(
        _kind(_COMMANDS, words), args=list(words), prog="kinflow", description=_COMMANDS.help
    )


def _kind(entry: _Command | _Group, words: Sequence[str] | None) -> Any:
    """What tyro parses: a union of options, of which only the called ones are loaded."""
    if isinstance(entry, _Group):
        return Union[  # noqa: UP007 (of a tuple that is made here)
            tuple(
                Annotated[_kind(under, rest), tyro.conf.subcommand(name, description=_help(under))]
                for name, under in entry.commands.items()
                for rest in [words[1:] if words and words[0] == name else None]
            )
        ]
    if words is None:
        return _NotCalled
    return entry.options if isinstance(entry.options, type) else entry.options()


def _help(entry: _Command | _Group) -> str:
    return entry.help or str(entry.options.__doc__).split("\n\n")[0]  # type: ignore[union-attr]


def _run(command: Common, entry: _Command | _Group) -> int:
    assert isinstance(entry, _Command)
    try:
        answer = entry.run(command)
        failed = bool(answer.get("failed"))
        if command.json:
            print(json.dumps({"ok": not failed} | answer), flush=True)
        return 1 if failed else 0
    except KinflowError as error:
        return _fail(command, error, INTERRUPTED if isinstance(error, CancelledError) else 1)
    except BrokenPipeError:
        # who reads the output has gone; Python would complain once more when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        what = f"{error.filename}: {error.strerror}." if error.filename else f"{error}."
        return _fail(command, KinflowError(what, "Check the path, its space and permissions."), 1)
    except MemoryError:
        return _fail(command, KinflowError("There is not enough memory.", "Give less at once."), 1)


def _fail(command: Common, error: KinflowError, code: int) -> int:
    say(str(error))
    if command.json:
        details = {"code": error.code, "message": error.message, "hint": error.hint}
        print(json.dumps({"ok": False, "error": details}), flush=True)
    return code
