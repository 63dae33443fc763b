"""Open a photo."""

import os
from pathlib import Path

import bpy
from bpy_extras.io_utils import ImportHelper

from kinflow.batch.sources import PHOTO_SUFFIXES

from ..scene import camera, choice, photos

SUFFIXES = ";".join(sorted(PHOTO_SUFFIXES))


class KINFLOW_OT_import_photo(bpy.types.Operator, ImportHelper):
    """Open a photo of people; photos that are open already stay as they are"""

    bl_idname = "kinflow.import_photo"
    bl_label = "Open Photo"
    bl_options = {"REGISTER", "UNDO"}

    # not kept: the next press would open the last photo again, without asking
    filepath: bpy.props.StringProperty(
        name="File Path", subtype="FILE_PATH", options={"HIDDEN", "SKIP_SAVE"}
    )
    filter_glob: bpy.props.StringProperty(
        default="*" + SUFFIXES.replace(";", ";*"), options={"HIDDEN"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = Path(bpy.path.abspath(self.filepath))
        if not path.is_file():
            self.report({"ERROR"}, f"There is no file {path}. Choose a photo.")
            return {"CANCELLED"}
        photo = photos.open_photo(context.scene, path)
        camera.load_photo(photo)
        choice.choose_photo(context, photo)
        context.scene.kinflow.message = ""
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.filepath:
            return self.execute(context)
        photo = choice.chosen(context).photo
        if photo is not None and photo.kinflow.path:
            self.filepath = str(Path(bpy.path.abspath(photo.kinflow.path)).parent) + os.sep
        return super().invoke(context, event)
