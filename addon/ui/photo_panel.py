"""Open a photo, from the panel or dropped onto the viewport; find the people in it."""

import bpy

from ..operators.import_photo import SUFFIXES
from ..scene.camera import thumbnail
from ..scene.choice import chosen
from ..scene.photos import all_photos
from ..wrapped import draw_wrapped
from .engine_panel import draw_missing
from .sidebar import SidebarPanel


class KINFLOW_PT_photo(SidebarPanel, bpy.types.Panel):
    bl_label = "Photo"

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, context.scene.kinflow
        photo = chosen(context).photo
        _draw_photos(layout, context.scene, photo)
        layout.operator("kinflow.import_photo", icon="FILEBROWSER")
        image = thumbnail(photo) if photo is not None else None
        if image is not None:
            layout.template_icon(icon_value=image, scale=7.0)
        draw_missing(layout)
        layout.operator("kinflow.detect", icon="VIEWZOOM")
        if photo is not None and len(photo.kinflow.people):
            people = photo.kinflow
            layout.template_list(
                "UI_UL_list", "kinflow_people", people, "people", people, "active_person", rows=2
            )
        if state.job_text:
            layout.progress(factor=state.job_fraction, text=state.job_text)
        elif state.message:
            draw_wrapped(layout, context, state.message, "INFO")


def _draw_photos(
    layout: bpy.types.UILayout, scene: bpy.types.Scene, shown: bpy.types.Collection | None
) -> None:
    """A row a photo where there are several."""
    found = all_photos(scene)
    column = layout.column(align=True)
    for photo in found if len(found) > 1 else ():
        row = column.operator("kinflow.choose_photo", text=photo.name, depress=photo == shown)
        row.session_uid = photo.session_uid


class KINFLOW_FH_photo(bpy.types.FileHandler):
    """Photos dropped onto the 3D viewport"""

    bl_label = "Photo for kinflow"
    bl_import_operator = "kinflow.import_photo"
    bl_file_extensions = SUFFIXES

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"
