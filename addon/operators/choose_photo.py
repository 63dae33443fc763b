"""Choose one of several photos."""

import bpy

from ..scene import choice, photos


class KINFLOW_OT_choose_photo(bpy.types.Operator):
    """Show this photo's people, and make its camera the scene's"""

    bl_idname = "kinflow.choose_photo"
    bl_label = "Choose Photo"
    bl_options = {"REGISTER", "UNDO"}

    session_uid: bpy.props.IntProperty(options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        photo = photos.find(context.scene, self.session_uid)
        if photo is None:
            self.report({"WARNING"}, "This photo is no longer in the scene")
            return {"CANCELLED"}
        choice.choose_photo(context, photo)
        context.scene.kinflow.message = ""
        return {"FINISHED"}
