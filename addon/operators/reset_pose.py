"""The poses to begin from."""

import bpy

from ..scene import standing
from .common import BodyOperator


class KINFLOW_OT_reset_pose(BodyOperator, bpy.types.Operator):
    """Stand upright on the floor, in a pose to begin from"""

    bl_idname = "kinflow.reset_pose"
    bl_label = "Reset Pose"

    pose: bpy.props.EnumProperty(name="Pose", items=standing.ITEMS)

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.AnyType) -> str:
        return next(text for name, _, text in standing.ITEMS if name == properties.pose)

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        standing.take(armature, self.pose)
