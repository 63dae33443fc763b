"""Pull a handle of the body to a place, without a mouse."""

import bpy
from mathutils import Vector

from kinflow.errors import KinflowError

from ..scene import pins
from ..scene.pull import Drag
from .common import BodyOperator, active_body
from .key_pose import key_bones

STUCK = "The hips are left alone here: their bone has a constraint or is locked."


def finish_pull(context: bpy.types.Context, drag: Drag) -> None:
    """What is left to do when a pull ends well: its pin, and keys where Blender inserts them."""
    drag.finish()
    if context.scene.tool_settings.use_keyframe_insert_auto:
        key_bones(drag.armature, context.scene.frame_current)


class KINFLOW_OT_pull_to(BodyOperator, bpy.types.Operator):
    """Pull a point of the body to a place; the rest follows as people move"""

    bl_idname = "kinflow.pull_to"
    bl_label = "Pull to"

    handle: bpy.props.EnumProperty(name="Handle", items=pins.ITEMS, default="right_wrist")
    location: bpy.props.FloatVectorProperty(
        name="Location",
        description="Where the point goes, in the world",
        size=3,
        subtype="XYZ",
        unit="LENGTH",
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        drag = None
        try:
            drag = Drag(context, active_body(context), self.handle)
            if drag.is_stuck:
                self.report({"WARNING"}, STUCK)
                return {"CANCELLED"}
            result = drag.go(Vector(self.location))
        except KinflowError as error:
            if drag is not None:
                drag.put_back()
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        finish_pull(context, drag)
        if result.message:
            self.report({"INFO"}, result.message)
        return {"FINISHED"}
