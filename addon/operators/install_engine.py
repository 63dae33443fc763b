"""Install the engine into a folder of its own; copy diagnostics."""

from __future__ import annotations

import platform
import sys
import time
from pathlib import Path

import bpy

from .. import engine_install, engine_setup, preferences, session
from ..engine_install import Installation

_running: Installation | None = None


def running() -> Installation | None:
    """The installation that goes on now, for the preferences' progress bar."""
    return _running


class KINFLOW_OT_install_engine(bpy.types.Operator):
    """Make an environment with torch, the detector and kinflow in the chosen folder"""

    bl_idname = "kinflow.install_engine"
    bl_label = "Install Engine"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if _running is not None:
            cls.poll_message_set("An installation is running")
            return False
        if not getattr(bpy.app, "online_access", True):
            cls.poll_message_set(
                "Allow Online Access in Preferences > System, or choose a Python that has kinflow"
            )
            return False
        return True

    def _begin(self) -> bool:
        global _running
        chosen = preferences.get("base_python")
        python, wheel = engine_install.base_python(chosen), engine_install.carried_wheel()
        if python is None:
            self.report(
                {"ERROR"},
                f"There is no Python {chosen or 'from 3.11 to 3.14'}; install one, or choose it in the preferences",
            )
            return False
        if wheel is None:
            self.report(
                {"ERROR"},
                "This copy of the add-on carries no engine; install the zip from the releases",
            )
            return False
        folder = Path(
            bpy.path.abspath(
                preferences.get("install_folder") or str(engine_install.default_folder())
            )
        )
        _running = Installation(python, folder, wheel, preferences.get("install_kind") == "cuda")
        return True

    def _end(self, context: bpy.types.Context) -> set[str]:
        global _running
        progress, _running = _running.progress, None
        if progress.error:
            self.report({"ERROR"}, f"{progress.error} {progress.hint}".strip())
            return {"CANCELLED"}
        engine_install.note_engine(progress.python)
        self.report({"INFO"}, f"The engine is ready: {progress.python}")
        return {"FINISHED"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not self._begin():
            return {"CANCELLED"}
        while not _running.poll():
            time.sleep(0.2)
        return self._end(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if bpy.app.background:
            return self.execute(context)
        if not self._begin():
            return {"CANCELLED"}
        self._timer = context.window_manager.event_timer_add(0.25, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        global _running
        if _running is None or (event.type == "ESC" and event.value == "PRESS"):
            context.window_manager.event_timer_remove(self._timer)
            if _running is not None:
                _running.cancel()
                _running = None
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        ended = _running.poll()
        for window in context.window_manager.windows:
            for area in window.screen.areas:
                if area.type == "PREFERENCES":
                    area.tag_redraw()
        if not ended:
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        return self._end(context)


class KINFLOW_OT_cancel_install(bpy.types.Operator):
    """End the installation and take away what it made"""

    bl_idname = "kinflow.cancel_install"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _running is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        global _running
        _running.cancel()
        _running = None
        return {"FINISHED"}


class KINFLOW_OT_copy_diagnostics(bpy.types.Operator):
    """Copy versions, the engine's state and its last messages to the clipboard, for a report"""

    bl_idname = "kinflow.copy_diagnostics"
    bl_label = "Copy Diagnostics"

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = diagnostics()
        self.report({"INFO"}, "Diagnostics are in the clipboard")
        return {"FINISHED"}


def diagnostics() -> str:
    """Everything that a report needs, as text."""
    from kinflow._version import __version__
    from kinflow.paths import cache_folder

    lines = [
        f"kinflow {__version__}, Blender {bpy.app.version_string}, Python {sys.version.split()[0]}, {platform.platform()}",
        engine_setup.find_python(preferences.get("engine_python")).sentence,
        f"engine {session.state()} {session.device()}",
    ]
    logs = (
        sorted((cache_folder() / "logs").glob("*.log"), key=lambda p: p.stat().st_mtime)
        if (cache_folder() / "logs").is_dir()
        else []
    )
    for path in logs[-2:]:
        tail = path.read_text("utf-8", "replace").splitlines()[-40:]
        lines += [f"-- {path.name}", *tail]
    return "\n".join(lines)
