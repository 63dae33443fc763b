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

    slot: bpy.props.EnumProperty(name="End", items=[("A", "A", "The blend begins here"), ("B", "B", "The blend ends here")])

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = active_body(context)
        setattr(armature.kinflow, f"stored_{self.slot.lower()}", json.dumps(pose.latent(armature).tolist()))
        return {"FINISHED"}


class KINFLOW_MT_pose_presets(bpy.types.Menu):
    bl_idname = "KINFLOW_MT_pose_presets"
    bl_label = "Pose Presets"
    preset_subdir = "kinflow/pose"
    preset_operator = "script.execute_preset"
    draw = bpy.types.Menu.draw_preset


class KINFLOW_OT_pose_preset_add(AddPresetBase, bpy.types.Operator):
    """Add the pose to the presets, or take a preset away"""

    bl_idname = "kinflow.pose_preset_add"
    bl_label = "Add Pose Preset"
    preset_menu = "KINFLOW_MT_pose_presets"
    preset_subdir = "kinflow/pose"
    preset_defines = [
        "body = next(o for o in (bpy.context.active_object, bpy.context.active_object.parent) if o and o.kinflow.is_body).kinflow"
    ]
    preset_values = [f"body.latent_{page}" for page in range(5)]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        obj = context.active_object
        if obj is None or active_body(context) not in (obj, obj.parent):
            cls.poll_message_set("Select a kinflow body")
            return False
        return True
