"""Add a body without any photo or engine."""

import bpy

from ..scene import body
from .common import select_only


class KINFLOW_OT_add_body(bpy.types.Operator):
    """Add a rigged body whose pose sliders stay human"""

    bl_idname = "kinflow.add_body"
    bl_label = "Add Body"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        armature = body.create_body(context)
        select_only(context, armature)
        return {"FINISHED"}
