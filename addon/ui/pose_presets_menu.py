"""The menu of pose presets."""

from __future__ import annotations

import bpy

from ..operators.common import active_rig
from ..scene.latent import preset_folder


class KINFLOW_MT_pose_presets(bpy.types.Menu):
    bl_idname = "KINFLOW_MT_pose_presets"
    bl_label = "Pose Presets"
    preset_operator = "script.execute_preset"

    @property
    def preset_subdir(self) -> str:
        """Presets of the active body's prior."""
        return preset_folder(active_rig(bpy.context))

    def draw(self, context: bpy.types.Context) -> None:
        if active_rig(context) is not None:
            bpy.types.Menu.draw_preset(self, context)
        else:
            self.layout.label(text="Select the body's rig first")
