"""A pose as an asset."""

import bpy

from ..scene import picture
from .common import BodyOperator
from .key_pose import key_bones


class KINFLOW_OT_pose_asset(BodyOperator, bpy.types.Operator):
    """Key the pose into an action of its own and mark it as a pose asset, with its picture"""

    bl_idname = "kinflow.pose_asset"
    bl_label = "Mark as Pose Asset"

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        action = pose_action(armature, f"{armature.name} Pose")
        action.asset_mark()
        action.asset_data.description = "Fitted or sampled with kinflow"
        shown = picture.body_picture(context, armature)
        if shown is not None:
            picture.set_preview(action, shown)
        self.report({"INFO"}, f"{action.name} is in the asset browser")


def pose_action(armature: bpy.types.Object, name: str) -> bpy.types.Action:
    """The pose as an action of one frame; what animates the armature stays as it was."""
    data = armature.animation_data_create()
    before, slot = data.action, getattr(data, "action_slot", None)
    action = bpy.data.actions.new(name)
    data.action = action
    key_bones(armature, 1)
    data.action = before
    if slot is not None and before is not None:  # actions have slots from Blender 4.4 on
        data.action_slot = slot
    action.use_fake_user = True
    return action
