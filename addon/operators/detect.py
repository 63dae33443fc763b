"""Find the people in the photo."""

import bpy

from kinflow.client import Job

from .. import preferences, session
from ..scene import camera, choice, keypoints, photos
from .common import EngineJob, needs


class KINFLOW_OT_detect(EngineJob, bpy.types.Operator):
    """Find the people in the photo, with their keypoints and outlines"""

    bl_idname = "kinflow.detect"
    bl_label = "Find People"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        photo = choice.chosen(context).photo
        opened = needs(cls, photo is not None and photo.kinflow.path, "Open a photo first")
        return opened and super().poll(context)

    def send(self, context: bpy.types.Context) -> Job:
        self._photo = choice.chosen(context).photo.session_uid
        path = bpy.path.abspath(choice.chosen(context).photo.kinflow.path)
        return session.engine().submit("observe", photo=path, device=preferences.get("device"))

    def finish(self, context: bpy.types.Context, value: list) -> set[str]:
        state, photo = context.scene.kinflow, photos.find(context.scene, self._photo)
        if photo is None:
            state.message = "The photo was deleted meanwhile"
            return {"CANCELLED"}
        keypoints.store_people(photo, value)
        if not value:
            state.message = (
                "No person was found in this photo. Try one with a larger, clearer person."
            )
            self.report({"WARNING"}, state.message)
            return {"CANCELLED"}
        # where EXIF turned the photo the engine wrote an upright copy, which Blender can show
        photo.kinflow.path = value[0].image_path or photo.kinflow.path
        if value[0].camera is not None:
            view = camera.EYE_LEVEL.moved(photo.kinflow.place)
            camera.match_camera(context.scene, photo, value[0].camera, view)
        choice.choose_photo(context, photo)
        state.message = f"{len(value)} found"
        return {"FINISHED"}
