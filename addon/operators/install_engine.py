"""Install the engine into a folder of its own."""

import time
from pathlib import Path

import bpy

from .. import preferences
from ..engine import installation
from .common import needs

POLL_SECONDS = 0.25


class KINFLOW_OT_install_engine(bpy.types.Operator):
    """Make an environment with torch, the detector and kinflow in the chosen folder"""

    bl_idname = "kinflow.install_engine"
    bl_label = "Install Engine"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        offline = "Allow Online Access in Preferences > System, or choose a Python with kinflow"
        idle = needs(cls, not installation.running(), "An installation is running")
        return idle and needs(cls, getattr(bpy.app, "online_access", True), offline)

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not self._begin():
            return {"CANCELLED"}
        while not installation.current.poll():
            time.sleep(POLL_SECONDS)
        return self._report_end()

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if bpy.app.background:
            return self.execute(context)
        if not self._begin():
            return {"CANCELLED"}
        # no modal operator: it would end with the Preferences window, and the installation with it
        bpy.app.timers.register(watch, first_interval=POLL_SECONDS, persistent=True)
        return {"FINISHED"}

    def _begin(self) -> bool:
        chosen = preferences.get("base_python")
        python, wheel = installation.base_python(chosen), installation.carried_wheel()
        if python is None or wheel is None:
            wanted = (
                f"There is no Python {chosen or 'from 3.11 to 3.14'}; install one, or choose it"
            )
            no_wheel = (
                "This copy of the add-on carries no engine; install the zip from the releases"
            )
            self.report({"ERROR"}, no_wheel if python else f"{wanted} in the preferences")
            return False
        folder = preferences.get("install_folder") or str(installation.default_folder())
        installation.begin(
            installation.Request(
                python=python,
                folder=Path(bpy.path.abspath(folder)),
                wheel=wheel,
                locks=installation.carried_locks(),
                cuda=preferences.get("install_kind") == "cuda",
            )
        )
        return True

    def _report_end(self) -> set[str]:
        progress = installation.current.progress
        if progress.error:
            self.report({"ERROR"}, f"{progress.error} {progress.hint}".strip())
            return {"CANCELLED"}
        installation.note_engine(progress.python)
        self.report({"INFO"}, f"The engine is ready: {progress.python}")
        return {"FINISHED"}


def watch() -> float | None:
    """Blender's timer: polls the installation until it ends, whatever window is open or closed."""
    current = installation.current
    if current is None:
        return None
    ended = current.poll()
    if ended and current.progress.python:
        installation.note_engine(current.progress.python)
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "PREFERENCES":
                area.tag_redraw()
    return None if ended else POLL_SECONDS
