"""Shape sliders."""

import bpy

from kinflow.bodies.arrays import default_body_arrays

from ..operators.common import active_body
from ..scene.body import shape_remark
from ..wrapped import draw_wrapped
from .sidebar import BodyPanel


class KINFLOW_PT_shape(BodyPanel, bpy.types.Panel):
    bl_label = "Shape"

    def draw(self, context: bpy.types.Context) -> None:
        column, remark = self.layout.column(align=True), shape_remark(active_body(context))
        if remark:
            draw_wrapped(self.layout, context, remark, "INFO")
        column.enabled = not remark
        for index, name in enumerate(default_body_arrays().shape_names):
            column.prop(active_body(context).kinflow, "betas", index=index, text=name, slider=True)
