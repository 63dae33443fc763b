"""Show one of the minima that a fit found."""

import bpy

from ..scene import camera, hand_posed, photos
from ..scene.parameters import Parameters, apply_parameters
from .common import BodyOperator, active_body


class KINFLOW_OT_show_hypothesis(BodyOperator, bpy.types.Operator):
    """Show this explanation; the lower its energy, the better it agrees with photo and prior"""

    bl_idname = "kinflow.show_hypothesis"
    bl_label = "Show Hypothesis"

    index: bpy.props.IntProperty(name="Hypothesis", min=0)

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = active_body(context)
        count = len(armature.kinflow.hypotheses)
        if self.index >= count:
            text = f"There is no hypothesis {self.index + 1}; the fit found {count}."
            self.report({"ERROR"}, text)
            return {"CANCELLED"}
        show_hypothesis(armature, self.index)
        return {"FINISHED"}


def show_hypothesis(armature: bpy.types.Object, index: int) -> None:
    """Poses a body as one of its hypotheses says."""
    state = armature.kinflow
    parameters = Parameters.from_json(state.hypotheses[index].data)
    apply_parameters(armature, parameters, camera.viewpoint(photos.photo_of_body(armature)))
    hand_posed.note(armature)
    state.active_hypothesis = index
    state.error_px = state.hypotheses[index].error_px
