"""Two poses to blend between along the latent."""

from __future__ import annotations

import bpy

from ..scene import latent
from .common import BodyOperator, active_body


class KINFLOW_OT_store_pose(BodyOperator, bpy.types.Operator):
    """Keep the pose as one end of the blend"""

    bl_idname = "kinflow.store_pose"
    bl_label = "Store Pose"

    slot: bpy.props.EnumProperty(
        name="End", items=[("A", "A", "The blend begins here"), ("B", "B", "The blend ends here")]
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        latent.store(active_body(context), f"stored_{self.slot.lower()}")
        return {"FINISHED"}
