"""Blender on a virtual screen: what a person does to it, and questions that it answers."""

from __future__ import annotations

import itertools
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .screen import Screen, WindowError, end

AGENT = Path(__file__).with_name("agent.py")
READY_WITHIN, ANSWERS_WITHIN = 180.0, 300.0  # seconds
ROW = 10  # px: half a menu's row
SLOW = 120.0  # seconds that drawing may take without a graphics card
Place = tuple[int, int]


class BlenderWindow:
    """A context manager: starts the screen and Blender, and ends both."""

    def __init__(
        self,
        blender: str,
        *arguments: str,
        log: Path,
        size: tuple[int, int] = (1600, 1000),
        environment: dict[str, str] | None = None,
    ) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="kinflow-window-"))
        self._asked = 0
        self.screen = Screen(size, blender)
        geometry = ["--window-geometry", "0", "0", str(size[0]), str(size[1])]
        more = {"KINFLOW_WINDOW": str(self._folder)} | (environment or {})
        with open(log, "wb") as stream:
            self._process = subprocess.Popen(
                [blender, "-noaudio", *geometry, *arguments, "--python", str(AGENT)],
                env=self.screen.environment | more,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
            )
        self._wait_for(self._folder / "ready", READY_WITHIN)

    def __enter__(self) -> BlenderWindow:
        return self

    def __exit__(self, *_: object) -> None:
        end(self._process)
        self.screen.close()

    # -- questions ------------------------------------------------------------------------------

    def ask(self, code: str) -> Any:
        """Evaluates or executes Python in Blender's main loop, in the 3D viewport's context.

        bpy, C, D and the agent's functions are there. Raises WindowError with what it raised.
        """
        self._asked += 1
        path = self._folder / f"ask-{self._asked}"
        unfinished = path.with_suffix(".new")
        unfinished.write_text(code)
        unfinished.rename(path)
        reply = self._folder / f"answer-{self._asked}"
        self._wait_for(reply, ANSWERS_WITHIN)
        value: dict[str, Any] = json.loads(reply.read_text())
        if "error" in value:
            raise WindowError(value["error"])
        return value["value"]

    def wait_until(self, code: str, seconds: float) -> None:
        """Until Python in Blender is true. Raises WindowError."""
        until = time.monotonic() + seconds
        while not self.ask(code):
            if time.monotonic() > until:
                raise WindowError(f"Not true after {seconds:.0f} s: {code}")
            time.sleep(0.2)

    def rest(self) -> None:
        """Blender has dealt with the mouse and the keys so far."""
        self.ask("None")
        self.ask("None")

    def _wait_for(self, path: Path, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not path.exists():
            if self._process.poll() is not None:
                raise WindowError(f"Blender ended (exit code {self._process.returncode}).")
            if time.monotonic() > until:
                raise WindowError(f"Blender said nothing for {seconds:.0f} s.")
            time.sleep(0.02)

    # -- mouse and keys -------------------------------------------------------------------------

    def point(self, place: Place) -> None:
        self.screen.move(*place)
        self.rest()

    def click(self, place: Place, button: int = 1) -> None:
        self.point(place)
        self.screen.button(True, button)
        self.rest()
        self.screen.button(False, button)
        self.rest()

    def click_with(self, key: str, place: Place) -> None:
        """Clicks while a key is held."""
        self.point(place)
        self.screen.xdotool("keydown", key)
        self.click(place)
        self.screen.xdotool("keyup", key)
        self.rest()

    def write(self, place: Place, text: str) -> None:
        """Fills a text field."""
        self.point(place)
        self.screen.double_click()
        self.rest()
        self.key("ctrl+a")
        self.type(text)
        self.key("Return")

    def drag(self, place: Place, way: Place, steps: int = 12) -> None:
        """Presses, moves by small steps, releases."""
        self.point(place)
        self.screen.button(True)
        self.rest()
        for x, y in _steps(way, steps):
            self.screen.move_by(x, y)
            self.rest()
        self.screen.button(False)
        self.rest()

    def key(self, *keys: str) -> None:
        self.screen.key(*keys)
        self.rest()

    def type(self, text: str) -> None:
        self.screen.type(text)
        self.rest()

    # -- finding --------------------------------------------------------------------------------

    def find(self, name: str, **where: object) -> Place:
        """Where a button is, by its property or operator (the agent's `find`)."""
        words = "".join(f", {key}={value!r}" for key, value in where.items())
        x, y = self.ask(f"find({name!r}{words})")
        return x, y

    def press(self, name: str, **where: object) -> None:
        """Clicks the button of a property or an operator."""
        self.click(self.find(name, **where))

    def find_soon(self, name: str, **where: object) -> Place:
        """The same, of what is still to be drawn."""
        until = time.monotonic() + SLOW
        while True:
            try:
                return self.find(name, **where)
            except WindowError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.3)

    def view_middle(self) -> Place:
        """The middle of the 3D viewport."""
        x, y, width, height = self.ask("box()")
        return x + width // 2, y + height // 2

    def open_submenu(self, menu: str, start: Place, reach: int = 600) -> Place:
        """Goes down an open menu until it opens the submenu of this class. -> the row's place."""
        self.ask(f"watch_menu({menu!r})")
        for y in range(start[1], start[1] + reach, ROW):
            self.point((start[0], y))
            time.sleep(0.25)  # Blender opens it after a moment
            if self.ask(f"drawn[{menu!r}]"):
                return start[0], y
        raise WindowError(f"No row of the open menu opens {menu}.")

    def entry(self, name: str, start: Place, reach: tuple[int, int] = (480, 400)) -> Place:
        """The place of an operator's row in an open menu right of a place, or under it.

        Ctrl+C over a row copies the operator's call, as Blender lets everybody.
        """
        for x in range(start[0], start[0] + reach[0], 60):
            if self._copied((x, start[1])):
                break
        else:
            raise WindowError(f"No menu is open right of {start}.")
        return self.row(name, (x + 20, start[1] - 2 * ROW), reach[1])

    def row(self, name: str, start: Place, reach: int = 120) -> Place:
        """The place of an operator's row in the open menu under a place, or around it."""
        for y in range(start[1], start[1] + reach, ROW):
            if name in self._copied((start[0], y)):
                return start[0], y + ROW // 2
        raise WindowError(f"The open menu has no {name}.")

    def _copied(self, place: Place) -> str:
        self.ask("setattr(C.window_manager, 'clipboard', '')")
        self.point(place)
        self.key("ctrl+c")
        return str(self.ask("C.window_manager.clipboard"))

    def shot(self, path: Path) -> None:
        self.rest()
        self.screen.shot(path)


def _steps(way: Place, count: int) -> Iterator[Place]:
    """A way in whole px that add up to it."""
    shares = [(way[0] * i // count, way[1] * i // count) for i in range(count + 1)]
    for before, after in itertools.pairwise(shares):
        yield after[0] - before[0], after[1] - before[1]
