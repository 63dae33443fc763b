"""Keyframes, assets, export."""

import bpy

from ..operators.clip_job import FORGOTTEN, clip_of, is_clips, span_of
from ..scene import touches
from ..scene.choice import chosen
from ..wrapped import draw_wrapped
from .sidebar import SidebarPanel


class KINFLOW_PT_animation(SidebarPanel, bpy.types.Panel):
    bl_label = "Animation and Export"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.operator("kinflow.key_pose", icon="KEY_HLT")
        self.layout.operator("kinflow.fit_sequence", icon="RENDER_ANIMATION")
        self.layout.operator("kinflow.pose_asset", icon="ASSET_MANAGER")
        self.layout.operator("kinflow.export_parameters", icon="EXPORT")


class KINFLOW_PT_clip(SidebarPanel, bpy.types.Panel):
    bl_label = "Clip"
    bl_parent_id = "KINFLOW_PT_animation"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return is_clips(chosen(context))

    def draw(self, context: bpy.types.Context) -> None:
        layout, scene, current = self.layout, context.scene, chosen(context)
        person = current.person
        shown = person.has_markers
        layout.operator("kinflow.contact_markers", icon="MARKER_HLT", depress=shown)
        if clip_of(current) is None:
            draw_wrapped(layout, context, FORGOTTEN, "INFO")
            return
        first, last = span_of(scene)
        column = layout.column(align=True)
        column.label(text=f"Frames {first} to {last}", icon="PREVIEW_RANGE")
        if not scene.use_preview_range:
            draw_wrapped(layout, context, "Set a preview range (P, in the timeline) for others")
        column = layout.column(align=True)
        column.prop(scene.kinflow, "contact", text="")
        column.operator("kinflow.pin_contact", icon="PINNED")
        for index, pin in enumerate(person.contacts):
            row = layout.row(align=True)
            row.label(
                text=f"{touches.label(pin.contact)}, {pin.first} to {pin.last}", icon="PINNED"
            )
            row.operator("kinflow.free_contact", text="", icon="X").index = index
        layout.operator("kinflow.refit_span", icon="FILE_REFRESH")
