"""What several operators share: the active body, engine jobs in a window and without one."""

import time

import bpy

from kinflow.client import Job
from kinflow.errors import CancelledError, KinflowError

from .. import session
from ..scene import choice, hand_posed
from ..scene.body import is_body, own_data

POLL_SECONDS = 0.03
SHOW_SECONDS = 0.25
PEOPLE_FIRST = "Find the people in the photo first"
AT_WORK = "The engine is at work: wait for it, or press Esc"


def active_body(context: bpy.types.Context) -> bpy.types.Object | None:
    """The body that panels show and operators change."""
    return choice.chosen(context).body


def active_rig(context: bpy.types.Context) -> bpy.types.Object | None:
    """The active object where it is a body's armature: a preset names what it sets by that."""
    return context.active_object if is_body(context.active_object) else None


def needs(operator: type[bpy.types.Operator], condition: object, sentence: str) -> bool:
    """Whether a condition of `poll` holds; if not, the greyed button says the sentence."""
    if not condition:
        operator.poll_message_set(sentence)
    return bool(condition)


class BodyOperator:
    """Mixin: needs a body. A subclass gives `change(context, armature)`."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        armature = active_body(context)
        obj = context.active_object
        if armature is None and obj is not None and obj.instance_type == "COLLECTION":
            sentence = "This is an instance: Object > Apply > Make Instances Real makes it a body"
            return needs(cls, False, sentence)
        linked = "This body is linked from another file: append it, or make a library override"
        return needs(cls, armature, "Select a kinflow body, or add one") and needs(
            cls, armature.library is None, linked
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = active_body(context)
        own_data(armature)
        hand_posed.read_in(armature)
        self.change(context, armature)
        hand_posed.note(armature)
        return {"FINISHED"}


class EngineJob:
    """Mixin for operators that ask the engine: modal with Esc in a window, blocking without one.

    A subclass gives `send(context) -> Job` and `finish(context, value) -> set`. The modal part
    never edits the scene: `finish` calls a short operator of its own, which is the one undo step.
    """

    _job: Job | None = None
    _timer: bpy.types.Timer | None = None
    _shown = 0.0

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return needs(cls, not session.busy(), AT_WORK)

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            return self.finish(context, session.engine().wait(self.send(context)))
        except KinflowError as error:
            return self._fail(context, error)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if bpy.app.background:
            return self.execute(context)
        try:
            self._job = self.send(context)
        except KinflowError as error:
            return self._fail(context, error)
        session.running_job = self._job
        manager, state = context.window_manager, context.scene.kinflow
        self._timer = manager.event_timer_add(POLL_SECONDS, window=context.window)
        manager.modal_handler_add(self)
        state.message, state.job_text = "", "Waiting for the engine (Esc cancels)"
        state.job_fraction = 0.0
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type == "ESC" and event.value == "PRESS":
            self.cancel(context)
            context.scene.kinflow.message = "Cancelled"
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        try:
            session.engine().poll()
            if not self._job.done:
                self._show_progress(context)
                return {"PASS_THROUGH"}
            value = self._job.result()
        except KinflowError as error:
            self._end(context)
            return self._fail(context, error)
        self._end(context)
        return self.finish(context, value)

    def cancel(self, context: bpy.types.Context) -> None:
        """Esc, and Blender where it ends the operator: a window closed, another file opened."""
        session.engine().cancel(self._job)
        self._end(context)

    def _show_progress(self, context: bpy.types.Context) -> None:
        state, now = context.scene.kinflow, time.monotonic()
        shown = (f"{self._job.message or session.state()} (Esc cancels)", self._job.fraction)
        if now - self._shown > SHOW_SECONDS and shown != (state.job_text, state.job_fraction):
            self._shown = now
            state.job_text, state.job_fraction = shown
            redraw(context, {"UI"})

    def _end(self, context: bpy.types.Context) -> None:
        session.running_job = None
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        context.scene.kinflow.job_text = ""
        redraw(context)

    def _fail(self, context: bpy.types.Context, error: KinflowError) -> set[str]:
        context.scene.kinflow.message = str(error)
        context.scene.kinflow.job_text = ""
        self.report({"WARNING" if isinstance(error, CancelledError) else "ERROR"}, str(error))
        return {"CANCELLED"}


def redraw(context: bpy.types.Context, regions: set[str] | None = None) -> None:
    """Redraws the viewports, or some of their regions: {"UI"} is the sidebar, cheap to draw."""
    for area in context.screen.areas if context.screen is not None else ():
        if area.type == "VIEW_3D":
            for region in area.regions:
                if regions is None or region.type in regions:
                    region.tag_redraw()


def redraw_all(context: bpy.types.Context) -> None:
    """Redraws every window, the preferences too."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            area.tag_redraw()
