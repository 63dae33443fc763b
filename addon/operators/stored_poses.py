"""Two poses to blend between along the latent, and pose presets as files."""

from __future__ import annotations

import json

import bpy
from bl_operators.presets import AddPresetBase

from ..scene import pose
from .common import BodyOperator, active_body


class KINFLOW_OT_store_pose(BodyOperator, bpy.types.Operator):
    """Keep the pose as one end of the blend"""

    bl_idname = "kinflow.store_pose"
    bl_label = "Store Pose"
    bl_options = {"REGISTER", "UNDO"}

    slot: bpy.props.EnumProperty(
        name="End", items=[("A", "A", "The blend begins here"), ("B", "B", "The blend ends here")]
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = active_body(context)
        setattr(
            armature.kinflow,
            f"stored_{self.slot.lower()}",
            json.dumps(pose.latent(armature).tolist()),
        )
        return {"FINISHED"}


class KINFLOW_MT_pose_presets(bpy.types.Menu):
    bl_idname = "KINFLOW_MT_pose_presets"
    bl_label = "Pose Presets"
    preset_subdir = "kinflow/pose"
    preset_operator = "script.execute_preset"

    def draw(self, context: bpy.types.Context) -> None:
        if is_active(context):
            bpy.types.Menu.draw_preset(self, context)
        else:
            self.layout.label(text="Select the body's rig first")


class KINFLOW_OT_pose_preset_add(AddPresetBase, bpy.types.Operator):
    """Add the pose to the presets, or take a preset away"""

    bl_idname = "kinflow.pose_preset_add"
    bl_label = "Add Pose Preset"
    preset_menu = "KINFLOW_MT_pose_presets"
    preset_subdir = "kinflow/pose"
    # no preset_defines: Blender evaluates them in a way that Python 3.13 broke (4.3 as Debian builds it)
    preset_values = [f"bpy.context.active_object.kinflow.latent_{page}" for page in range(5)]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not is_active(context):
            cls.poll_message_set("Select the body's rig first")
            return False
        return True


def is_active(context: bpy.types.Context) -> bool:
    """Whether a body's armature itself is the active object: a preset names what it sets by that."""
    obj = context.active_object
    return obj is not None and obj.type == "ARMATURE" and obj.kinflow.is_body
