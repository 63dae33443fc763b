"""Free everything that is pinned."""

import bpy

from .common import BodyOperator, active_body, needs


class KINFLOW_OT_clear_pins(BodyOperator, bpy.types.Operator):
    """Free every pinned point of the body"""

    bl_idname = "kinflow.clear_pins"
    bl_label = "Clear Pins"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return super().poll(context) and needs(
            cls, len(active_body(context).kinflow.pins), "Nothing is pinned"
        )

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        armature.kinflow.pins.clear()
        armature.kinflow.pull_message = ""
