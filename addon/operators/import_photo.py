"""Open a photo, from the file browser or dropped onto the viewport."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from ..scene import camera

SUFFIXES = ".jpg;.jpeg;.png;.webp;.tif;.tiff;.bmp"


class KINFLOW_OT_import_photo(bpy.types.Operator, ImportHelper):
    """Open a photo of people"""

    bl_idname = "kinflow.import_photo"
    bl_label = "Open Photo"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: bpy.props.StringProperty(
        default="*" + SUFFIXES.replace(";", ";*"), options={"HIDDEN"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath))
        if not path.is_file():
            self.report({"ERROR"}, f"There is no file {path}. Choose a photo.")
            return {"CANCELLED"}
        state = context.scene.kinflow
        state.photo_path = str(path)
        state.people.clear()
        camera.load_photo(str(path))
        state.message = ""
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.filepath:
            return self.execute(context)
        return super().invoke(context, event)


class KINFLOW_FH_photo(bpy.types.FileHandler):
    """Photos dropped onto the 3D viewport"""

    bl_idname = "KINFLOW_FH_photo"
    bl_label = "Photo for kinflow"
    bl_import_operator = "kinflow.import_photo"
    bl_file_extensions = SUFFIXES

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"
