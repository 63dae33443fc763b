"""Look at the photo's bodies from the side."""

import bpy

from ..scene import look
from ..scene.viewport import here
from .common import needs
from .look_through import FOUR_VIEWS


class KINFLOW_OT_look_from_side(bpy.types.Operator):
    """See the bodies' depth, from beside the photo's camera. Again: a quarter turn further"""

    bl_idname = "kinflow.look_from_side"
    bl_label = "Look from the Side"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        bodies = look.bodies_of_photo(context)
        return needs(cls, bodies, "Fit a body first, or add one") and needs(
            cls, here(context), FOUR_VIEWS
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        for viewport in here(context):
            bodies = look.bodies_of_photo(context)
            look.look_from_side(viewport, bodies, look.photo_camera(context))
        return {"FINISHED"}
