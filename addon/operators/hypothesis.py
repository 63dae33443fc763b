"""Step through the minima that a fit found."""

from __future__ import annotations

import json
from types import SimpleNamespace

import bpy
import numpy as np

from ..scene import camera
from .apply_fit import apply_hypothesis
from .common import BodyOperator, active_body


class KINFLOW_OT_next_hypothesis(BodyOperator, bpy.types.Operator):
    """Show the next explanation of the photo, for instance the arm bent the other way in depth"""

    bl_idname = "kinflow.next_hypothesis"
    bl_label = "Next Hypothesis"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        if len(active_body(context).kinflow.hypotheses) < 2:
            cls.poll_message_set("The fit found one explanation only")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = active_body(context)
        show_hypothesis(
            armature, (armature.kinflow.active_hypothesis + 1) % len(armature.kinflow.hypotheses)
        )
        return {"FINISHED"}


class KINFLOW_OT_show_hypothesis(BodyOperator, bpy.types.Operator):
    """Show this explanation of the photo; the lower its energy, the better it agrees with photo and prior"""

    bl_idname = "kinflow.show_hypothesis"
    bl_label = "Show Hypothesis"
    bl_options = {"REGISTER", "UNDO"}

    index: bpy.props.IntProperty(name="Hypothesis", min=0)

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = active_body(context)
        if self.index >= len(armature.kinflow.hypotheses):
            self.report(
                {"ERROR"},
                f"There is no hypothesis {self.index + 1}; the fit found {len(armature.kinflow.hypotheses)}.",
            )
            return {"CANCELLED"}
        show_hypothesis(armature, self.index)
        return {"FINISHED"}


def show_hypothesis(armature: bpy.types.Object, index: int) -> None:
    """Poses a body as one of its hypotheses says."""
    state = armature.kinflow
    numbers = {k: np.array(v) for k, v in json.loads(state.hypotheses[index].data).items()}
    apply_hypothesis(armature, SimpleNamespace(**numbers), camera.camera_height())
    state.active_hypothesis = index
    state.error_px = state.hypotheses[index].error_px
