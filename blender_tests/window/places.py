"""What a hand does in Blender's own editors: sidebar, panels, file browser, outliner, windows."""

from __future__ import annotations

from pathlib import Path

from .blender import BlenderWindow, Place
from .screen import WindowError
from .steps import SLOW, TAB

HEADER = 28  # px from one closed panel's header to the next
ROW = 22  # px, of a list
_BROWSER = "areas('FILE_BROWSER')"
_PARAMETERS = f"{_BROWSER}[0].spaces.active.params"


def over_view(window: BlenderWindow) -> Place:
    """Moves to a part of the viewport that no sidebar and no toolbar covers. -> where that is."""
    x, y, width, height = window.ask("box()")
    place = x + width // 3, y + height // 2
    window.point(place)
    return place


def open_tab(window: BlenderWindow) -> None:
    """N, then a click on the tab: the tabs are tried from the top."""
    region = "view()[2]['UI']"
    if window.ask(f"{region}.width") <= 1:
        over_view(window)
        window.key("n")
        window.wait_until(f"{region}.width > 1", SLOW)
    x, y, width, height = window.ask("box('UI')")
    for down in range(y + ROW, y + height, ROW):
        if window.ask(f"getattr({region}, 'active_panel_category', '')") == TAB:
            return
        window.click((x + width - 10, down))
    raise WindowError(f"There is no tab {TAB}.")


def show_panels(window: BlenderWindow, *labels: str) -> None:
    """Opens these panels and closes the others, by their headers."""
    x, y, width, _ = window.ask("box('UI')")
    first = x + width // 4, y + HEADER // 2 + 2
    window.point(first)
    window.screen.wheel(-40)
    window.rest()
    window.click_with("ctrl", first)  # closes all but this one
    window.click(first)
    known = window.ask("headers()")
    for number in sorted(map(known.index, labels), reverse=True):
        window.click((first[0], first[1] + number * HEADER))


def browse(window: BlenderWindow, *paths: Path) -> None:
    """In the open file browser: Ctrl+L and the folder; one file's name, or several by clicks."""
    window.wait_until(f"bool({_BROWSER}) and {_PARAMETERS} is not None", SLOW)
    folder = str(paths[0].parent)
    x, y, width, height = window.ask("box('WINDOW', 'FILE_BROWSER')")
    window.point((x + width // 2, y + height // 2))
    window.key("ctrl+l", "ctrl+a")
    window.type(folder)
    window.key("Return")
    window.wait_until(f"{_PARAMETERS}.directory.decode().rstrip('/') == {folder!r}", SLOW)
    if len(paths) == 1:
        left, top, _, bar = window.ask("box('EXECUTE', 'FILE_BROWSER')")
        window.write((left + 200, top + bar // 2), paths[0].name)
        window.wait_until(f"{_PARAMETERS}.filename == {paths[0].name!r}", SLOW)
        return
    first = x + 80, y + 41  # the folder has these files only
    window.click(first)
    while window.ask(f"{_PARAMETERS}.filename") != paths[0].name:  # until the list is read
        window.click(first)
    for number in range(1, len(paths)):
        window.click_with("ctrl", (first[0], first[1] + number * ROW))


def accept(window: BlenderWindow) -> None:
    """The file browser's blue button."""
    x, y, width, height = window.ask("box('EXECUTE', 'FILE_BROWSER')")
    window.click((x + width - 60, y + height // 2))
    window.wait_until(f"not {_BROWSER}", SLOW)


def close_window(window: BlenderWindow, kind: str) -> None:
    """The cross of the window that shows such an editor."""
    x, y, width, height = window.ask(f"box('WINDOW', {kind!r})")
    window.point((x + width // 2, y + height // 2))
    window.screen.close_window()
    window.wait_until(f"not areas({kind!r})", SLOW)


def click_row(window: BlenderWindow, truth: str) -> None:
    """Clicks the outliner's rows from the top until Python in Blender is true."""
    x, y, _, height = window.ask("box('WINDOW', 'OUTLINER')")
    for down in range(y + 10, y + height, 20):
        window.click((x + 110, down))
        if window.ask(truth):
            return
    raise WindowError(f"No row of the outliner makes this true: {truth}")


def change_editor(window: BlenderWindow, kind: str, letter: str, wanted: str) -> None:
    """The menu on the left of an area's header, and the letter that it underlines."""
    x, y, _, height = window.ask(f"box('HEADER', {kind!r})")
    window.click((x + 20, y + height // 2))
    window.key(letter)
    window.wait_until(f"any(a.ui_type == {wanted!r} for a in C.window.screen.areas)", SLOW)


def drag_border(window: BlenderWindow, kind: str, way: int) -> None:
    """Drags the lower border of an area; way: px, down."""
    x, y, width, height = window.ask(f"box('WINDOW', {kind!r})")
    window.drag((x + width // 2, y + height), (0, way))
