"""The commands of `build.py`, and those that only hand their words on."""

from __future__ import annotations

import argparse
import sys

from .archive import addon
from .demo import demo
from .environment import (
    ENGINE,
    BuildError,
    call,
    install_engine,
    install_tests,
    kinflow,
    venv_python,
)
from .lines import lines
from .lock import lock
from .pages import docs
from .testing import test


def bench(arguments: list[str]) -> int:
    install_engine()
    install_tests()
    files = sorted((ENGINE / "benchmarks").glob("bench_*.py"))
    names = [path.stem.removeprefix("bench_") for path in files]
    if not arguments or arguments[0] not in names:
        raise BuildError(f"Name a benchmark: {', '.join(names)}.")
    # what `kinflow bench` knows as well has its options there
    if arguments[0] in ("fit", "speed", "photos", "regressor"):
        return call(venv_python(), "-m", "kinflow.cli", "bench", *arguments, cwd=ENGINE)
    module = f"benchmarks.bench_{arguments[0]}"
    return call(venv_python(), "-m", module, *arguments[1:], cwd=ENGINE)


def fuzz(arguments: list[str]) -> int:
    """Damaged files and frames against every reader; a crash is kept as a seed."""
    if sys.platform != "linux":
        raise BuildError("The fuzzers bound a process's memory as Linux does; run them there.")
    install_engine()
    install_tests()
    return call(venv_python(), "-m", "fuzz", *arguments, cwd=ENGINE)


def gallery(_: list[str]) -> int:
    """The README's pictures."""
    install_engine()
    kinflow("setup")
    return call(venv_python(), "-m", "benchmarks.make_gallery", cwd=ENGINE)


def prior(arguments: list[str]) -> int:
    install_engine()
    return call(venv_python(), "-m", "kinflow.cli", "prior", *arguments)


COMMANDS = {
    function.__name__: function
    for function in (demo, test, addon, docs, bench, fuzz, prior, gallery, lock, lines)
}


def main(description: str) -> int:
    """Runs the command that the command line names. -> exit code."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    try:
        return COMMANDS[options.command](options.arguments)
    except BuildError as error:
        print(f"{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted; run the same command again to go on.", file=sys.stderr)
        return 130
