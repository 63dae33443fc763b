"""What several operators share: the active body, engine jobs in a window and without one."""

from __future__ import annotations

import time

import bpy

from kinflow.client import Job
from kinflow.errors import CancelledError, KinflowError

from .. import session

POLL_SECONDS = 0.03
SHOW_SECONDS = 0.25


def active_body(context: bpy.types.Context) -> bpy.types.Object | None:
    """The selected body: the active object if it is one, or the armature of an active body mesh, or the only body."""
    from ..scene.body import find_bodies

    obj = context.active_object
    if obj is not None:
        if obj.type == "ARMATURE" and obj.kinflow.is_body:
            return obj
        if obj.parent is not None and obj.parent.type == "ARMATURE" and obj.parent.kinflow.is_body:
            return obj.parent
    bodies = find_bodies()
    return bodies[0] if len(bodies) == 1 else None


class BodyOperator:
    """Mixin: needs a body."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        armature = active_body(context)
        if armature is None:
            cls.poll_message_set("Select a kinflow body, or add one")
            return False
        if armature.library is not None:
            cls.poll_message_set(
                "This body is linked from another file: append it, or make a library override"
            )
            return False
        return True


class EngineJob:
    """Mixin for operators that ask the engine: modal with Esc in a window, blocking without one.

    A subclass gives `send(context) -> Job` and `finish(context, value) -> set`. The modal part never edits the scene:
    `finish` calls a short operator of its own, which is the one undo step.
    """

    _job: Job | None = None
    _timer: bpy.types.Timer | None = None
    _shown = 0.0

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if session.busy():
            cls.poll_message_set("The engine is at work: wait for it, or press Esc")
            return False
        return True

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
        self._gaps = session.TimerGaps()
        session.running_job = self._job
        context.scene.kinflow.message = ""
        manager = context.window_manager
        self._timer = manager.event_timer_add(POLL_SECONDS, window=context.window)
        manager.modal_handler_add(self)
        context.scene.kinflow.job_text, context.scene.kinflow.job_fraction = (
            "Waiting for the engine (Esc cancels)",
            0.0,
        )
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        state = context.scene.kinflow
        if event.type == "ESC" and event.value == "PRESS":
            session.engine().cancel(self._job)
            self._end(context)
            state.message = "Cancelled"
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        self._gaps.tick()
        try:
            session.engine().poll()
            if not self._job.done:
                text = f"{self._job.message or session.state()} (Esc cancels)"
                now = time.monotonic()
                if now - self._shown > SHOW_SECONDS and (text, self._job.fraction) != (
                    state.job_text,
                    state.job_fraction,
                ):
                    self._shown = now
                    state.job_text, state.job_fraction = text, self._job.fraction
                    redraw(context, {"UI"})
                return {"PASS_THROUGH"}
            value = self._job.result()
        except KinflowError as error:
            self._end(context)
            return self._fail(context, error)
        self._end(context)
        return self.finish(context, value)

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
    """Redraws the viewports, or only some of their regions: {"UI"} is the sidebar, which costs little."""
    if context.screen is not None:
        for area in context.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if regions is None or region.type in regions:
                        region.tag_redraw()
