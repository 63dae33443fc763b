"""Pose presets as files."""

import bpy
from bl_operators.presets import AddPresetBase

from ..scene import latent
from .common import active_rig, needs


class KINFLOW_OT_pose_preset_add(AddPresetBase, bpy.types.Operator):
    """Add the pose to the presets, or take a preset away"""

    bl_idname = "kinflow.pose_preset_add"
    bl_label = "Add Pose Preset"
    preset_menu = "KINFLOW_MT_pose_presets"
    # no preset_defines: Blender evaluates them in a way that Python 3.13 broke (Debian's 4.3)
    preset_values = [f"bpy.context.active_object.kinflow.{name}" for name in latent.PAGE_NAMES]

    @property
    def preset_subdir(self) -> str:
        """Presets of one prior: its codes mean nothing to another."""
        return latent.preset_folder(active_rig(bpy.context))

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs(cls, active_rig(context), "Select the body's rig first")
