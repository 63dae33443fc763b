"""A pose as an asset."""

import bpy

from .common import BodyOperator
from .key_pose import key_bones


class KINFLOW_OT_pose_asset(BodyOperator, bpy.types.Operator):
    """Key the pose into an action of its own and mark it as a pose asset"""

    bl_idname = "kinflow.pose_asset"
    bl_label = "Mark as Pose Asset"

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        data = armature.animation_data_create()
        before = data.action
        action = bpy.data.actions.new(f"{armature.name} Pose")
        data.action = action
        key_bones(armature, 1)
        data.action = before
        action.use_fake_user = True
        action.asset_mark()
        action.asset_data.description = "Fitted or sampled with kinflow"
        self.report({"INFO"}, f"{action.name} is in the asset browser")
