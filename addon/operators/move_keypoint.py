"""Grab a keypoint over the photo; the body follows, refitted live from the last solution."""

import bpy

from kinflow.client import Job
from kinflow.errors import KinflowError
from kinflow.records import FITTED, FitResult

from .. import session
from ..scene import camera, choice, keypoints, limbs, photos
from ..scene.clip import AROUND
from ..scene.photo_view import nearest_keypoint, photo_view
from .apply_fit import show_result
from .clip_job import clip_of
from .common import AT_WORK, PEOPLE_FIRST, POLL_SECONDS, needs, redraw
from .refit import submit_refit


class KINFLOW_OT_move_keypoint(bpy.types.Operator):
    """Drag the keypoint under the mouse; the body is fitted again as it moves. Esc puts it back"""

    bl_idname = "kinflow.move_keypoint"
    bl_label = "Move Keypoint"
    bl_options = {"REGISTER", "UNDO", "BLOCKING"}

    index: bpy.props.IntProperty(
        name="Keypoint",
        description="Number of the keypoint in its set",
        min=0,
        options={"SKIP_SAVE"},
    )
    x: bpy.props.FloatProperty(
        name="X", description="Pixels from the left of the photo", options={"SKIP_SAVE"}
    )
    y: bpy.props.FloatProperty(
        name="Y", description="Pixels from the top of the photo", options={"SKIP_SAVE"}
    )

    _job: Job | None = None
    _refits = 0
    _timer: bpy.types.Timer | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        person = choice.chosen(context).person
        return needs(cls, person, PEOPLE_FIRST) and needs(cls, not session.busy(), AT_WORK)

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.PropertyGroup) -> str:
        person = choice.chosen(context).person
        known = person is not None and properties.index < len(person.keypoints)
        name = keypoints.label(person.keypoints[properties.index]) if known else "Keypoint"
        return f"{name}: drag it, and the body is fitted again as it moves. Esc puts it back"

    def execute(self, context: bpy.types.Context) -> set[str]:
        self._photo, person = self._begin(context)
        if self.index >= len(person.keypoints):
            text = f"There is no keypoint {self.index}; this person has {len(person.keypoints)}."
            self.report({"ERROR"}, text)
            return {"CANCELLED"}
        self._place(person, self.x, self.y)
        if self._key not in session.results:
            self._refit_clip(context, "EXEC_DEFAULT")
            return {"FINISHED"}
        try:
            self._show(context, session.engine().wait(submit_refit(context)))
        except KinflowError as error:
            # the keypoint stays where it was put; only the body could not follow
            context.scene.kinflow.message = str(error)
            self.report({"WARNING"}, str(error))
        return {"FINISHED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._photo, person = self._begin(context)
        view = photo_view(context, self._photo)
        if view is None or not len(person.keypoints):
            self.report({"WARNING"}, "Look through the photo's camera to drag keypoints.")
            return {"CANCELLED"}
        self.index, _ = nearest_keypoint(person, view, (event.mouse_region_x, event.mouse_region_y))
        self._last = session.results.get(self._key)
        self._refits, self._moved, self._stale = 0, False, False
        self._timer = context.window_manager.event_timer_add(POLL_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        person = self._person(context)
        view = photo_view(context, self._photo) if person is not None else None
        if person is None or view is None:
            self._end(context)
            return {"CANCELLED"}
        if event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS":
            self.cancel(context)
            return {"CANCELLED"}
        if event.type == "MOUSEMOVE":
            self._place(person, *view.to_photo(event.mouse_region_x, event.mouse_region_y))
            self._moved = self._stale = True
            redraw(context)
        try:
            self._follow(context)
        except KinflowError as error:
            context.scene.kinflow.message = str(error)
            self._last, self._job, self._stale = None, None, False
        if event.type == "LEFTMOUSE" and event.value == "RELEASE":
            self._finish_refit(context)
            if self._moved and not self._refits:
                context.scene.kinflow.message = f"{self._name(person)} moved; press Fit"
            self._end(context)
            if self._moved:
                self._refit_clip(context, "INVOKE_DEFAULT")
            return {"FINISHED"} if self._moved else {"CANCELLED"}
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Puts the keypoints and the body back: Esc, and Blender where it ends the operator."""
        person = self._person(context)
        for point, before in zip(person.keypoints if person else (), self._before, strict=False):
            point.x, point.y, point.confidence, point.enabled = before
        if self._last is not None and self._refits:
            session.results[self._key] = self._last
            self._apply(context, self._last)
        self._end(context)

    def _begin(
        self, context: bpy.types.Context
    ) -> tuple[bpy.types.Collection, bpy.types.PropertyGroup]:
        current = choice.chosen(context)
        self._key = photos.key_of(current.photo, current.person)
        self._before = _state(current.person)
        return current.photo, current.person

    def _person(self, context: bpy.types.Context) -> bpy.types.PropertyGroup | None:
        return photos.people_by_key(context.scene).get(self._key, (None, None))[1]

    def _name(self, person: bpy.types.PropertyGroup) -> str:
        return person.keypoints[self.index].name.replace("_", " ").title()

    def _place(self, person: bpy.types.PropertyGroup, x: float, y: float) -> None:
        point, (from_x, from_y, *_) = person.keypoints[self.index], self._before[self.index]
        # who puts a keypoint somewhere is sure of it
        point.x, point.y, point.confidence, point.enabled = x, y, 1.0, True
        self.x, self.y = x, y  # what "Adjust Last Operation" starts from
        for other, (other_x, other_y, *_) in zip(person.keypoints, self._before, strict=True):
            if limbs.follows(other.name, point.name):
                other.x, other.y = other_x + x - from_x, other_y + y - from_y

    def _follow(self, context: bpy.types.Context) -> None:
        """Takes a finished refit, and asks for the next where the keypoint has moved since."""
        if self._last is None:
            return
        if self._job is not None:
            session.engine().poll()
            if not self._job.done:
                return
            value, self._job = self._job.result(), None
            self._show(context, value)
        if self._stale and self._job is None:
            self._job, self._stale = submit_refit(context), False

    def _finish_refit(self, context: bpy.types.Context) -> None:
        """At release the last place of the keypoint counts."""
        try:
            if self._last is not None and (self._stale or self._job is not None):
                job = submit_refit(context) if self._stale else self._job
                self._show(context, session.engine().wait(job))
        except KinflowError as error:
            context.scene.kinflow.message = str(error)

    def _show(self, context: bpy.types.Context, result: FitResult) -> None:
        person = self._person(context)
        session.results[self._key] = result
        self._refits += 1
        self._apply(context, result)
        context.scene.kinflow.message = (
            f"{self._name(person)} moved: fitted again, {result.keypoint_error_px:.1f} px"
        )
        redraw(context)

    def _apply(self, context: bpy.types.Context, result: FitResult) -> None:
        photo, person = photos.people_by_key(context.scene)[self._key]
        armature = photos.body_of_person(person)
        if armature is not None and result.status in FITTED:
            show_result(armature, result, camera.viewpoint(photo))

    def _refit_clip(self, context: bpy.types.Context, how: str) -> None:
        """In a clip the frames around this one follow."""
        clip, person = clip_of(choice.chosen(context)), self._person(context)
        if clip is None or person.shown_row < 0:
            return
        frame = clip.frame_of(person.shown_row)
        try:
            bpy.ops.kinflow.refit_span(how, first=frame - AROUND, last=frame + AROUND)
        except RuntimeError as error:
            # the keypoint stays where it was put; only the body could not follow
            self.report({"WARNING"}, str(error))

    def _end(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        redraw(context)


def _state(person: bpy.types.PropertyGroup) -> list[tuple[float, float, float, bool]]:
    return [(p.x, p.y, p.confidence, p.enabled) for p in person.keypoints]
