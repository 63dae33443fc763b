"""Fit a body; look at the fit; the explanations that it found."""

import bpy

from ..operators.common import active_body
from ..scene import closeness, hypothesis_pictures, look
from ..wrapped import draw_wrapped
from .sidebar import SidebarPanel

SCALE = 5.0  # of a picture, in rows of the panel
_COLUMN = 120  # px


class KINFLOW_PT_fit(SidebarPanel, bpy.types.Panel):
    bl_label = "Fit"

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, context.scene.kinflow
        layout.prop(state, "use_parts")
        layout.operator("kinflow.fit", icon="ARMATURE_DATA")
        _draw_look(layout, context)
        armature = active_body(context)
        if armature is not None and len(armature.kinflow.hypotheses):
            draw_wrapped(layout, context, closeness.sentence(armature))
            if len(armature.kinflow.hypotheses) > 1:
                _draw_hypotheses(layout, context, armature)


def _draw_look(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    space = context.space_data
    is_through = look.is_through_photo(space, context)
    column = layout.column(align=True)
    column.operator(
        "kinflow.look_through",
        text="Back to My View" if is_through else "Look through Photo",
        icon="LOOP_BACK" if is_through else "CAMERA_DATA",
        depress=is_through,
    )
    column.operator("kinflow.look_from_side", icon="VIEW_PERSPECTIVE")
    if space.shading.type == "SOLID" and space.shading.show_xray:
        layout.prop(space.shading, "xray_alpha", text="Solidity", slider=True)


def _draw_hypotheses(
    layout: bpy.types.UILayout, context: bpy.types.Context, armature: bpy.types.Object
) -> None:
    body = armature.kinflow
    pictures = hypothesis_pictures.of(armature)
    if not pictures:
        hypothesis_pictures.want(armature)
    layout.label(text="What else the photo may show:")
    wide = context.region.width / context.preferences.system.ui_scale
    columns = max(1, min(len(body.hypotheses), int(wide / _COLUMN)))
    has_more = any("," in p.words for p in pictures)
    grid = layout.grid_flow(row_major=True, columns=columns, even_columns=True)
    for index in range(len(body.hypotheses)):
        cell = grid.column(align=True)
        # blank until it is drawn: the panel keeps its height
        cell.template_icon(icon_value=pictures[index].icon if pictures else 0, scale=SCALE)
        words = pictures[index].words if pictures else f"{index + 1}"
        first, _, more = words.partition(", ")
        shown = index == body.active_hypothesis
        text = first[:1].upper() + first[1:]
        cell.operator("kinflow.show_hypothesis", text=text, depress=shown).index = index
        if has_more:
            cell.label(text=more)
    layout.operator("kinflow.next_hypothesis", icon="FRAME_NEXT")
