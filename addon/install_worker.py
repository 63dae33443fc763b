"""Makes the engine's environment. Standard library only: run by a Python outside Blender, as a process of its own.

    python install_worker.py --folder DIR --wheel kinflow-….whl [--cuda] [--no-models]

Prints one JSON object a line: {"step", "fraction"}, at the end {"python"} or {"error", "hint"}. The environment is made
under a name of its own and marked complete last, so that nothing half-made is ever found and none in use is replaced.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

TORCH = "torch>=2.6"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
LIBRARIES = (
    "numpy>=1.26",
    "opencv-python>=4.11,<5",
    "pillow>=10",
    "tyro>=0.9",
    "threadpoolctl>=3",
    "absl-py>=2.3",
    "certifi",
    "flatbuffers>=25.9",
    "matplotlib",
    "sounddevice>=0.5",
)
# asks for opencv-contrib-python, which would be a second cv2
DETECTOR = "mediapipe==1.2.2"
NEEDED_BYTES = {False: 2_000_000_000, True: 9_000_000_000}
COMPLETE = "kinflow-engine.json"
# what pip and the system say -> what it means
EXPLANATIONS = (
    (
        ("No space left", "not enough free space", "Errno 28"),
        "The disk is full.",
        "Free some space or choose another folder.",
    ),
    (
        ("Permission denied", "Errno 13", "Read-only file system"),
        "The folder cannot be written to.",
        "Choose a folder of your own.",
    ),
    (
        (
            "Temporary failure in name resolution",
            "Failed to establish a new connection",
            "Network is unreachable",
            "getaddrinfo failed",
            "Name or service not known",
            "Connection refused",
            "ProxyError",
            "timed out",
        ),
        "The network cannot be reached.",
        "Check the connection and the proxy, then try again.",
    ),
    (
        ("No matching distribution", "Could not find a version"),
        "There is no build of a package for this Python or system.",
        "Choose another Python, best 3.11.",
    ),
    (
        ("ensurepip", "No module named venv"),
        "This Python cannot make environments.",
        "Install its venv package (python3-venv) or choose another.",
    ),
)


class InstallError(Exception):
    """message and hint."""


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def explain(output: str) -> tuple[str, str]:
    """What a failed step's output means, and what to do."""
    for signs, meaning, hint in EXPLANATIONS:
        if any(sign.lower() in output.lower() for sign in signs):
            return meaning, hint
    last = next(
        (line.strip() for line in reversed(output.splitlines()) if line.strip()), "no output"
    )
    return f"A step failed: {last[:300]}", "Copy the diagnostics for the details."


def run(command: list[str], **more: object) -> str:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", **more)
    sys.stderr.write(f"$ {' '.join(command)}\n{done.stdout}{done.stderr}\n")
    sys.stderr.flush()
    if done.returncode:
        raise InstallError(*explain(done.stdout + done.stderr))
    return done.stdout


def environment_python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pip_commands(
    python: str, wheel: str, cuda: bool, cpu_index: bool
) -> list[tuple[str, list[str]]]:
    """The steps that pip takes, with their names: exactly what is run.

    cpu_index: whether torch has to come from its CPU index, because the usual one would bring gigabytes of CUDA.
    """
    pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    torch = [*pip, TORCH, *(["--index-url", CPU_INDEX] if cpu_index and not cuda else [])]
    return [
        ("torch", torch),
        ("libraries", [*pip, *LIBRARIES]),
        ("detector", [*pip, "--no-deps", DETECTOR]),
        ("kinflow", [*pip, "--no-deps", "--force-reinstall", wheel]),
    ]


def brings_cuda(python: str) -> bool:
    """Whether torch from the usual index would bring CUDA's libraries."""
    command = [
        python,
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-input",
        "--dry-run",
        "--quiet",
        "--report",
        "-",
        TORCH,
    ]
    names = [item["metadata"]["name"].lower() for item in json.loads(run(command))["install"]]
    return any(name.startswith(("nvidia-", "cuda-")) for name in names)


def install(folder: Path, wheel: Path, cuda: bool, models: bool) -> Path:
    """Makes a new environment below `folder`; returns its Python. Raises InstallError."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whichever Python the user chose
        raise InstallError(f"This is Python {sys.version.split()[0]}.", "Choose one from 3.11 on.")
    target = folder / f"engine-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < NEEDED_BYTES[cuda]:
            raise InstallError(
                f"Only {free / 1e9:.1f} GB are free in {folder}; {NEEDED_BYTES[cuda] / 1e9:.0f} GB are needed.",
                "Free some space or choose another folder.",
            )
        target.mkdir()
    except OSError as error:
        raise InstallError(*explain(f"{error}")) from error
    try:
        say(step="making the environment", fraction=0.02)
        run([sys.executable, "-m", "venv", str(target)])
        python = str(environment_python(target))
        say(step="asking what torch brings", fraction=0.05)
        steps = pip_commands(python, str(wheel), cuda, cpu_index=not cuda and brings_cuda(python))
        for (name, command), fraction in zip(steps, (0.1, 0.6, 0.75, 0.85), strict=True):
            say(step=f"installing {name}", fraction=fraction)
            run(command)
        if models:
            say(step="getting the detector's models", fraction=0.9)
            run([python, "-m", "kinflow.cli", "setup"])
        say(step="testing", fraction=0.96)
        run(
            [
                python,
                "-c",
                "import kinflow, torch; kinflow.load_prior('light').sample(1, seed=0); kinflow.load_body()",
            ]
        )
        (target / COMPLETE).write_text(
            json.dumps({"python": python, "made_by": sys.version}), "utf-8"
        )
        return Path(python)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--wheel", type=Path, required=True)
    parser.add_argument("--cuda", action="store_true")
    parser.add_argument("--no-models", action="store_true")
    options = parser.parse_args()
    try:
        say(python=str(install(options.folder, options.wheel, options.cuda, not options.no_models)))
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
