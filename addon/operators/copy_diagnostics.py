"""Copy diagnostics for a report."""

import platform
import sys

import bpy

from kinflow._version import __version__
from kinflow.paths import cache_folder

from .. import preferences, session
from ..engine.find import find_python

LOGS, LINES = 2, 40


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
    python = f"Python {sys.version.split()[0]}"
    lines = [
        f"kinflow {__version__}, Blender {bpy.app.version_string}, {python}",
        platform.platform(),
        find_python(preferences.get("engine_python")).sentence,
        f"engine {session.state()} {session.device()}",
    ]
    logs = sorted((cache_folder() / "logs").glob("*.log"), key=lambda p: p.stat().st_mtime)
    for path in logs[-LOGS:]:
        lines += [f"-- {path.name}", *path.read_text("utf-8", "replace").splitlines()[-LINES:]]
    return "\n".join(lines)
