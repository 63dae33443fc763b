"""Keyframes, assets, export."""

import bpy

from .sidebar import SidebarPanel


class KINFLOW_PT_animation(SidebarPanel, bpy.types.Panel):
    bl_label = "Animation and Export"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.operator("kinflow.key_pose", icon="KEY_HLT")
        self.layout.operator("kinflow.fit_sequence", icon="RENDER_ANIMATION")
        self.layout.operator("kinflow.pose_asset", icon="ASSET_MANAGER")
        self.layout.operator("kinflow.export_parameters", icon="EXPORT")
