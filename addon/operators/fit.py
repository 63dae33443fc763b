"""Fit a body to everybody in the photo."""

import bpy

from kinflow.client import Job

from .. import preferences, session
from ..scene import choice, keypoints, look, photos
from . import usable
from .clip_job import OF_CLIPS
from .common import PEOPLE_FIRST, EngineJob, needs


class KINFLOW_OT_fit(EngineJob, bpy.types.Operator):
    """Fit a body to the people in the photo"""

    bl_idname = "kinflow.fit"
    bl_label = "Fit"
    bl_options = {"REGISTER"}

    everybody: bpy.props.BoolProperty(
        name="Everybody",
        description="Fit everybody in the photo, not just the active person",
        default=True,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        photo = choice.chosen(context).photo
        found = photo is not None and len(photo.kinflow.people)
        is_photo = found and not photo.kinflow.clip_length
        sentence = OF_CLIPS if found else PEOPLE_FIRST
        return needs(cls, is_photo, sentence) and super().poll(context)

    def send(self, context: bpy.types.Context) -> Job:
        state, current = context.scene.kinflow, choice.chosen(context)
        photo = current.photo
        people = list(photo.kinflow.people)
        if not self.everybody:
            people = [person for person in people if person == current.person]
        people, self._left_out = usable.split(people)
        self._keys = [photos.key_of(photo, p) for p in people]
        observations = [keypoints.observation_of(photo, p) for p in people]
        return session.engine().submit(
            "fit",
            observations=observations,
            prior=preferences.get("prior"),
            device=preferences.get("device"),
            losses=["ka", "ba"] if state.use_parts else ["ka"],
            starts="both",
            mesh=True,
        )

    def finish(self, context: bpy.types.Context, value: list) -> set[str]:
        session.results.update(zip(self._keys, value, strict=True))
        done = bpy.ops.kinflow.apply_fit("EXEC_DEFAULT", True, keys=",".join(self._keys))
        if self._left_out:
            context.scene.kinflow.message += f"; {self._left_out}"
        if done == {"FINISHED"}:
            look.after_fit(context)
        return done
