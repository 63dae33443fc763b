"""Find the people in the photo."""

import bpy

from kinflow.client import Job

from .. import preferences, session
from ..scene import camera, keypoints
from .common import EngineJob, needs


class KINFLOW_OT_detect(EngineJob, bpy.types.Operator):
    """Find the people in the photo, with their keypoints and outlines"""

    bl_idname = "kinflow.detect"
    bl_label = "Find People"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        opened = needs(cls, context.scene.kinflow.photo_path, "Open a photo first")
        return opened and super().poll(context)

    def send(self, context: bpy.types.Context) -> Job:
        path = bpy.path.abspath(context.scene.kinflow.photo_path)
        return session.engine().submit("observe", photo=path, device=preferences.get("device"))

    def finish(self, context: bpy.types.Context, value: list) -> set[str]:
        state = context.scene.kinflow
        keypoints.store_people(context.scene, value)
        if not value:
            state.message = (
                "No person was found in this photo. Try one with a larger, clearer person."
            )
            self.report({"WARNING"}, state.message)
            return {"CANCELLED"}
        # where EXIF turned the photo the engine wrote an upright copy, which Blender can show
        state.photo_path = value[0].image_path or state.photo_path
        if value[0].camera is not None:
            photo = bpy.path.abspath(state.photo_path)
            camera.match_camera(context, value[0].camera, photo, camera.EYE_LEVEL)
        state.message = f"{len(value)} found"
        return {"FINISHED"}
