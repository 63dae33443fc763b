"""Add a body without any photo or engine."""

import bpy

from ..scene import body
from .common import select_only


class KINFLOW_OT_add_body(bpy.types.Operator):
    """Add a rigged body whose pose sliders stay human, its feet at the 3D cursor"""

    bl_idname = "kinflow.add_body"
    bl_label = "Add Body"
    bl_options = {"REGISTER", "UNDO"}

    location: bpy.props.FloatVectorProperty(
        name="Location",
        description="Where the body stands",
        size=3,
        subtype="TRANSLATION",
        options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not self.properties.is_property_set("location"):
            self.location = context.scene.cursor.location
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        armature = body.create_body(context)
        armature.location = self.location
        select_only(context, armature)
        return {"FINISHED"}
