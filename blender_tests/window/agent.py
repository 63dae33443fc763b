"""Runs inside Blender: answers questions that arrive as files, from its main loop."""

import contextlib
import json
import os
import traceback
from pathlib import Path

import bpy

FOLDER = Path(os.environ["KINFLOW_WINDOW"])
INTERVAL = 0.02
STEP = 7  # px: three times on each button
names = {"bpy": bpy, "D": bpy.data}
drawn = {}  # menus, by how often they were drawn
state = {"asked": 0, "task": None, "ready": False}


def view(kind="VIEW_3D"):
    """(window, area, {type: region}) of the largest area of a kind."""
    areas = [
        (area.width * area.height, window, area)
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if area.type == kind
    ]
    if not areas:
        raise LookupError(f"no {kind} is open")
    _, window, area = max(areas, key=lambda found: found[0])
    return window, area, {region.type: region for region in area.regions}


def areas(kind):
    """All areas of a kind, in all windows."""
    windows = bpy.context.window_manager.windows
    return [area for window in windows for area in window.screen.areas if area.type == kind]


def override(region="WINDOW", kind="VIEW_3D"):
    window, area, regions = view(kind)
    # without the screen: that of the preferences or a file browser cannot be overridden
    return bpy.context.temp_override(window=window, area=area, region=regions[region])


def where():
    """The 3D viewport's context; a file browser that fills the window leaves none."""
    try:
        return override()
    except LookupError:
        return contextlib.nullcontext()


def box(region="WINDOW", kind="VIEW_3D"):
    """x, y, width, height of a region from the screen's top left corner."""
    window, _, regions = view(kind)
    found = regions[region]
    return [*on_screen(window, found.x, found.y + found.height), found.width, found.height]


def on_screen(window, x, y):
    """A place of a window, from its bottom, as one of the screen, from its top."""
    height = bpy.context.window_manager.windows[0].height  # the first one fills the screen
    return [window.x + x, height - 1 - (window.y + y)]


def hovered(region, kind):
    """The property's path or the operator's call of the button under the mouse, or nothing."""
    with override(region, kind):
        found = bpy.context.property
        if found is not None:
            return found[1] if found[2] < 0 else f"{found[1]}[{found[2]}]"
        if bpy.ops.ui.copy_python_command_button.poll():
            bpy.ops.ui.copy_python_command_button()
            return bpy.context.window_manager.clipboard
    return ""


def find(name, region="UI", kind="VIEW_3D", across=0.4):
    """The middle of a region's button for a property or an operator; lasts several rounds.

    name: `latent_0[3]`, `kinflow.sample`, or the beginning of a call, `kinflow.toggle_limb(limb="`.
    across: where the column of buttons is, of the region's width.
    """
    window, _, regions = view(kind)
    area = regions[region]
    rows, seen = [], []
    for y in range(area.y + area.height - 4, area.y, -STEP):
        window.cursor_warp(area.x + int(across * area.width), y)
        yield
        yield
        shown = hovered(region, kind)
        path = shown.removeprefix("bpy.ops.")
        if path.startswith(name) if "(" in name else is_named(path.split("(")[0], name):
            rows.append(y)
        elif rows:
            break
        elif shown and shown not in seen:
            seen.append(shown)
    if not rows:
        raise LookupError(f"no button {name} is in sight; there are: {', '.join(seen)}")
    middle = (rows[0] + rows[-1]) // 2
    return on_screen(window, area.x + int(across * area.width), middle)


def is_named(path, name):
    return path == name or path.endswith(f".{name}")


def watch_menu(name):
    """Counts how often a menu is drawn: a real one is found by what opens it."""

    def count(self, context):
        drawn[name] = drawn.get(name, 0) + 1

    drawn[name] = 0
    getattr(bpy.types, name).append(count)


def evaluate(code):
    names.update(C=bpy.context)
    try:
        compiled = compile(code, "<asked>", "eval")
    except SyntaxError:
        compiled = compile(code, "<asked>", "exec")
    return eval(compiled, names)


def write(name, text):
    path = FOLDER / name
    path.with_suffix(".new").write_text(text)
    os.replace(path.with_suffix(".new"), path)


def answer():
    asked = FOLDER / f"ask-{state['asked'] + 1}"
    if state["task"] is None:
        if not asked.exists():
            return
        state["asked"] += 1
    try:
        with where():
            value = state["task"] or evaluate(asked.read_text())
            if hasattr(value, "send"):  # a generator: one step of it a round
                state["task"] = value
                try:
                    next(value)
                    return
                except StopIteration as stop:
                    value = stop.value
        reply = {"value": value}
    except LookupError as error:
        reply = {"error": str(error)}
    except BaseException:
        reply = {"error": traceback.format_exc()}
    state["task"] = None
    write(f"answer-{state['asked']}", json.dumps(reply, default=str))


def tick():
    if state["ready"]:
        answer()
        return INTERVAL
    state["ready"] = bool(bpy.context.window_manager.windows)
    if state["ready"]:
        write("ready", "")
    return 0.5


names.update(view=view, box=box, find=find, hovered=hovered, watch_menu=watch_menu)
names.update(drawn=drawn, areas=areas)
bpy.context.preferences.view.show_splash = False
bpy.app.timers.register(tick, first_interval=0.5, persistent=True)
