"""Key the pose at the current frame."""

import bpy

from .common import BodyOperator


def key_bones(armature: bpy.types.Object, frame: int) -> None:
    """Keys every bone's rotation and the pelvis' place."""
    for bone in armature.pose.bones:
        bone.keyframe_insert("rotation_quaternion", frame=frame)
        if bone.name == "pelvis":
            bone.keyframe_insert("location", frame=frame)


class KINFLOW_OT_key_pose(BodyOperator, bpy.types.Operator):
    """Insert keyframes for every bone at the current frame"""

    bl_idname = "kinflow.key_pose"
    bl_label = "Key Pose"

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        key_bones(armature, context.scene.frame_current)
