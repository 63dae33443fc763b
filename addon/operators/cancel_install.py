"""End the engine's installation."""

import bpy

from ..engine import installation


class KINFLOW_OT_cancel_install(bpy.types.Operator):
    """End the installation and take away what it made"""

    bl_idname = "kinflow.cancel_install"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return installation.running()

    def execute(self, context: bpy.types.Context) -> set[str]:
        installation.cancel_current()
        return {"FINISHED"}
