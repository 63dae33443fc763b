"""Switch a limb's keypoints off and on again; a body that was fitted follows."""

import bpy

from kinflow.client import Job
from kinflow.errors import CancelledError, KinflowError
from kinflow.records import FITTED, FitResult

from .. import session
from ..scene import camera, limbs, photos
from ..scene.choice import chosen
from .apply_fit import show_result
from .clip_job import key_of
from .common import PEOPLE_FIRST, EngineJob, needs
from .refit import submit_refit
from .usable import nothing_to_fit

ITEMS = [(name, limbs.label(name), "") for name in limbs.LIMBS]


class KINFLOW_OT_toggle_limb(EngineJob, bpy.types.Operator):
    """Use this limb's keypoints, or leave it to what is likely; the body is fitted again"""

    bl_idname = "kinflow.toggle_limb"
    bl_label = "Use Limb"
    # the switch and the body that follows it are one step
    bl_options = {"REGISTER", "UNDO"}

    limb: bpy.props.EnumProperty(name="Limb", items=ITEMS)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        found = needs(cls, chosen(context).person, PEOPLE_FIRST)
        return found and super().poll(context)

    def execute(self, context: bpy.types.Context) -> set[str]:
        return super().execute(context) if self._switch(context) else {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return super().invoke(context, event) if self._switch(context) else {"FINISHED"}

    def send(self, context: bpy.types.Context) -> Job:
        return submit_refit(context)

    def finish(self, context: bpy.types.Context, value: FitResult) -> set[str]:
        if value.status not in FITTED:
            return self._fail(context, KinflowError(value.message))
        photo, person = photos.people_by_key(context.scene).get(self._key, (None, None))
        armature = photos.body_of_person(person) if person is not None else None
        if armature is not None:  # else it was deleted meanwhile
            session.results[self._key] = value
            show_result(armature, value, camera.viewpoint(photo))
            self._say(context, f"fitted again, {value.keypoint_error_px:.1f} px")
        return {"FINISHED"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Esc, and Blender where it ends the operator: the limb is as it was."""
        super().cancel(context)
        self._put_back(context)

    def _switch(self, context: bpy.types.Context) -> bool:
        """Switches the limb. -> whether there is a body to be fitted again."""
        person = chosen(context).person
        self._key, self._before = key_of(chosen(context)), [p.enabled for p in person.keypoints]
        points = [p for p in person.keypoints if limbs.shows(self.limb, p.name)]
        self._enabled = not any(p.enabled for p in points)
        for point in points:
            point.enabled = self._enabled
        has_body = self._key in session.results and photos.body_of_person(person) is not None
        sentence = nothing_to_fit(person)
        if sentence:
            stays = " The body stays as it is." if has_body else ""
            context.scene.kinflow.message = sentence + stays
            self.report({"INFO"}, sentence + stays)
        elif not has_body:
            self._say(context, "press Fit")
        return has_body and not sentence

    def _say(self, context: bpy.types.Context, text: str) -> None:
        on = "on" if self._enabled else "off"
        context.scene.kinflow.message = f"{limbs.label(self.limb)} {on}: {text}"

    def _put_back(self, context: bpy.types.Context) -> None:
        person = photos.people_by_key(context.scene).get(self._key, (None, None))[1]
        for point, before in zip(person.keypoints if person else (), self._before, strict=False):
            point.enabled = before

    def _fail(self, context: bpy.types.Context, error: KinflowError) -> set[str]:
        """The limb stays switched: only the body could not follow."""
        if isinstance(error, CancelledError):
            self._put_back(context)
            return super()._fail(context, error)
        context.scene.kinflow.message = str(error)
        context.scene.kinflow.job_text = ""
        self.report({"WARNING"}, str(error))
        return {"FINISHED"}
