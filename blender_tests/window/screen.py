"""A virtual screen, its mouse, its keyboard, and pictures of it (Xvfb, xdotool, ImageMagick)."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

X11 = Path(__file__).with_name("x11.py")
SETTLES_WITHIN = 8.0  # seconds


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
        self.size, self.environment, self._focused = size, os.environ.copy(), ""
        self._blender = blender
        self._xdotool, self._import = self.tool("xdotool"), self.tool("import")
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
        self._x11 = [*tool("python3", blender), str(X11)]
        self._tell("name")

    def tool(self, name: str) -> list[str]:
        """A program of the screen's system. Raises WindowError where it is not installed."""
        return tool(name, self._blender)

    def xdotool(self, *words: object) -> str:
        """Runs it. -> what it prints."""
        command = [*self._xdotool, *map(str, words)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        return done.stdout.strip()

    def _tell(self, *words: object) -> None:
        command = [*self._x11, *map(str, words)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise WindowError(f"{words[0]}: {(done.stdout + done.stderr).strip()}")

    def move(self, x: int, y: int) -> None:
        """The keyboard follows the mouse from window to window: there is no window manager."""
        told = self.xdotool("mousemove", x, y, "getmouselocation", "--shell").splitlines()
        under = next((w.removeprefix("WINDOW=") for w in told if w.startswith("WINDOW=")), "")
        if under and under != self._focused:
            self.xdotool("windowfocus", under)
            self._focused = under

    def close_window(self) -> None:
        """What the cross in the title bar of the window under the mouse does."""
        self._tell("close", self._focused)
        self._focused = ""

    def drop(self, place: tuple[int, int], file: Path) -> None:
        """Drops a file of another program onto the window under the mouse."""
        self._tell("drop", self._focused, *place, file)

    def wheel(self, rows: int) -> None:
        """Scrolls what is under the mouse: down, or up where it is below 0."""
        self.xdotool("click", "--repeat", abs(rows), "--delay", 30, 5 if rows > 0 else 4)

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
