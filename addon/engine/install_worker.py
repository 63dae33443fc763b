"""Makes the engine's environment. Standard library only: a process of its own, outside Blender.

    python -I install_worker.py --locks DIR --target DIR --wheel kinflow-….whl [--cuda]
    python -I install_worker.py --locks DIR --into PYTHON [--cuda]     only the libraries

Prints one JSON object a line: {"step", "fraction"}, at the end {"python"} or {"error", "hint"}.
The environment is made under a name of its own and marked complete last, so that nothing half-made
is ever found and none in use is replaced. Every library is one that a lock names, by its hash.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# the locks are complete
PIP = ["-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps"]
NEEDED_BYTES = {False: 2_000_000_000, True: 9_000_000_000}
COMPLETE = "kinflow-engine.json"
SELF_TEST = (
    "import kinflow, torch; kinflow.load_prior('light').sample(1, seed=0); kinflow.load_body()"
)
# what pip and the system say (one of the signs, in lower case) -> what it means, what to do
EXPLANATIONS = (
    (
        "do not match the hashes|expected sha256",
        "A package that was fetched is not the one that kinflow was tested with.",
        "It was not installed. Check the network, the proxy and pip's index, then try again.",
    ),
    (
        "no space left|not enough free space|errno 28",
        "The disk is full.",
        "Free some space or choose another folder.",
    ),
    (
        "permission denied|errno 13|read-only file system",
        "The folder cannot be written to.",
        "Choose a folder of your own.",
    ),
    (
        "temporary failure in name resolution|failed to establish a new connection|timed out|"
        "network is unreachable|getaddrinfo failed|name or service not known|connection refused|"
        "proxyerror",
        "The network cannot be reached.",
        "Check the connection and the proxy, then try again.",
    ),
    (
        "no matching distribution|could not find a version",
        "There is no build of a package for this Python or system.",
        "Choose another Python, best 3.11.",
    ),
    (
        "ensurepip|no module named venv",
        "This Python cannot make environments.",
        "Install its venv package (python3-venv) or choose another.",
    ),
)


class InstallError(Exception):
    """message and hint."""


@dataclass(frozen=True)
class Step:
    """A part of the installation: its commands are tried one after the other until one succeeds."""

    name: str
    commands: tuple[list[str], ...]


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def explain(output: str) -> tuple[str, str]:
    """What a failed step's output means, and what to do."""
    for signs, meaning, hint in EXPLANATIONS:
        if any(sign in output.lower() for sign in signs.split("|")):
            return meaning, hint
    last = output.strip().splitlines()[-1:] or ["no output"]
    return f"A step failed: {last[0].strip()[:300]}", "Copy the diagnostics for the details."


def clean_environment() -> dict[str, str]:
    """Without what leads a Python astray: Blender's variables, and the user's for another one."""
    astray = ("VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
    return {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k not in astray}


def run(command: list[str], folder: Path) -> None:
    """Runs a command in a folder of ours, where no file shadows a module. Raises InstallError."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        errors="replace",
        cwd=folder,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
    )
    sys.stderr.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}\n")
    sys.stderr.flush()
    if done.returncode:
        raise InstallError(*explain(done.stdout + done.stderr))


def environment_python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def library_steps(python: str, locks: Path, cuda: bool) -> list[Step]:
    """pip's commands for what the locks name; nothing is built, and no hash is taken on trust."""
    pip = [python, *PIP, "--only-binary", ":all:", "--require-hashes", "-r"]
    torch = [*pip, str(locks / f"torch-{'cuda' if cuda else 'cpu'}.lock")]
    # PyTorch's own index has the builds without CUDA for Linux; a mirror at hand may have them too
    sources = (torch,) if cuda else (torch, [*torch, "--extra-index-url", CPU_INDEX])
    return [Step("libraries", ([*pip, str(locks / "libraries.lock")],)), Step("torch", sources)]


def kinflow_step(python: str, wheel: Path) -> Step:
    """The engine itself, from the wheel that the add-on carries."""
    return Step("kinflow", ([python, *PIP, "--no-index", "--force-reinstall", str(wheel)],))


def run_step(step: Step, folder: Path) -> None:
    """Raises the InstallError of the last command where none succeeds."""
    for command in step.commands[:-1]:
        try:
            return run(command, folder)
        except InstallError:
            continue
    return run(step.commands[-1], folder)


def install_libraries(python: str, locks: Path, cuda: bool, folder: Path) -> None:
    """Installs what the locks name into an environment that exists. Raises InstallError."""
    for step, fraction in zip(library_steps(python, locks, cuda), (0.1, 0.4), strict=True):
        say(step=f"installing {step.name}", fraction=fraction)
        run_step(step, folder)


def make_folder(target: Path, cuda: bool) -> None:
    """Makes an empty folder, where there is room for the engine. Raises InstallError."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whichever Python the user chose
        raise InstallError(f"This is Python {sys.version.split()[0]}.", "Choose one from 3.11 on.")
    folder = target.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free, needed = shutil.disk_usage(folder).free, NEEDED_BYTES[cuda]
        if free < needed:
            raise InstallError(
                f"Only {free / 1e9:.1f} GB are free in {folder}; {needed / 1e9:.0f} GB are needed.",
                "Free some space or choose another folder.",
            )
        target.mkdir()
    except OSError as error:
        raise InstallError(*explain(f"{error}")) from error


def install(target: Path, locks: Path, wheel: Path, cuda: bool) -> Path:
    """Makes a new environment at `target`; returns its Python. Raises InstallError."""
    make_folder(target, cuda)
    try:
        say(step="making the environment", fraction=0.02)
        run([sys.executable, "-I", "-m", "venv", str(target)], target)
        python = str(environment_python(target))
        install_libraries(python, locks.absolute(), cuda, target)
        say(step="installing kinflow", fraction=0.85)
        run_step(kinflow_step(python, wheel.absolute()), target)
        say(step="getting the detector's models", fraction=0.9)
        run([python, "-I", "-m", "kinflow.cli", "setup"], target)
        say(step="testing", fraction=0.96)
        run([python, "-I", "-c", SELF_TEST], target)
        made = {"python": python, "made_by": sys.version}
        (target / COMPLETE).write_text(json.dumps(made), "utf-8")
        return Path(python)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--locks", type=Path, required=True)
    parser.add_argument("--into", help="Python of an environment that exists")
    parser.add_argument("--target", type=Path)
    parser.add_argument("--wheel", type=Path)
    parser.add_argument("--cuda", action="store_true")
    options = parser.parse_args()
    try:
        if options.into:
            locks = options.locks.absolute()
            install_libraries(options.into, locks, options.cuda, locks)
            say(python=options.into)
        else:
            made = install(options.target.absolute(), options.locks, options.wheel, options.cuda)
            say(python=str(made))
        return 0
    except InstallError as error:
        message, hint = (*error.args, "")[:2]
        say(error=message, hint=hint)
    except OSError as error:
        message, hint = explain(str(error))
        say(error=message, hint=hint)
    return 1


if __name__ == "__main__":
    sys.exit(main())
