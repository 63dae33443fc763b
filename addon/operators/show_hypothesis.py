"""Show one of the minima that a fit found."""

import bpy

from ..scene import camera, hand_posed, hypothesis_pictures, photos
from ..scene.parameters import Parameters, apply_parameters
from .common import BodyOperator, active_body


class KINFLOW_OT_show_hypothesis(BodyOperator, bpy.types.Operator):
    """Show this explanation of the photo"""

    bl_idname = "kinflow.show_hypothesis"
    bl_label = "Show Alternative"

    index: bpy.props.IntProperty(name="Alternative", min=0)

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.PropertyGroup) -> str:
        armature, index = active_body(context), properties.index
        if armature is None or index >= len(armature.kinflow.hypotheses):
            return ""
        found = armature.kinflow.hypotheses[index]
        shown = hypothesis_pictures.of(armature)
        words = shown[index].words if shown else f"alternative {index + 1}"
        return (
            f"Pose the body like this: {words}. "
            f"Keypoints miss the photo's by {found.error_px:.1f} px on average"
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        armature = active_body(context)
        count = len(armature.kinflow.hypotheses)
        if self.index >= count:
            text = f"There is no alternative {self.index + 1}; the fit found {count}."
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
