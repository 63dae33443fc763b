"""The table of commands, and how one is called. Each has --json: a machine-readable last line."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Union

import tyro

from .. import __version__
from ..errors import CancelledError, KinflowError
from ..terminal import say, set_quiet, warn
from . import bench, bodies, completion, convert, fit, photos, pose, priors, system
from .common import Common, UsageError
from .entries import Command, Group
from .inputs import check_inputs
from .libraries import explained
from .mistakes import check_words

INTERRUPTED = 130  # what shells report of Ctrl-C
PROGRAM = "kinflow"


@dataclass(frozen=True)
class _NotCalled:
    """Stands for the options of a command that is only listed."""


def _training(module: str, what: str, help: str) -> Command:
    """A command of kinflow.training, whose options stand beside what loads torch."""

    def load(name: str) -> Any:
        return getattr(import_module(f"..training.{module}", __package__), name)

    def run(command: Any) -> dict[str, Any]:
        answer = load(f"train_{what}")(command, say)
        if isinstance(answer, list):
            return {"out": [str(path) for path in answer]}
        return {"out": str(answer)} if isinstance(answer, Path) else answer

    return Command(partial(load, f"Train{what.title()}"), run, help)


def _complete(command: completion.Completion) -> dict[str, Any]:
    print(completion.script(command.shell, PROGRAM, _kind(_COMMANDS, None, all=True)), flush=True)
    return {}


_COMMANDS = Group(
    "Bodies from photos: find people, fit them, and look after the models that do it.",
    {
        "setup": Command(system.Setup, system.run_setup),
        "doctor": Command(system.Doctor, system.run_doctor),
        "completion": Command(completion.Completion, _complete),
        "fit": Command(fit.Fit, fit.run_fit),
        "observe": Command(photos.Observe, photos.run_observe),
        "overlay": Command(photos.Overlay, photos.run_overlay),
        "compare": Command(photos.Compare, photos.run_compare),
        "pose": Command(pose.PoseBody, pose.run_pose),
        "convert": Command(convert.Convert, convert.run_convert),
        "prior": Group(
            "Pose priors: sample, export, train, evaluate.",
            {
                "sample": Command(priors.PriorSample, priors.run_sample),
                "export": Command(priors.PriorExport, priors.run_export),
                "train": _training("prior", "prior", "Train a pose prior on mocap clips."),
                "eval": Command(priors.PriorEval, priors.run_eval),
            },
        ),
        "body": Group(
            "Body files: what one holds, and a clean copy of it.",
            {
                "info": Command(bodies.BodyInfo, bodies.run_info),
                "convert": Command(bodies.BodyConvert, bodies.run_convert),
            },
        ),
        "train": Group(
            "Networks: train what labels body parts and what guesses a fit.",
            {
                "parts": _training("part_network", "parts", "Train the body-part network."),
                "regressor": _training("regressor", "regressor", "Train the regressor."),
            },
        ),
        "bench": Group(
            "The benchmarks of a source checkout.",
            {n: Command(options, bench.run_bench) for n, options in bench.BENCHES.items()},
        ),
        "serve": Command(system.Serve, system.run_serve),
    },
    {
        "setup": "Get ready, once",
        "fit": "From photos to bodies",
        "pose": "Poses without photos",
        "body": "Your own bodies and models",
        "serve": "For programs",
    },
)


def call(words: Sequence[str]) -> int:
    """Runs the command that the words ask for. -> its exit code."""
    words = [*words[1:], "--help"] if words[:1] == ["help"] else list(words)
    if words == ["--version"]:
        print(f"{PROGRAM} {__version__}", flush=True)
        return 0
    if not words or words in (["--help"], ["-h"]):
        print(_COMMANDS.front_page(PROGRAM), flush=True)
        return 0 if words else 2
    entry, depth = _COMMANDS.find(words)
    try:
        check_words(PROGRAM, entry, words, depth)
        if isinstance(entry, Group) and len(words) == depth:
            _parse([*words, "--help"])
        return _run(_parse(words), entry)
    except UsageError as error:
        return _fail("--json" in words, error, 2)
    except ImportError as error:  # of what a command's options stand beside
        return _fail("--json" in words, explained(error), 1)
    except SystemExit as end:  # tyro's: help was printed, or what is wrong
        listed = "--help" in words or "-h" in words
        return end.code if isinstance(end.code, int) and (end.code or listed) else 2


def _parse(words: Sequence[str]) -> Common:
    return tyro.cli(
        _kind(_COMMANDS, words),
        args=list(words),
        prog=PROGRAM,
        description=_COMMANDS.help,
    )


def _kind(entry: Command | Group, words: Sequence[str] | None, all: bool = False) -> Any:
    """What tyro parses: a union of options, of which only the called ones (or all) are loaded."""
    if isinstance(entry, Group):
        kinds = []
        for name, under in entry.commands.items():
            rest = words[1:] if words and words[0] == name else None
            named = tyro.conf.subcommand(name, description=under.line)
            kinds.append(Annotated[_kind(under, rest, all), named])
        return Union[tuple(kinds)]  # noqa: UP007 (of a tuple that is made here)
    if words is None and not all:
        return _NotCalled
    options: Any = entry.load_options()
    # nobody types the word None
    plain = Annotated[options, tyro.conf.DisallowNone]
    grouped = getattr(options, "grouped", False)
    return Annotated[plain, tyro.conf.OmitArgPrefixes] if grouped else plain


def _run(command: Common, entry: Command | Group) -> int:
    assert isinstance(entry, Command)
    # a training's own options say nothing of it: its curve is what one waits for
    set_quiet(getattr(command, "quiet", False))
    fail: Callable[[KinflowError, int], int] = partial(_fail, command.json)
    try:
        check_inputs(command)
        answer = entry.run(command)
        failed = bool(answer.get("failed"))
        if command.json:
            print(json.dumps({"ok": not failed} | answer), flush=True)
        return 1 if failed else 0
    except UsageError as error:
        return fail(error, 2)
    except KinflowError as error:
        return fail(error, INTERRUPTED if isinstance(error, CancelledError) else 1)
    except BrokenPipeError:
        # who reads the output has gone; Python would complain once more when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except ImportError as error:
        return fail(explained(error), 1)
    except OSError as error:
        what = f"{error.filename}: {error.strerror}." if error.filename else f"{error}."
        return fail(KinflowError(what, "Check the path, its space and permissions."), 1)
    except MemoryError:
        return fail(KinflowError("There is not enough memory.", "Give less at once."), 1)


def _fail(as_json: bool, error: KinflowError, code: int) -> int:
    warn(str(error))
    if as_json:
        details = {"code": error.code, "message": error.message, "hint": error.hint}
        print(json.dumps({"ok": False, "error": details}), flush=True)
    return code
