"""Drag a handle of the body; the rest follows live. Esc puts everything back."""

import contextlib

import bpy
import numpy as np

from kinflow.errors import KinflowError

from .. import session
from ..scene import pins
from ..scene.pointer import PlaceDrag, TurnDrag, View
from ..scene.pull import Drag
from .common import BodyOperator, active_body, redraw
from .pull_to import STUCK, finish_pull

REACH = 18.0  # px that the mouse may be off a handle
CLICK = 4.0  # px: who moves less than this has clicked
_KEYS = "X, Y, Z: axis | Shift: slow | Ctrl: onto the floor | Esc: put back"


class KINFLOW_OT_pull(BodyOperator, bpy.types.Operator):
    """Drag a point and the body follows. A click pins or frees it; R over a hand, foot, head or
    chest turns it"""

    bl_idname = "kinflow.pull"
    bl_label = "Pull"
    bl_options = {"UNDO", "BLOCKING"}

    turn: bpy.props.BoolProperty(
        name="Turn", description="Turn the point under the mouse", options={"SKIP_SAVE"}
    )

    _drag: Drag | None = None

    def execute(self, context: bpy.types.Context) -> set[str]:
        self.report({"WARNING"}, "This needs a mouse; without one there is Pull to.")
        return {"CANCELLED"}

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        armature, view = active_body(context), View.of(context)
        mouse = (event.mouse_region_x, event.mouse_region_y)
        nearest = view.nearest(armature, mouse) if view is not None else None
        reach = REACH * context.preferences.system.ui_scale
        if nearest is None or nearest[1] > reach or self._turns_nothing(nearest[0]):
            return {"CANCELLED", "PASS_THROUGH"}
        try:
            self._drag = Drag(context, armature, nearest[0])
        except KinflowError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if self._drag.is_stuck:
            self.report({"WARNING"}, STUCK)
            return {"CANCELLED"}
        self._first, self._dragged = mouse, self.turn
        mode = TurnDrag if self.turn else PlaceDrag
        self._pointer = mode(view, self._drag.place, mouse)
        session.pulled = self._drag
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type in ("ESC", "RIGHTMOUSE") and event.value == "PRESS":
            self.cancel(context)
            return {"CANCELLED"}
        if event.type in ("X", "Y", "Z") and event.value == "PRESS":
            self._pointer.press_axis(event.type)
            self._dragged = True
        mouse = np.array((event.mouse_region_x, event.mouse_region_y), float)
        self._dragged |= float(np.linalg.norm(mouse - self._first)) >= CLICK
        try:
            if self._dragged and event.type in ("MOUSEMOVE", "X", "Y", "Z", "LEFT_CTRL"):
                self._follow(context, event)
            if self._is_done(event):
                return self._finish(context)
        except (KinflowError, ReferenceError) as error:
            # ReferenceError: somebody deleted the body
            self.report({"ERROR"}, str(error))
            self.cancel(context)
            return {"CANCELLED"}
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Puts the body back: Esc, and Blender where it ends the operator."""
        with contextlib.suppress(ReferenceError):  # where the body is gone
            self._drag.put_back()
        self._end(context)

    def _turns_nothing(self, joint: str) -> bool:
        return self.turn and joint not in pins.TURNED

    def _is_done(self, event: bpy.types.Event) -> bool:
        if self.turn:
            return event.type in ("LEFTMOUSE", "RET") and event.value == "PRESS"
        return event.type == "LEFTMOUSE" and event.value == "RELEASE"

    def _follow(self, context: bpy.types.Context, event: bpy.types.Event) -> None:
        drag, mouse = self._drag, (event.mouse_region_x, event.mouse_region_y)
        if self.turn:
            drag.move(drag.place, drag.turned(self._pointer.turn(mouse, event.shift)))
        else:
            floor = pins.thickness(drag.joint) * drag.scale if event.ctrl else None
            drag.move(self._pointer.place(mouse, event.shift, floor))
        text = drag.armature.kinflow.pull_message or _KEYS
        if context.area is not None:
            axis = f" along {self._pointer.axis}" if self._pointer.axis else ""
            context.area.header_text_set(f"{pins.HANDLES[drag.joint]}{axis}: {text}")
            context.area.tag_redraw()

    def _finish(self, context: bpy.types.Context) -> set[str]:
        drag, clicked = self._drag, not self._dragged
        self._end(context)
        if clicked:
            # an operator within this one makes no undo step of its own
            return bpy.ops.kinflow.toggle_pin(handle=drag.joint)
        if not drag.moved:
            return {"CANCELLED"}
        finish_pull(context, drag)
        return {"FINISHED"}

    def _end(self, context: bpy.types.Context) -> None:
        session.pulled = None
        if context.area is not None:
            context.area.header_text_set(None)
        redraw(context)
