"""Fit a body to everybody in the photo."""

import bpy

from kinflow.client import Job

from .. import preferences, session
from ..scene import keypoints, look
from . import usable
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
        people = context.scene.kinflow.people
        return needs(cls, len(people), PEOPLE_FIRST) and super().poll(context)

    def send(self, context: bpy.types.Context) -> Job:
        state = context.scene.kinflow
        people = list(state.people)
        if not self.everybody:
            people = people[state.active_person : state.active_person + 1]
        people, self._left_out = usable.split(people)
        self._uids = [p.uid for p in people]
        observations = [keypoints.observation_of(context.scene, p) for p in people]
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
        session.results.update(zip(self._uids, value, strict=True))
        done = bpy.ops.kinflow.apply_fit("EXEC_DEFAULT", True, uids=",".join(self._uids))
        if self._left_out:
            context.scene.kinflow.message += f"; {self._left_out}"
        if done == {"FINISHED"}:
            look.after_fit(context)
        return done
