"""Pulling the body by its handles: the tool, what is pinned, what is left alone."""

import bpy

from ..operators.common import active_body
from ..scene.pins import HANDLES, remarks
from ..wrapped import draw_wrapped
from .pull_gizmos import TOOL, is_on
from .sidebar import BodyPanel


class KINFLOW_PT_pull(BodyPanel, bpy.types.Panel):
    bl_label = "Pull"
    bl_parent_id = "KINFLOW_PT_pose"

    def draw(self, context: bpy.types.Context) -> None:
        layout, armature = self.layout, active_body(context)
        body = armature.kinflow
        button = layout.operator(
            "wm.tool_set_by_id", text="Pull", icon="VIEW_PAN", depress=is_on(context)
        )
        button.name = TOOL
        column = layout.column(align=True)
        column.prop(body, "auto_pin_feet")
        column.prop(body, "use_floor")
        column.prop(body, "sample_with_pins")
        for pin in body.pins:
            row = layout.row(align=True)
            row.label(text=HANDLES.get(pin.joint, pin.joint), icon="PINNED")
            row.prop(pin, "use_rotation", toggle=True)
            row.operator("kinflow.toggle_pin", text="", icon="X").handle = pin.joint
        layout.operator("kinflow.clear_pins")
        for text in (body.pull_message, *remarks(armature)):
            if text:
                draw_wrapped(layout, context, text, "INFO")
