"""The command line `kinflow ...`. Every command has --json, a machine-readable last line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import tyro

from .commands import bench, bodies, fit, photos, priors, system, training
from .commands.common import Common, say
from .errors import KinflowError

# options (or a function that gives them, where they stand beside what loads torch) and what the command does
_COMMANDS: dict[str, Any] = {
    "setup": (system.Setup, system.run_setup),
    "doctor": (system.Doctor, system.run_doctor),
    "serve": (system.Serve, system.run_serve),
    "observe": (photos.Observe, photos.run_observe),
    "fit": (fit.Fit, fit.run_fit),
    "overlay": (photos.Overlay, photos.run_overlay),
    "compare": (photos.Compare, photos.run_compare),
    "prior": {
        "train": (priors.train_options, priors.run_train),
        "sample": (priors.PriorSample, priors.run_sample),
        "eval": (priors.PriorEval, priors.run_eval),
        "export": (priors.PriorExport, priors.run_export),
    },
    "train": {
        "parts": (training.parts_options, training.run_parts),
        "regressor": (training.regressor_options, training.run_regressor),
    },
    "body": {
        "info": (bodies.BodyInfo, bodies.run_info),
        "convert": (bodies.BodyConvert, bodies.run_convert),
    },
    "bench": {name: (options, bench.run_bench) for name, options in bench.BENCHES.items()},
}


def main(arguments: list[str] | None = None) -> int:
    """Runs a command. Exit code 0 only if all that was asked for succeeded, 2 for wrong arguments."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    table: Any = _COMMANDS
    prog = "kinflow"
    while isinstance(table, dict):
        if not words or words[0] not in table:
            asked = (
                f"There is no command '{words[0]}'. "
                if words and words[0] not in ("-h", "--help")
                else ""
            )
            print(
                f"{asked}Usage: {prog} {{{','.join(table)}}} ... (each with --help)",
                file=sys.stderr,
            )
            return 0 if words and words[0] in ("-h", "--help") else 2
        prog += f" {words[0]}"
        table, words = table[words[0]], words[1:]
    options, function = table
    kind = options if isinstance(options, type) else options()
    return _run(tyro.cli(kind, args=words, prog=prog), function)


def _run(command: Common, function: Callable[[Any], dict[str, Any]]) -> int:
    try:
        answer = function(command)
    except KinflowError as error:
        say(str(error))
        if command.json:
            print(
                json.dumps(
                    {
                        "ok": False,
                        "error": {"code": error.code, "message": error.message, "hint": error.hint},
                    }
                )
            )
        return 1
    ok = not answer.get("failed")
    if command.json:
        print(json.dumps({"ok": ok} | answer))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
