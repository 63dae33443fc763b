"""Look through the photo's camera, and back."""

import bpy

from ..scene import look
from ..scene.viewport import here
from .common import needs

FOUR_VIEWS = "This viewport is split into four views: join them by Ctrl Alt Q"


class KINFLOW_OT_look_through(bpy.types.Operator):
    """Look through the photo's camera, the bodies see-through over it. Again: back to your view"""

    bl_idname = "kinflow.look_through"
    bl_label = "Look through Photo"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs(
            cls, look.photo_camera(context), "Open a photo and find its people first"
        ) and needs(cls, here(context), FOUR_VIEWS)

    def execute(self, context: bpy.types.Context) -> set[str]:
        viewports = here(context)
        is_back = look.is_through_photo(viewports[0].space, context)
        for viewport in viewports:
            (look.leave if is_back else look.enter)(context, viewport)
        return {"FINISHED"}
