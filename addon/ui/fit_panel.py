"""Fit a body; the explanations that a fit found."""

import bpy

from ..operators.common import active_body
from .sidebar import SidebarPanel


class KINFLOW_PT_fit(SidebarPanel, bpy.types.Panel):
    bl_label = "Fit"

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, context.scene.kinflow
        layout.prop(state, "use_parts")
        layout.operator("kinflow.fit", icon="ARMATURE_DATA")
        armature = active_body(context)
        if armature is not None and len(armature.kinflow.hypotheses):
            _draw_hypotheses(layout, armature.kinflow)
            layout.operator("kinflow.next_hypothesis", icon="FRAME_NEXT")


def _draw_hypotheses(layout: bpy.types.UILayout, body: bpy.types.PropertyGroup) -> None:
    column = layout.column(align=True)
    status = body.status.replace("_", " ")
    column.label(text=f"Keypoint error {body.error_px:.1f} px, {status}")
    lowest = min(h.energy for h in body.hypotheses)
    for index, hypothesis in enumerate(body.hypotheses):
        above = hypothesis.energy - lowest
        text = f"Energy +{above:.1f}" if above else "Best"
        shown = index == body.active_hypothesis
        row = column.operator(
            "kinflow.show_hypothesis",
            text=f"{text}, {hypothesis.error_px:.1f} px",
            depress=shown,
            icon="RADIOBUT_ON" if shown else "RADIOBUT_OFF",
        )
        row.index = index
