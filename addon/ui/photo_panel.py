"""Open a photo, from the panel or dropped onto the viewport; find the people in it."""

import bpy

from ..operators.import_photo import SUFFIXES
from ..scene.camera import thumbnail
from .engine_panel import draw_missing
from .sidebar import SidebarPanel


class KINFLOW_PT_photo(SidebarPanel, bpy.types.Panel):
    bl_label = "Photo"

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, context.scene.kinflow
        row = layout.row(align=True)
        row.prop(state, "photo_path", text="")
        row.operator("kinflow.import_photo", text="", icon="FILEBROWSER")
        image = thumbnail(state.photo_path)
        if image is not None:
            layout.template_icon(icon_value=image, scale=7.0)
        draw_missing(layout)
        layout.operator("kinflow.detect", icon="VIEWZOOM")
        if len(state.people):
            layout.template_list(
                "UI_UL_list", "kinflow_people", state, "people", state, "active_person", rows=2
            )
        if state.job_text:
            layout.progress(factor=state.job_fraction, text=state.job_text)
        elif state.message:
            layout.label(text=state.message, icon="INFO")


class KINFLOW_FH_photo(bpy.types.FileHandler):
    """Photos dropped onto the 3D viewport"""

    bl_label = "Photo for kinflow"
    bl_import_operator = "kinflow.import_photo"
    bl_file_extensions = SUFFIXES

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"
