"""Refit after keypoints were moved, from the pose that is shown."""

import bpy

from kinflow.client import Job
from kinflow.errors import KinflowError
from kinflow.records import FITTED, FitResult

from .. import preferences, session
from ..scene import camera, choice, keypoints, photos
from ..scene.parameters import as_shown
from . import usable
from .clip_job import OF_CLIPS, is_clips, key_of
from .common import EngineJob, needs


class KINFLOW_OT_refit(EngineJob, bpy.types.Operator):
    """Fit the chosen person again from the pose that is shown, with the keypoints as they are"""

    bl_idname = "kinflow.refit"
    bl_label = "Refit"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        current = choice.chosen(context)
        fitted = current.person is not None and key_of(current) in session.results
        sentence = OF_CLIPS if is_clips(current) else "Fit this person first"
        return needs(cls, fitted, sentence) and super().poll(context)

    def send(self, context: bpy.types.Context) -> Job:
        self._key = key_of(choice.chosen(context))
        return submit_refit(context)

    def finish(self, context: bpy.types.Context, value: FitResult) -> set[str]:
        if value.status not in FITTED:
            return self._fail(context, KinflowError(value.message))
        session.results[self._key] = value
        return bpy.ops.kinflow.apply_fit("EXEC_DEFAULT", True, keys=self._key)


def submit_refit(context: bpy.types.Context) -> Job:
    """Asks the engine to fit the chosen person again from the body as it is shown.

    Raises InvalidInputError where every limb is switched off.
    """
    current = choice.chosen(context)
    usable.check(current.person)
    last, armature = session.results[key_of(current)], photos.body_of_person(current.person)
    if armature is not None:
        last = as_shown(last, armature, camera.viewpoint(current.photo))
    return session.engine().submit(
        "refit",
        observation=keypoints.observation_of(current.photo, current.person),
        last=last,
        prior=preferences.get("prior"),
        device=preferences.get("device"),
        mesh=True,
    )
