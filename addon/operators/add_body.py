"""Add a body without any photo or engine."""

import bpy
import numpy as np

from ..scene import body, choice, hand_posed, latent, standing


class KINFLOW_OT_add_body(bpy.types.Operator):
    """Add a rigged body whose pose sliders stay human, its feet at the 3D cursor"""

    bl_idname = "kinflow.add_body"
    bl_label = "Add Body"
    bl_options = {"REGISTER", "UNDO"}

    location: bpy.props.FloatVectorProperty(
        name="Location",
        description="Where the body stands",
        size=3,
        subtype="TRANSLATION",
        options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        if not self.properties.is_property_set("location"):
            self.location = context.scene.cursor.location
        if context.mode != "OBJECT":
            bpy.ops.object.mode_set(mode="OBJECT")
        armature = body.create_body(context.collection)
        latent.set_latent(armature, np.zeros(latent.prior_of(armature).dim))
        standing.stand(armature)
        armature.location = self.location
        hand_posed.note(armature)
        choice.select_only(context, armature)
        return {"FINISHED"}
