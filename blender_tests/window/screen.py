"""A virtual screen, its mouse, its keyboard, and pictures of it (Xvfb, xdotool, ImageMagick)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

STARTS_WITHIN, SETTLES_WITHIN = 30.0, 8.0  # seconds


class WindowError(Exception):
    """What is missing, or was not found in the window."""


def tool(name: str, blender: str) -> list[str]:
    """A program beside a Blender that brings a system of its own, else this system's.

    Such a Blender is a command `X` with a command `X-exec` that runs other programs of its system.
    """
    beside = shutil.which(f"{blender}-exec")
    if beside is not None:
        there = subprocess.run([beside, "sh", "-c", f"command -v {name}"], capture_output=True)
        if there.returncode == 0:
            return [beside, name]
    found = shutil.which(name)
    if found is None:
        raise WindowError(f"{name} is not installed; install Xvfb, xdotool and ImageMagick.")
    return [found]


def end(process: subprocess.Popen[bytes] | None) -> None:
    """Ends a process that was started here."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Screen:
    """One virtual screen. Places are px from its top left corner."""

    def __init__(self, size: tuple[int, int], blender: str) -> None:
        self.size, self.environment = size, os.environ.copy()
        self._xdotool, self._import = tool("xdotool", blender), tool("import", blender)
        read, write = os.pipe()
        shape = f"{size[0]}x{size[1]}x24"
        words = ["-displayfd", str(write), "-screen", "0", shape, "-nolisten", "tcp", "-noreset"]
        self._server = subprocess.Popen(
            [*tool("Xvfb", blender), *words],
            pass_fds=(write,),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as stream:
            number = stream.readline().strip()
        if not number:
            raise WindowError("Xvfb ended at once.")
        self.environment["DISPLAY"] = f":{number}"
        for name in ("WAYLAND_DISPLAY", "XAUTHORITY"):
            self.environment.pop(name, None)

    def xdotool(self, *words: object) -> str:
        """Runs it. -> what it prints."""
        command = [*self._xdotool, *map(str, words)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout.strip()

    def move(self, x: int, y: int) -> None:
        self.xdotool("mousemove", x, y)

    def move_by(self, x: int, y: int) -> None:
        """Relative: Blender warps the pointer while a slider is held."""
        self.xdotool("mousemove_relative", "--", x, y)

    def button(self, is_down: bool, number: int = 1) -> None:
        self.xdotool("mousedown" if is_down else "mouseup", number)

    def double_click(self) -> None:
        """In one go: Blender's time for it is a third of a second."""
        self.xdotool("click", "--repeat", 2, "--delay", 60, 1)

    def key(self, *keys: str) -> None:
        self.xdotool("key", "--delay", 60, *keys)

    def type(self, text: str) -> None:
        self.xdotool("type", "--delay", 40, text)

    def shot(self, path: Path) -> None:
        """A picture of the whole screen once it has come to rest."""
        last, until = b"", time.monotonic() + SETTLES_WITHIN
        while True:
            now = self._grab("ppm:-")
            if now == last or time.monotonic() > until:
                break
            last = now
            time.sleep(0.3)
        self._grab(f"png:{path}")

    def _grab(self, target: str) -> bytes:
        command = [*self._import, "-window", "root", target]
        return subprocess.run(command, env=self.environment, capture_output=True).stdout

    def close(self) -> None:
        end(self._server)
