"""Two poses to blend between along the latent."""

import bpy

from ..scene import latent
from .common import BodyOperator


class KINFLOW_OT_store_pose(BodyOperator, bpy.types.Operator):
    """Keep this pose as one end of Blend"""

    bl_idname = "kinflow.store_pose"
    bl_label = "Store Pose"

    slot: bpy.props.EnumProperty(
        name="End", items=[("A", "A", "The blend begins here"), ("B", "B", "The blend ends here")]
    )

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        latent.store(armature, f"stored_{self.slot.lower()}")
