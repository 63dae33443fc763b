"""Environments below the root, made at the first call, and what is installed into them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .pins import BPY, BPY_PYTHON, ENGINE_PINS, TEST_PINS

ROOT = Path(__file__).resolve().parents[2]
ENGINE, LOCKS = ROOT / "engine", ROOT / "engine/locks"
VENV, VENVS = ROOT / ".venv", ROOT / ".venvs"
SELF = "import sys; print(sys.executable)"
# pip prints names that a console of Windows has no letters for
TEXT = {"encoding": "utf-8", "errors": "replace"}


class BuildError(Exception):
    """Something the user can act on, in one sentence."""


def say(text: str) -> None:
    print(text, flush=True)


def version() -> str:
    text = (ENGINE / "kinflow/_version.py").read_text("utf-8")
    return re.search(r'"([^"]+)"', text).group(1)


def bpy_python() -> str | None:
    """A Python that bpy's wheels are built for: this one, or one that the system knows."""
    if sys.version_info[:2] == BPY_PYTHON:
        return sys.executable
    name = ".".join(map(str, BPY_PYTHON))
    # the second is Windows' launcher; a name on the PATH may be a stub that starts nothing
    for command in ([f"python{name}"], ["py", f"-{name}"]):
        if shutil.which(command[0]) is None:
            continue
        done = subprocess.run([*command, "-c", SELF], capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.strip()
    return None


def venv_version(folder: Path = VENV) -> tuple[int, ...]:
    """The Python that an environment was made with: (3, 11)."""
    text = (folder / "pyvenv.cfg").read_text("utf-8")
    return tuple(map(int, re.search(r"(?m)^version\w* = (\d+)\.(\d+)", text).groups()))


def has_bpy_python(folder: Path = VENV) -> bool:
    """Whether pip's bpy can be installed there."""
    return venv_version(folder) == BPY_PYTHON


def venv_python(folder: Path = VENV) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def environment() -> dict[str, str]:
    return os.environ | {"KINFLOW_PYTHON": str(venv_python()), "PYTHONUNBUFFERED": "1"}


def call(*command: str | Path, cwd: Path = ROOT, **more: object) -> int:
    """Runs a command with the project's environment. -> exit code."""
    words = [str(c) for c in command]
    return subprocess.run(words, cwd=cwd, **{"env": environment()} | more).returncode


def run(*command: str | Path, quiet: bool = False, **more: object) -> str:
    """Runs a command that has to succeed; quiet: its output is shown on failure alone."""
    words = [str(c) for c in command]
    done = subprocess.run(words, capture_output=quiet, **TEXT, **more)
    if done.returncode:
        if quiet:
            sys.stderr.write(done.stdout + done.stderr)
        shown = " ".join(words[:6])
        raise BuildError(f"This step failed (exit code {done.returncode}): {shown} ...")
    return done.stdout


def pip(folder: Path, command: str, *arguments: str | Path, **more: object) -> None:
    pip_command = [venv_python(folder), "-m", "pip", command]
    run(*pip_command, "--quiet", "--disable-pip-version-check", *arguments, quiet=True, **more)


def kinflow(*arguments: str | Path) -> None:
    run(venv_python(), "-m", "kinflow.cli", *arguments, env=environment())


def has_gpu() -> bool:
    if shutil.which("nvidia-smi") is None:
        return False
    return subprocess.run(["nvidia-smi", "-L"], capture_output=True).returncode == 0


def ensure(folder: Path, step: str, fingerprint: object, install: Callable[[], object]) -> None:
    """Runs an install step once; a stamp of what was asked for says that it is done."""
    stamp = folder / f".kinflow-{step}"
    wanted = hashlib.sha256(repr(fingerprint).encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    started = time.perf_counter()
    say(f"Installing: {step} ...")
    install()
    stamp.write_text(wanted)
    say(f"Installing: {step} done in {time.perf_counter() - started:.0f} s")


def make_venv(folder: Path = VENV) -> None:
    """With a Python that bpy has wheels for, where there is one; else with this one."""
    python = bpy_python()
    if venv_python(folder).exists():
        if python is None or has_bpy_python(folder):
            return
        shutil.rmtree(folder)  # made before there was one
    say(f"Making {folder.relative_to(ROOT)} ...")
    run(python or sys.executable, "-m", "venv", folder, quiet=True)


def read_lock(name: str) -> str:
    return (LOCKS / f"{name}.lock").read_text("utf-8")


def blocks(lock: str) -> list[tuple[str, str]]:
    """A lock's requirements, each with its name and its lines."""
    parts = re.split(r"(?m)^(?=\S)", lock)
    return [(re.split("[=<>! ]", part)[0], part) for part in parts if part[:1] not in ("", "#")]


def locked(*names: str) -> str:
    """The lock's lines of some libraries, with their hashes."""
    return "".join(block for name, block in blocks(read_lock("libraries")) if name in names)


def pip_locked(folder: Path, command: str, names: tuple[str, ...], *arguments: str | Path) -> None:
    """pip for some libraries by their hashes."""
    with tempfile.TemporaryDirectory() as temporary:
        wanted = Path(temporary) / "requirements.txt"
        wanted.write_text(locked(*names), "utf-8")
        checked = ("--no-deps", "--only-binary", ":all:", "--require-hashes", "-r", wanted)
        pip(folder, command, *checked, *arguments)


def install_libraries(folder: Path) -> None:
    """What the locks name, by the add-on's own installer: never CUDA unasked without a GPU."""
    worker = [sys.executable, "-I", ROOT / "addon/engine/install_worker.py", "--locks", LOCKS]
    cuda = ["--cuda"] if has_gpu() else []
    command = [str(c) for c in (*worker, "--into", venv_python(folder), *cuda)]
    done = subprocess.run(command, capture_output=True, **TEXT)
    last = json.loads((done.stdout.splitlines() or ["{}"])[-1])
    if done.returncode:
        sys.stderr.write(done.stderr[-4000:])
        raise BuildError(f"{last.get('error', 'No answer.')} {last.get('hint', '')}".strip())


def install_kinflow(folder: Path) -> None:
    """The sources as they lie here, built by the lock's setuptools."""
    wanted = (ENGINE / "pyproject.toml").read_text("utf-8") + version()
    options = ("--no-deps", "--no-index", "--no-build-isolation", "--editable")
    ensure(folder, "kinflow", wanted, lambda: pip(folder, "install", *options, ENGINE))


def install_engine(folder: Path = VENV) -> None:
    make_venv(folder)
    locks = [read_lock(name) for name in ("libraries", "torch-cpu", "torch-cuda")]
    step = "torch, detector, libraries (350 MB)"
    ensure(folder, step, locks, lambda: install_libraries(folder))
    install_kinflow(folder)


def install_bpy(folder: Path = VENV, release: str = BPY) -> None:
    step = f"Blender {release} (bpy, 370 MB)"
    numpy = ENGINE_PINS[0]
    ensure(folder, step, release, lambda: pip(folder, "install", f"bpy=={release}", numpy))


def install_tests(folder: Path = VENV) -> None:
    pins = (*TEST_PINS, ENGINE_PINS[0])
    ensure(folder, "test tools", pins, lambda: pip(folder, "install", *pins))
