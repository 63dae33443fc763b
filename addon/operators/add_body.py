"""Add a body without any photo or engine."""

import bpy
import numpy as np

from ..scene import body, choice, hand_posed, latent, standing


class KINFLOW_OT_add_body(bpy.types.Operator):
    """Add a rigged body whose pose sliders stay human"""

    bl_idname = "kinflow.add_body"
    bl_label = "Add Body"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        armature = body.create_body(context.collection)
        latent.set_latent(armature, np.zeros(latent.prior_of(armature).dim))
        standing.stand(armature)
        hand_posed.note(armature)
        choice.select_only(context, armature)
        return {"FINISHED"}
