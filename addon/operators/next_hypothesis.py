"""Step through the minima that a fit found."""

import bpy

from .common import BodyOperator, active_body, needs
from .show_hypothesis import show_hypothesis


class KINFLOW_OT_next_hypothesis(BodyOperator, bpy.types.Operator):
    """Show the next explanation of the photo, for instance the arm bent the other way in depth"""

    bl_idname = "kinflow.next_hypothesis"
    bl_label = "Next Alternative"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        sentence = "The fit found no other explanation"
        return super().poll(context) and needs(
            cls, len(active_body(context).kinflow.hypotheses) > 1, sentence
        )

    def change(self, context: bpy.types.Context, armature: bpy.types.Object) -> None:
        state = armature.kinflow
        show_hypothesis(armature, (state.active_hypothesis + 1) % len(state.hypotheses))
