"""`build.py lines`: every command line of the README and the guides, as written.

In an empty folder: a clean clone, a new environment of this Python as the only one, a home, caches
and Blender settings of its own. The line after `# not run here: why` is left out.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .blender import installed_blender
from .environment import ROOT, TEXT, BuildError, run, say, venv_python

GUIDES = ("README.md", "docs/command-line.md", "addon/README.md", "engine/README.md")
LEFT_OUT = "# not run here"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.S | re.M)
_INDEX = re.compile(r" --extra-index-url https://([^/\s]+)\S*")
_FETCHED = re.compile(r"Downloading (\S+) \(([\d.]+) (kB|MB|GB)\)")
_AT_HAND = re.compile(r"Processing (/\S+\.whl)")
_UNITS = {"kB": 1e-3, "MB": 1.0, "GB": 1e3}
# twelve frames of the sample, each a bit to the right, so that there is something to track
_CLIP = """
import cv2, numpy as np
photo = cv2.resize(cv2.imread("photo.jpg"), (360, 480))
clip = cv2.VideoWriter("clip.mp4", cv2.VideoWriter_fourcc(*"mp4v"), 12, (360, 480))
for frame in range(12):
    clip.write(cv2.warpAffine(photo, np.float32([[1, 0, 3 * frame], [0, 1, 0]]), (360, 480)))
clip.release()
"""
_HEIC = """
import pillow_heif, PIL.Image
pillow_heif.register_heif_opener()
PIL.Image.open("photo.jpg").convert("RGB").save("photo.heic", quality=90)
"""
_MADE = {"clip.mp4": _CLIP, "photo.heic": _HEIC}  # by what the lines before have installed


@dataclass(frozen=True)
class Line:
    """A command line of a page. why_not: what is said above it after "not run here"."""

    page: str
    text: str
    why_not: str | None = None


def blocks(page: str, language: str = "", root: Path = ROOT) -> list[str]:
    """Code of one language in a page; command lines have none."""
    text = (root / page).read_text("utf-8")
    return [code for kind, code in _BLOCK.findall(text) if kind == language]


def lines_of(page: str, root: Path = ROOT) -> Iterator[Line]:
    """The command lines of a page, in its order."""
    why_not = None
    for text in "".join(blocks(page, root=root)).splitlines():
        if text.startswith(LEFT_OUT):
            why_not = text.removeprefix(LEFT_OUT).strip(" :")
        elif text.strip() and not text.startswith("#"):
            yield Line(page, text.strip(), why_not)
            why_not = None


@dataclass(frozen=True)
class Machine:
    """A folder that stands for a new machine."""

    folder: Path

    @property
    def clone(self) -> Path:
        return self.folder / "kinflow"

    @property
    def venv(self) -> Path:
        return self.folder / "python"

    def environment(self) -> dict[str, str]:
        """Of this one's variables those that lead to networks and package indices."""
        kept = ("PIP_", "UV_", "SSL_", "LANG", "http", "HTTP", "no_proxy")
        env = {n: v for n, v in os.environ.items() if n.startswith(kept)}
        settings = Path.home() / ".config/pip/pip.conf"
        if settings.is_file():
            env["PIP_CONFIG_FILE"] = str(settings)
        places = (self.venv / "bin", self.folder / "programs", "/usr/bin", "/bin")
        return env | {
            "PATH": os.pathsep.join(map(str, places)),
            "HOME": str(self.folder / "home"),
            "PIP_LOG": str(self.folder / "pip.log"),
            "BLENDER_USER_RESOURCES": str(self.folder / "blender"),
        }

    def make(self) -> None:
        """Raises BuildError."""
        for name in ("home", "programs", "blender"):
            (self.folder / name).mkdir(parents=True)
        run("git", "clone", "--quiet", ROOT, self.clone)
        run(sys.executable, "-m", "venv", self.venv, quiet=True)
        if blender := installed_blender():
            program = self.folder / "programs/blender"
            program.write_text(f'#!/bin/sh\nexec "{shutil.which(blender)}" "$@"\n', "utf-8")
            program.chmod(0o755)
        samples = self.clone / "blender_tests/samples"
        for folder in ("photos", "shots"):
            (self.clone / folder).mkdir()
        for name in ("photo.jpg", "photos/one.png", "photos/two.png"):
            shutil.copy(samples / "punch.png", self.clone / name)
        shutil.copy(samples / "astronaut.jpg", self.clone / "shots/one.jpg")

    def fetched(self) -> str:
        """What pip fetched, and what of it lay on this machine, MB."""
        log = (self.folder / "pip.log").read_text(**TEXT)
        far = {m[1]: float(m[2]) * _UNITS[m[3]] for m in _FETCHED.finditer(log)}
        near = {m[1]: Path(m[1]).stat().st_size / 1e6 for m in _AT_HAND.finditer(log)}
        parts = f"{sum(far.values()):,.0f} MB from indices, {sum(near.values()):,.0f} MB from disk"
        return f"{parts} ({len(far) + len(near)} packages)"

    def sizes(self) -> str:
        """What lies there now, MB."""
        parts = {
            "Python's packages": "python",
            "build.py's": "kinflow/.venv",
            "Blender's": "blender",
            "home": "home",
        }
        sizes = {name: _megabytes(self.folder / place) for name, place in parts.items()}
        return ", ".join(f"{name} {size:,.0f} MB" for name, size in sizes.items() if size >= 1)

    def call(self, line: Line, log: Path) -> int:
        """Runs a line in the clone. -> exit code."""
        for name, code in _MADE.items():
            if name in line.text and not (self.clone / name).exists():
                run(venv_python(self.venv), "-c", code, cwd=self.clone, quiet=True)
        with open(log, "a", **TEXT) as stream:
            stream.write(f"\n$ {line.text}\n")
            stream.flush()
            options = {"cwd": self.clone, "env": self.environment(), "stdin": subprocess.DEVNULL}
            command = without_unreached_index(line.text)
            output = {"stdout": stream, "stderr": subprocess.STDOUT}
            return subprocess.run(command, shell=True, **options, **output).returncode


def without_unreached_index(text: str) -> str:
    """A line as written; without its index where that cannot be reached: pip asks it for every
    package, and waits each time."""
    found = _INDEX.search(text)
    if found is None:
        return text
    try:
        socket.create_connection((found[1], 443), timeout=10).close()
    except OSError:
        say(f"       {found[1]} is not reached: run without{found[0]}")
        return text.replace(found[0], "")
    return text


def _megabytes(folder: Path) -> float:
    files = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return sum(f.stat().st_size for f in files if not f.is_symlink()) / 1e6


def lines(arguments: list[str]) -> int:
    """Runs them all. -> 0 if each ended with 0."""
    if os.name != "posix":
        raise BuildError("The lines are written for a POSIX shell; run them on Linux or macOS.")
    parser = argparse.ArgumentParser(prog="build.py lines")
    parser.add_argument("--folder", type=Path, help="where; by default a new temporary folder")
    parser.add_argument(
        "--without", action="append", default=[], help="leave out lines with this text"
    )
    options = parser.parse_args(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="kinflow-lines-"))
    machine, log = Machine(folder.resolve()), folder.resolve() / "log.txt"
    machine.make()
    say(f"{folder}: a clone, Python {sys.version.split()[0]}; what the lines say is in {log.name}")
    failed = 0
    for page in GUIDES:
        say(f"\n{page}")
        for line in lines_of(page):
            why = line.why_not
            if any(text in line.text for text in options.without):
                why = "left out by --without"
            failed += why is None and told(machine, line, log) != 0
            if why is not None:
                say(f"    -         {line.text}\n              not run: {why}")
    say(f"\n{failed} lines failed. Fetched: {machine.fetched()}. Installed: {machine.sizes()}")
    return 1 if failed else 0


def told(machine: Machine, line: Line, log: Path) -> int:
    """Runs a line and says how it went. -> exit code."""
    before, started = _megabytes(machine.folder), time.perf_counter()
    code = machine.call(line, log)
    seconds, more = time.perf_counter() - started, _megabytes(machine.folder) - before
    grown = f"  [{more:+,.0f} MB]" if more > 20 else ""
    say(f"{code:>5} {seconds:>6.0f} s  {line.text}{grown}")
    if code:
        say("\n".join(f"       | {text}" for text in log.read_text(**TEXT).splitlines()[-8:]))
    return code
