"""Refit after keypoints were moved, from the last solution."""

import bpy

from kinflow.client import Job
from kinflow.errors import KinflowError
from kinflow.records import FITTED, FitResult

from .. import preferences, session
from ..scene import keypoints
from . import usable
from .common import EngineJob, needs


class KINFLOW_OT_refit(EngineJob, bpy.types.Operator):
    """Fit the active person again from the last solution, with the keypoints as they are now"""

    bl_idname = "kinflow.refit"
    bl_label = "Refit"
    bl_options = {"REGISTER"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        person = keypoints.active_person(context.scene)
        fitted = person is not None and person.uid in session.results
        return needs(cls, fitted, "Fit this person first") and super().poll(context)

    def send(self, context: bpy.types.Context) -> Job:
        self._uid = keypoints.active_person(context.scene).uid
        return submit_refit(context)

    def finish(self, context: bpy.types.Context, value: FitResult) -> set[str]:
        if value.status not in FITTED:
            return self._fail(context, KinflowError(value.message))
        session.results[self._uid] = value
        return bpy.ops.kinflow.apply_fit("EXEC_DEFAULT", True, uids=self._uid)


def submit_refit(context: bpy.types.Context) -> Job:
    """Asks the engine to fit the active person again from the last result.

    Raises InvalidInputError where every limb is switched off.
    """
    person = keypoints.active_person(context.scene)
    usable.check(person)
    return session.engine().submit(
        "refit",
        observation=keypoints.observation_of(context.scene, person),
        last=session.results[person.uid],
        prior=preferences.get("prior"),
        device=preferences.get("device"),
        mesh=True,
    )
